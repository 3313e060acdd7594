//! The answer of a job on its way back.

use crate::set_cookie;
use crate::standing::Standing;

use super::Gate;

/// What changes in an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerEdits {
    /// The `Set-Cookie` lines of the job that stay, in their order; none: all of them.
    pub kept: Option<Vec<Vec<u8>>>,
    /// How many do not.
    pub dropped: u32,
    /// `Set-Cookie` lines of ours.
    pub added: Vec<String>,
}

impl Gate {
    /// The answer to a permitted request arrived, with these `Set-Cookie` lines.
    pub fn on_answer(&self, standing: &mut Standing, set_cookies: &[&[u8]]) -> AnswerEdits {
        let added = standing.take_cookies();
        // What the sidecar serves itself sets cookies of ours.
        if standing.epoch().is_none() {
            return AnswerEdits { added, ..AnswerEdits::default() };
        }
        AnswerEdits { added, ..self.on_cookies(standing.service(), set_cookies) }
    }

    /// The same of a service's answer whose request is not known any more: which of its cookies stay.
    #[must_use]
    pub fn on_cookies(&self, service: &str, set_cookies: &[&[u8]]) -> AnswerEdits {
        let Some(rules) = &self.rules else { return AnswerEdits::default() };
        let is_own = |domain: &[u8]| {
            let label = rules.domains.label(domain);
            let named = label.and_then(|label| self.table.service(label.as_str()));
            named.is_some_and(|named| named.id == service)
        };
        // On a host that services share, each has the cookies below its own path.
        let path = self.table.service(service).and_then(|row| row.path);
        let may_pass = |line: &&&[u8]| {
            set_cookie::may_pass(line, is_own, |name| rules.is_our_cookie(name, path.is_some()))
                && path.is_none_or(|path| set_cookie::is_below(line, path))
        };
        let kept: Vec<Vec<u8>> = set_cookies.iter().filter(may_pass).map(|line| line.to_vec()).collect();
        let dropped = set_cookies.len().saturating_sub(kept.len());
        let kept = (dropped > 0).then_some(kept);
        AnswerEdits { kept, dropped: u32::try_from(dropped).unwrap_or(u32::MAX), added: Vec::new() }
    }
}
