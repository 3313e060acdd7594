//! What is known of one question: the addresses of one family of one name.

use std::net::IpAddr;
use std::time::Duration;

use crate::dns::lookup::Answer;
use crate::dns::settings::DnsSettings;
use crate::retry;

/// The longest time between two attempts to get an answer at all.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// The longest time until it is asked again for what is not there.
const LONGEST_NOTHING: Duration = Duration::from_secs(60);
/// How many answers in a row have to say that there is nothing any more.
const CONFIRMATIONS: u32 = 2;
/// By which part of its time an answer is asked for anew before it ends.
const MARGIN: u32 = 10;

/// What is known of one question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    addresses: Vec<IpAddr>,
    /// An address that the name has and that is not permitted.
    refused: Option<IpAddr>,
    /// Why the last question had no answer.
    trouble: Option<String>,
    failures: u32,
    denials: u32,
    is_answered: bool,
}

impl Record {
    /// The addresses that are known.
    #[must_use]
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// An address that the name has and that is not permitted.
    #[must_use]
    pub const fn refused(&self) -> Option<IpAddr> {
        self.refused
    }

    /// Why the last question had no answer, where it had none.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Whether there ever was an answer.
    #[must_use]
    pub const fn is_answered(&self) -> bool {
        self.is_answered
    }

    /// Takes an answer. After which time it is to be asked again.
    pub fn take(&mut self, answer: Answer, settings: &DnsSettings) -> Duration {
        match answer {
            Answer::Addresses(addresses, ttl) => {
                let (permitted, refused): (Vec<_>, Vec<_>) =
                    addresses.into_iter().partition(|address| settings.permits(*address));
                *self = Self {
                    addresses: permitted,
                    refused: refused.first().copied(),
                    is_answered: true,
                    ..Self::default()
                };
                let holds = ttl.clamp(settings.min_ttl, settings.max_ttl);
                // Before it ends, and names that were learned together not together ever after.
                holds.saturating_sub(retry::fraction(holds / MARGIN))
            }
            Answer::Nothing(ttl) => {
                (self.trouble, self.failures, self.is_answered) = (None, 0, true);
                self.denials = self.denials.saturating_add(1);
                if self.denials < CONFIRMATIONS && !self.addresses.is_empty() {
                    return settings.min_ttl;
                }
                (self.addresses, self.refused) = (Vec::new(), None);
                ttl.unwrap_or(settings.min_ttl)
                    .clamp(settings.min_ttl, settings.max_ttl.min(LONGEST_NOTHING.max(settings.min_ttl)))
            }
            Answer::Failed(reason) => {
                self.trouble = Some(reason);
                self.failures = self.failures.saturating_add(1);
                retry::wait(self.failures.saturating_add(3)).clamp(Duration::from_millis(500), LONGEST_PAUSE)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::dns::DnsConfig;

    const SECOND: Duration = Duration::from_secs(1);

    fn settings() -> DnsSettings {
        let config = DnsConfig { min_ttl_secs: 5, max_ttl_secs: 100, ..DnsConfig::default() };
        DnsSettings::resolve(&config).expect("settings")
    }

    fn addresses(text: &[&str], ttl: Duration) -> Answer {
        Answer::Addresses(text.iter().map(|one| one.parse().expect(one)).collect(), ttl)
    }

    fn known() -> Record {
        let mut record = Record::default();
        record.take(addresses(&["192.0.2.1"], 30 * SECOND), &settings());
        record
    }

    #[test]
    fn an_answer_is_asked_for_anew_shortly_before_it_ends() {
        let mut record = Record::default();
        for (ttl, least, most) in [(0, 4, 5), (4, 4, 5), (30, 27, 30), (100, 90, 100), (604_800, 90, 100)] {
            for _ in 0..20 {
                let again = record.take(addresses(&["192.0.2.1"], ttl * SECOND), &settings());
                assert!(again >= least * SECOND && again < most * SECOND, "{ttl}: {again:?}");
            }
        }
    }

    #[test]
    fn trouble_takes_no_address_away_and_is_tried_again_ever_less_often() {
        let mut record = known();
        for _ in 0..50 {
            let again = record.take(Answer::Failed("the server says: Server Failure".into()), &settings());
            assert!(again >= SECOND / 2 && again <= LONGEST_PAUSE, "{again:?}");
        }
        assert_eq!((record.addresses().len(), record.trouble().is_some()), (1, true));
        record.take(addresses(&["192.0.2.2"], SECOND), &settings());
        assert_eq!(record.addresses(), [IpAddr::from([192, 0, 2, 2])]);
        assert_eq!(record.trouble(), None);
    }

    #[test]
    fn that_a_name_is_gone_counts_when_it_was_said_twice() {
        let mut record = known();
        assert_eq!(record.take(Answer::Nothing(Some(3_600 * SECOND)), &settings()), 5 * SECOND);
        assert_eq!(record.addresses().len(), 1);
        // What comes between starts the count anew; what could not be said does not.
        record.take(addresses(&["192.0.2.3"], SECOND), &settings());
        record.take(Answer::Nothing(None), &settings());
        record.take(Answer::Failed("away".into()), &settings());
        assert_eq!(record.addresses().len(), 1);
        assert_eq!(record.take(Answer::Nothing(Some(3_600 * SECOND)), &settings()), 60 * SECOND);
        assert_eq!(record.addresses(), [] as [IpAddr; 0]);
    }

    #[test]
    fn addresses_that_are_not_permitted_are_left_out() {
        let mut record = known();
        record.take(addresses(&["127.0.0.1", "192.0.2.9"], SECOND), &settings());
        assert_eq!(record.addresses(), [IpAddr::from([192, 0, 2, 9])]);
        assert_eq!(record.refused(), Some([127, 0, 0, 1].into()));
        record.take(addresses(&["169.254.169.254"], SECOND), &settings());
        assert_eq!((record.addresses().len(), record.is_answered()), (0, true));
    }
}
