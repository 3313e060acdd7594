//! What one process tells the others when it has written: that there is work, and which tasks changed.

use std::collections::BTreeSet;

use crate::tasks::row::TaskId;
use crate::tasks::store::Changes;

/// The most ids of a message: PostgreSQL takes less than 8,000 bytes.
const MOST_IDS: usize = 200;
/// What stands for new work.
const WORK: &str = "work";

/// What changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Signal {
    pub(super) has_work: bool,
    pub(super) changed: BTreeSet<TaskId>,
}

impl Signal {
    /// Where the messages go.
    pub(super) const CHANNEL: &str = "taskgate_tasks";

    /// Messages that say it, in the name of a process.
    pub(super) fn messages(&self, name: &str) -> Vec<String> {
        let words: Vec<String> = self
            .has_work
            .then(|| WORK.to_owned())
            .into_iter()
            .chain(self.changed.iter().map(ToString::to_string))
            .collect();
        words.chunks(MOST_IDS).map(|words| format!("{name} {}", words.join(" "))).collect()
    }

    /// Reads a message; none where it is the process's own, or none of ours.
    pub(super) fn read(message: &str, own_name: &str) -> Option<Self> {
        let (name, words) = message.split_once(' ')?;
        let mut signal = Self::default();
        for word in words.split(' ') {
            if word == WORK {
                signal.has_work = true;
            } else {
                signal.changed.insert(TaskId::parse(word).ok()?);
            }
        }
        (name != own_name).then_some(signal)
    }

    /// Wakes those who wait for it.
    pub(super) fn tell(&self, changes: &Changes) {
        if self.has_work {
            changes.tell_work();
        }
        self.changed.iter().for_each(|id| changes.tell(*id));
    }
}

#[cfg(test)]
mod tests {
    use taskgate_core::time::UnixTime;

    use super::*;

    #[test]
    fn messages_read_back_and_fit() {
        let changed = (0..=255).map(|random| TaskId::new(UnixTime::from_millis(9), [random; 10])).collect();
        let signal = Signal { has_work: true, changed };
        let messages = signal.messages("a");
        assert!(messages.len() == 2 && messages.iter().all(|message| message.len() < 8000));
        let mut read = Signal::default();
        for part in messages.iter().filter_map(|message| Signal::read(message, "b")) {
            read.has_work |= part.has_work;
            read.changed.extend(part.changed);
        }
        assert_eq!(read, signal);
        assert_eq!(Signal::read(messages.first().expect("a message"), "a"), None, "one's own");
        assert_eq!(Signal::read("b DROP TABLE", "a"), None);
        assert!(Signal::default().messages("a").is_empty());
    }
}
