//! Settings of share links and of what is ended before its time.

use std::path::Path;
use std::time::Duration;

use crate::config::access::AccessConfig;
use crate::config::resolve::{Files, InvalidSetting, within};
use crate::digest::Digest;
use crate::secret::SecretText;
use crate::tasks::settings::store_address;

/// The longest that a link may live where nothing is configured.
pub const MAX_SHARE_LIFETIME: Duration = Duration::from_secs(crate::config::defaults::SHARE_MAX_LIFETIME_SECS);

/// The longest that may be configured: a year. Every link that was taken back is an entry until its end.
const LONGEST_SECS: u64 = 31_536_000;
/// The file in the state directory.
const STORE_FILE: &str = "access.db";

/// Settings that hold.
#[derive(Clone, Debug)]
pub struct AccessSettings {
    /// Where links and revocations are kept: `sqlite:<path>` or `postgres://…`; none: in memory. It may have a password
    /// in it.
    pub store: Option<SecretText>,
    /// Whether that is the file in the state directory, and not what somebody wrote.
    pub is_implied: bool,
    /// The longest that a link may live.
    pub max_share_lifetime: Duration,
}

impl AccessSettings {
    /// Checks what the configuration says about links. Without a store they are kept in a file in the state directory,
    /// where there is one.
    ///
    /// # Errors
    /// [`InvalidSetting`].
    pub fn resolve(
        config: Option<&AccessConfig>,
        state_directory: Option<&Path>,
        files: &mut Files<'_>,
    ) -> Result<Self, InvalidSetting> {
        let default = AccessConfig::default();
        let config = config.unwrap_or(&default);
        let store = files.secret("access.store", config.store.clone(), config.store_file.as_deref())?;
        let is_implied = store.is_none() && state_directory.is_some();
        let store = match (store, state_directory) {
            (Some(store), _) => Some(store_address("access.store", store, files)?),
            (None, Some(directory)) => {
                Some(SecretText::from(format!("sqlite:{}", directory.join(STORE_FILE).display())))
            }
            (None, None) => None,
        };
        let longest = config.shares.max_lifetime_secs;
        let max_share_lifetime = within("access.shares.max_lifetime_secs", longest, 1, LONGEST_SECS)?;
        Ok(Self { store, is_implied, max_share_lifetime })
    }

    /// Differs where links would be kept elsewhere.
    #[must_use]
    pub fn store_digest(&self) -> Option<Digest> {
        self.store.as_ref().map(|store| Digest::of(store.expose().as_bytes()))
    }
}

impl Default for AccessSettings {
    fn default() -> Self {
        Self { store: None, is_implied: false, max_share_lifetime: MAX_SHARE_LIFETIME }
    }
}
