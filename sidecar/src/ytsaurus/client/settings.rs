//! How a cluster is reached, and as whom.

use std::time::Duration;

use reqwest::Certificate;
use url::Url;

use crate::config::resolve::{Files, InvalidSetting};
use crate::config::ytsaurus::YtsaurusProviderConfig;
use crate::digest::Digest;
use crate::http;
use crate::secret::SecretText;

/// The largest file of certificates.
const MAX_CERTIFICATES: u64 = 4 << 20;

/// How a cluster is reached, and as whom.
#[derive(Clone, Debug)]
pub struct ClusterSettings {
    /// Its HTTP proxy, without a path.
    pub proxy: Url,
    /// The robot's token; none on a cluster that asks for none.
    pub token: Option<SecretText>,
    /// Authorities that are trusted beside the machine's.
    pub authorities: Vec<Certificate>,
    /// How long one request may take.
    pub timeout: Duration,
    /// Differs between any two clusters, tokens or authorities.
    pub fingerprint: Digest,
}

impl ClusterSettings {
    /// Checks the configuration of a cluster and reads what it points to.
    ///
    /// # Errors
    /// [`InvalidSetting`].
    pub fn resolve(key: &str, config: &YtsaurusProviderConfig, files: &mut Files<'_>) -> Result<Self, InvalidSetting> {
        let proxy = proxy(&config.proxy).map_err(|reason| InvalidSetting::new(format!("{key}.proxy"), reason))?;
        let token = files.secret(&format!("{key}.token"), config.token.clone(), config.token_file.as_deref())?;
        if token.as_ref().is_some_and(|token| !token.expose().bytes().all(|byte| byte.is_ascii_graphic())) {
            let reason = "has characters that no token has: spaces, line breaks or other than ASCII";
            return Err(InvalidSetting::new(format!("{key}.token"), reason));
        }
        let authorities_key = format!("{key}.authorities_file");
        let pem = match &config.authorities_file {
            Some(path) => files.text(&authorities_key, path, MAX_CERTIFICATES)?,
            None => String::new(),
        };
        let authorities = Certificate::from_pem_bundle(pem.as_bytes())
            .map_err(|error| InvalidSetting::new(&authorities_key, format!("is no list of certificates: {error}")))?;
        if config.authorities_file.is_some() && authorities.is_empty() {
            return Err(InvalidSetting::new(authorities_key, "has no certificate"));
        }
        if !(100..=120_000).contains(&config.timeout_ms) {
            return Err(InvalidSetting::new(format!("{key}.timeout_ms"), "is not between 100 and 120000"));
        }
        let secret = token.as_ref().map_or("", SecretText::expose);
        let fingerprint = Digest::of_parts(&[proxy.as_str().as_bytes(), secret.as_bytes(), pem.as_bytes()]);
        Ok(Self { proxy, token, authorities, timeout: Duration::from_millis(config.timeout_ms), fingerprint })
    }
}

/// The proxy's address. YTsaurus's own tools take a bare host, so this does too.
fn proxy(text: &str) -> Result<Url, String> {
    let text = text.trim();
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = http::parse_url(&whole).map_err(|error| error.to_string())?;
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("has a path; write the proxy's address alone, as in `https://yt.example.test`".into());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_an_address_or_a_bare_host() {
        let text = |text| proxy(text).map(|url| url.to_string());
        assert_eq!(text("yt.example.test"), Ok("http://yt.example.test/".into()));
        assert_eq!(
            text("http-proxies.default.svc.cluster.local:80"),
            Ok("http://http-proxies.default.svc.cluster.local/".into())
        );
        assert_eq!(text("https://yt.example.test:8443/"), Ok("https://yt.example.test:8443/".into()));
        for wrong in ["", "https://yt.example.test/api/v4", "ftp://a", "https://user@yt.example.test", "http://a/?x"] {
            assert!(text(wrong).is_err(), "{wrong}");
        }
    }
}
