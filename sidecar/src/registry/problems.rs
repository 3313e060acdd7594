//! What is wrong with services, as it is kept and shown.
//!
//! Users write much of it: names, aliases, what could not be read. So there are no control characters in
//! it, and no workload's problems hide those of others.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use crate::discovery::inventory::{Problem, ServiceKey};

/// The most problems of one provider that are kept.
pub const MAX_PROBLEMS: usize = 1_000;
/// The most of one workload.
const MAX_OF_ONE: usize = 50;
/// The most characters of a subject.
const MAX_SUBJECT: usize = 300;
/// The most characters of a reason.
const MAX_REASON: usize = 1_000;
/// The most characters of a name in a subject.
const MAX_SHOWN_NAME: usize = 80;

/// What is wrong with the names of services, by service.
#[derive(Debug, Default)]
pub struct Reasons(HashMap<Arc<ServiceKey>, Vec<String>>);

impl Reasons {
    /// Something is wrong with a service.
    pub fn add(&mut self, key: &Arc<ServiceKey>, reason: impl Into<String>) {
        self.0.entry(Arc::clone(key)).or_default().push(reason.into());
    }

    /// What is wrong with a service; afterwards it is not here.
    pub fn take(&mut self, key: &ServiceKey) -> Vec<String> {
        if self.0.is_empty() { Vec::new() } else { self.0.remove(key).unwrap_or_default() }
    }
}

/// A service's names, for a message.
#[must_use]
pub fn subject(key: &ServiceKey) -> String {
    let [service, task, operation] = [&key.service, &key.task, &key.operation].map(|name| shown(name, MAX_SHOWN_NAME));
    format!("service {service} of task {task} of operation {operation}")
}

/// What is kept of problems, each with whose it is: where there are too many, the first ones of everybody
/// come before the second ones of anybody.
#[must_use]
pub fn fair<Whose: Eq + Hash>(problems: impl IntoIterator<Item = (Whose, Problem)>) -> Vec<Problem> {
    let mut counts: HashMap<Whose, usize> = HashMap::new();
    let mut ranked: Vec<(usize, Problem)> = Vec::new();
    for (whose, Problem { subject, reason }) in problems {
        let count = counts.entry(whose).or_default();
        *count += 1;
        let reason = match *count {
            count if count < MAX_OF_ONE => shown(&reason, MAX_REASON),
            MAX_OF_ONE => "more is wrong here than is kept".to_owned(),
            _ => continue,
        };
        ranked.push((*count, Problem { subject: shown(&subject, MAX_SUBJECT), reason }));
    }
    // Half of them: the two kinds of a provider's problems share the room.
    if ranked.len() > MAX_PROBLEMS / 2 {
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked.truncate(MAX_PROBLEMS);
    }
    ranked.into_iter().map(|(_, problem)| problem).collect()
}

fn shown(text: &str, most: usize) -> String {
    text.chars().filter(|character| !character.is_control()).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(whose: &str, number: usize) -> (String, Problem) {
        (whose.to_owned(), Problem { subject: whose.to_owned(), reason: number.to_string() })
    }

    #[test]
    fn few_stay_as_they_are() {
        let few: Vec<_> = (0..40).flat_map(|number| [problem("a", number), problem("b", number)]).collect();
        let kept = fair(few.clone());
        assert_eq!(kept, few.into_iter().map(|(_, problem)| problem).collect::<Vec<_>>());
    }

    #[test]
    fn nobody_hides_the_problems_of_others() {
        let of_one = (0..5_000).map(|number| problem("one", number));
        let of_many = (0..30).flat_map(|whose| (0..100).map(move |number| problem(&format!("many-{whose}"), number)));
        let kept = fair(of_one.chain(of_many).chain([problem("last", 0)]));
        let count = |whose: &str| kept.iter().filter(|problem| problem.subject == whose).count();
        assert_eq!(kept.len(), MAX_PROBLEMS);
        assert_eq!((count("last"), kept.iter().position(|problem| problem.subject == "last")), (1, Some(31)));
        assert!(count("one") < 40 && count("many-29") > 30, "{}, {}", count("one"), count("many-29"));
        let alone = fair((0..5_000).map(|number| problem("one", number)));
        assert_eq!((alone.len(), alone[MAX_OF_ONE - 1].reason.contains("more")), (MAX_OF_ONE, true));
    }

    #[test]
    fn texts_have_an_end_and_no_control_characters() {
        let key = ServiceKey { operation: "o".into(), task: "a\u{1b}[2J\n".into(), service: "s".repeat(9_999) };
        assert_eq!(subject(&key), format!("service {} of task a[2J of operation o", "s".repeat(MAX_SHOWN_NAME)));
        let long = Problem { subject: "\u{9b}x".repeat(9_999), reason: "\r\n\u{7}y".repeat(9_999) };
        let kept = fair([((), long)]);
        assert_eq!(
            (kept[0].subject.clone(), kept[0].reason.clone()),
            ("x".repeat(MAX_SUBJECT), "y".repeat(MAX_REASON))
        );
    }
}
