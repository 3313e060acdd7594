//! How a platform's own API is reached: whom to trust there, and how long to wait.

use std::path::Path;
use std::time::Duration;

use reqwest::{Certificate, ClientBuilder};

use crate::config::resolve::{Files, InvalidSetting};
use crate::digest::Digest;
use crate::http;

/// The largest file of certificates.
const MAX_CERTIFICATES: u64 = 4 << 20;
/// The least and the most milliseconds that one request may take.
const TIMEOUT_MS: (u64, u64) = (100, 120_000);
/// How long an idle connection is kept: less than load balancers keep them.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// How a platform's own API is reached.
#[derive(Clone, Debug)]
pub struct Reach {
    /// Authorities that are trusted beside the machine's.
    pub authorities: Vec<Certificate>,
    /// How long one request may take.
    pub timeout: Duration,
    /// Differs between any two lists of authorities.
    pub fingerprint: Digest,
}

impl Reach {
    /// Checks `authorities_file` and `timeout_ms` of the section with that key, and reads the file.
    ///
    /// # Errors
    /// [`InvalidSetting`].
    pub fn resolve(
        key: &str,
        authorities_file: Option<&Path>,
        timeout_ms: u64,
        files: &mut Files<'_>,
    ) -> Result<Self, InvalidSetting> {
        let authorities_key = format!("{key}.authorities_file");
        let pem = match authorities_file {
            Some(path) => files.text(&authorities_key, path, MAX_CERTIFICATES)?,
            None => String::new(),
        };
        let authorities = Certificate::from_pem_bundle(pem.as_bytes())
            .map_err(|error| InvalidSetting::new(&authorities_key, format!("is no list of certificates: {error}")))?;
        if authorities_file.is_some() && authorities.is_empty() {
            return Err(InvalidSetting::new(authorities_key, "has no certificate"));
        }
        let (least, most) = TIMEOUT_MS;
        if !(least..=most).contains(&timeout_ms) {
            return Err(InvalidSetting::new(format!("{key}.timeout_ms"), format!("is not between {least} and {most}")));
        }
        let fingerprint = Digest::of(pem.as_bytes());
        Ok(Self { authorities, timeout: Duration::from_millis(timeout_ms), fingerprint })
    }

    /// What makes a client for it, which follows no redirect. How long an exchange may take is whoever asks to say.
    pub fn client(&self) -> ClientBuilder {
        let builder = http::plain(self.timeout).pool_idle_timeout(IDLE_TIMEOUT);
        self.authorities.iter().cloned().fold(builder, ClientBuilder::add_root_certificate)
    }
}
