//! Ports that turned out to be somebody else's.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// How long such a port is avoided: whoever had it may be gone then.
const AVOIDED: Duration = Duration::from_secs(600);
/// The most that are remembered. With more, the oldest is tried again.
const MOST: usize = 1_024;

/// Ports that turned out to be somebody else's, and until when they are avoided.
#[derive(Debug, Default)]
pub(super) struct Taken(BTreeMap<u16, Instant>);

impl Taken {
    /// Avoids a port.
    pub(super) fn add(&mut self, port: u16, now: Instant) {
        self.0.insert(port, now + AVOIDED);
        while self.0.len() > MOST {
            let Some(oldest) = self.0.iter().min_by_key(|(_, until)| **until).map(|(port, _)| *port) else { return };
            self.0.remove(&oldest);
        }
    }

    /// The ports that are avoided now.
    pub(super) fn ports(&mut self, now: Instant) -> Vec<u16> {
        self.0.retain(|_, until| *until > now);
        self.0.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_avoided_for_a_time_and_there_is_an_end_to_them() {
        let (mut taken, start) = (Taken::default(), Instant::now());
        taken.add(20_001, start);
        taken.add(20_000, start + Duration::from_secs(60));
        assert_eq!(taken.ports(start + Duration::from_secs(61)), [20_000, 20_001]);
        assert_eq!(taken.ports(start + AVOIDED), [20_000]);
        for port in 1_025..5_000 {
            taken.add(port, start + Duration::from_secs(120));
        }
        assert_eq!(taken.ports(start + Duration::from_secs(121)).len(), MOST);
    }
}
