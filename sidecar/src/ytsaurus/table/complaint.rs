//! What was complained about last. Something that stays wrong is said once, not at every attempt.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What was complained about last.
#[derive(Debug, Default)]
pub(in crate::ytsaurus) struct Complaint(Mutex<Option<String>>);

impl Complaint {
    /// Whether this was not the last complaint; from now on it is.
    pub(in crate::ytsaurus) fn is_new(&self, text: &str) -> bool {
        let mut last = self.last();
        let new = last.as_deref() != Some(text);
        if new {
            *last = Some(text.to_owned());
        }
        new
    }

    /// There is nothing to complain about; whether there was.
    pub(in crate::ytsaurus) fn settle(&self) -> bool {
        self.last().take().is_some()
    }

    fn last(&self) -> MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_once() {
        let complaint = Complaint::default();
        assert!(!complaint.settle());
        assert!(complaint.is_new("a") && !complaint.is_new("a") && complaint.is_new("b"));
        assert!(complaint.settle() && !complaint.settle());
        assert!(complaint.is_new("b"));
    }
}
