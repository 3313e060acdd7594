//! Keeps ports: each TCP service that gets one has it reserved, then listened at, then told to people, in this order.
//!
//! One loop follows the table and knows of every port what is wanted and what is there; what takes time are jobs, one a
//! service, many at once, so that a service that fails holds up itself alone. None is reserved before it is known
//! what listens, or another service's listener may be there. Nothing of it is remembered but in the
//! [ledger](super::ledger): where the process dies, its next life lists what is held, [asks](Plane::observe) what
//! listens, and goes on. A port is given back last, when nothing of it listens any more, and rests.
//!
//! Services of one owner get no more ports than their [share](Terms::ports_per_owner), so that no owner takes them all.
//!
//! Several sidecars may share a ledger. Each has its own data plane listen for what it sees, at the same ports. Each says
//! of the services that it sees, again and again, that they are there: a port is given back only when nobody said so for
//! a while, since a sidecar that does not see a service may be the one that is blind. One that could not say it for
//! longer stops listening before another one could have given the port to somebody else. Where all have the
//! [same thing](Plane::is_shared) listen, that holds for the listener as well: it goes when nobody sees the service.

mod beat;
mod establish;
mod house;
mod outcome;
mod room;
mod share;
mod taken;
mod turn;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::feed::Feed;
use crate::gateway::board::Board;
use crate::gateway::keeper::house::House;
use crate::gateway::ledger::Ledger;
use crate::gateway::plane::Plane;
use crate::gateway::port::PortRange;
use crate::gateway::probe::Probe;
use crate::gateway::settings::GatewaySettings;
use crate::registry::Registry;
use crate::telemetry::metrics::Metrics;

/// How often at most it is said that services are there.
const LONGEST_BEAT: Duration = Duration::from_secs(10);
/// How often at least.
const SHORTEST_BEAT: Duration = Duration::from_millis(200);

/// What keeps ports.
#[derive(Clone, Debug)]
pub struct Keeper {
    /// The services.
    pub registry: Arc<Registry>,
    /// What is told of them; it says as well when a provider is not waited for any longer.
    pub feed: Arc<Feed>,
    /// Who holds which port.
    pub ledger: Arc<dyn Ledger>,
    /// What listens.
    pub plane: Arc<dyn Plane>,
    /// Whether something listens, as clients find out.
    pub probe: Arc<dyn Probe>,
    /// What is told to people.
    pub board: Arc<Board>,
    /// How it is done.
    pub terms: Terms,
    /// Metrics.
    pub metrics: Arc<Metrics>,
}

/// How ports are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The ports that services get.
    pub range: PortRange,
    /// The most of them that the services of one owner hold, or have resting. Each process counts for itself.
    pub ports_per_owner: usize,
    /// How long a listener may take until it takes connections.
    pub program_timeout: Duration,
    /// How long a freed port rests.
    pub rest: Duration,
    /// How long a service that is gone keeps its port.
    pub kept: Duration,
    /// How long it keeps its listener: who is back by then was never away for those who are connected.
    pub close_after: Duration,
}

impl Keeper {
    /// Keeps ports until `stop`. What listens then goes on.
    pub async fn run(self, stop: &CancellationToken) {
        let mut house = House::new(self);
        tokio::select! {
            () = house.keep() => {}
            () = stop.cancelled() => {}
        }
    }
}

impl Terms {
    /// Those of a configuration.
    #[must_use]
    pub const fn of(settings: &GatewaySettings) -> Self {
        let GatewaySettings { range, ports_per_owner, program_timeout, rest, kept, close_after, .. } = settings;
        Self {
            range: *range,
            ports_per_owner: *ports_per_owner,
            program_timeout: *program_timeout,
            rest: *rest,
            kept: *kept,
            close_after: *close_after,
        }
    }

    /// How often it is said that services are there: several times before somebody else could get a port.
    fn beat(&self) -> Duration {
        (self.kept.saturating_add(self.rest) / 6).clamp(SHORTEST_BEAT, LONGEST_BEAT)
    }

    /// For how long nobody must have said it until a port is given back: one that is late must not lose it.
    fn unseen(&self) -> Duration {
        self.kept.max(self.beat() * 3)
    }

    /// For how long after it was said last one may go on listening. Another sidecar gives a port back [`Self::unseen`]
    /// after that at the earliest, and to somebody else `rest` later; clocks may differ by half of the rest.
    fn good_for(&self) -> Duration {
        self.unseen().saturating_add(self.rest / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_can_not_say_that_services_are_there_stops_before_others_go_on() {
        for (kept, rest) in [(60, 600), (0, 1), (0, 5), (600, 60)] {
            let range = PortRange::new(20_000, 20_010).expect("a range");
            let (kept, rest) = (Duration::from_secs(kept), Duration::from_secs(rest));
            let terms = Terms { range, ports_per_owner: 6, program_timeout: rest, rest, kept, close_after: kept };
            assert!(terms.beat() < terms.good_for(), "{terms:?}");
            assert!(terms.good_for() < terms.unseen() + rest, "{terms:?}");
        }
    }
}
