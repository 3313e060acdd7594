//! The cluster of Kubernetes that the sidecar is told of, and what may be repeated of its words.
//!
//! Never: that credentials are shown which a program for them printed, or that a text of the cluster's, which whoever
//! writes objects chose, goes on at any length or in several lines.

use std::error::Error;

use kube::client::AuthError;
use kube::{Client, Config};

/// The most characters of a text of the cluster that go on.
const MAX_TEXT: usize = 300;

/// A client of that cluster; none: of the one that the sidecar runs in, or that `KUBECONFIG` names. It repeats nothing by
/// itself: what may be repeated, and for how long, is said at each call.
///
/// # Errors
/// Why there is none, for the log.
pub async fn connect(said: Option<&Config>) -> Result<Client, String> {
    let mut config = match said {
        Some(config) => config.clone(),
        None => Config::infer().await.map_err(|error| cause(&error))?,
    };
    config.default_retry = false;
    Client::try_from(config).map_err(|error| cause(&error))
}

/// A text of the cluster as one line of bounded length.
#[must_use]
pub fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(MAX_TEXT).collect()
}

/// What is at the bottom of an error. What a program for credentials printed is not told: it may be one.
#[must_use]
pub fn cause(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    loop {
        let is_credential = matches!(cause.downcast_ref(), Some(kube::Error::Auth(_))) || cause.is::<AuthError>();
        if is_credential {
            return "no credential can be had the way that the service account or `KUBECONFIG` says".into();
        }
        match cause.source() {
            Some(deeper) => cause = deeper,
            None => return plain(&cause.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn words_of_the_cluster_are_one_short_line() {
        let long = format!("no such\nhost\u{1b}[31m {}", "x".repeat(1_000));
        let told = cause(&io::Error::other(long));
        assert!(told.starts_with("no such host [31m x") && told.chars().count() == MAX_TEXT, "{told}");
    }

    #[test]
    fn what_a_program_for_credentials_printed_is_not_told() {
        let error = AuthError::AuthExec("printed s3cret".into());
        for told in [cause(&kube::Error::Auth(error)), cause(&AuthError::AuthExec("printed s3cret".into()))] {
            assert!(!told.contains("s3cret"), "{told}");
        }
    }
}
