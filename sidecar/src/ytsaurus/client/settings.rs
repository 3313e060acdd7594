//! How a cluster is reached, and as whom.

use url::Url;

use crate::config::resolve::{Files, InvalidSetting};
use crate::config::ytsaurus::YtsaurusProviderConfig;
use crate::digest::Digest;
use crate::http;
use crate::http::reach::Reach;
use crate::secret::SecretText;

/// How a cluster is reached, and as whom.
#[derive(Clone, Debug)]
pub struct ClusterSettings {
    /// Its HTTP proxy, without a path.
    pub proxy: Url,
    /// The robot's token; none on a cluster that asks for none.
    pub token: Option<SecretText>,
    /// Whom to trust there, and how long to wait.
    pub reach: Reach,
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
        let reach = Reach::resolve(key, config.authorities_file.as_deref(), config.timeout_ms, files)?;
        let secret = token.as_ref().map_or("", SecretText::expose);
        let fingerprint =
            Digest::of_parts(&[proxy.as_str().as_bytes(), secret.as_bytes(), reach.fingerprint.as_bytes()]);
        Ok(Self { proxy, token, reach, fingerprint })
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
