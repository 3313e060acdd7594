//! How a service that does an operation is reached.

use std::time::Duration;

use reqwest::header::HeaderValue;
use url::Url;

use crate::config::resolve::{Files, InvalidSetting, within};
use crate::config::task_operations::HttpOperationConfig;
use crate::http;
use crate::secret::SecretText;

/// How a service that does an operation is reached.
#[derive(Clone, Debug)]
pub struct HttpOperationSettings {
    /// Where tasks are posted.
    pub url: Url,
    /// What is shown to it.
    pub secret: Option<SecretText>,
    /// How long one exchange may take.
    pub timeout: Duration,
    /// Whether it is sent the owner's credential.
    pub forward_credential: bool,
}

impl HttpOperationSettings {
    /// Checks the configuration of a service.
    ///
    /// # Errors
    /// [`InvalidSetting`].
    pub fn resolve(key: &str, config: &HttpOperationConfig, files: &mut Files<'_>) -> Result<Self, InvalidSetting> {
        let url = http::parse_url(&config.url)
            .map_err(|error| InvalidSetting::new(format!("{key}.url"), error.to_string()))?;
        let secret = files.secret(&format!("{key}.secret"), config.secret.clone(), config.secret_file.as_deref())?;
        if secret.as_ref().is_some_and(|secret| HeaderValue::from_str(secret.expose()).is_err()) {
            return Err(InvalidSetting::new(format!("{key}.secret"), "has characters that no header may have"));
        }
        let timeout = within(&format!("{key}.timeout_secs"), config.timeout_secs, 1, 600)?;
        Ok(Self { url, secret, timeout, forward_credential: config.forward_credential })
    }
}
