//! The settings of a Determined provider.

use std::time::Duration;

use reqwest::Url;

use crate::arvados::network::Network;
use crate::config::determined::{DeterminedPeople, DeterminedProviderConfig};
use crate::config::resolve::{Files, InvalidSetting, within};
use crate::digest::Digest;
use crate::http;
use crate::http::reach::Reach;
use crate::secret::SecretText;

/// The most networks that can be listed.
const MAX_NETWORKS: usize = 256;

/// How a master is reached, and as whom.
#[derive(Clone, Debug)]
pub struct MasterSettings {
    /// Its address, without a path.
    pub url: Url,
    /// As whom tasks are looked at.
    pub login: Login,
    /// Whom to trust there, and how long to wait.
    pub reach: Reach,
    /// Differs between any two masters, logins or authorities.
    pub fingerprint: Digest,
}

/// As whom tasks are looked at.
#[derive(Clone, Debug)]
pub enum Login {
    /// With a session, which is begun with name and password.
    Password(String, SecretText),
    /// With a token.
    Token(SecretText),
}

/// The settings of a Determined provider.
#[derive(Clone, Debug)]
pub struct DeterminedSettings {
    /// The provider's name.
    pub name: String,
    /// The master.
    pub master: MasterSettings,
    /// How often tasks are looked at.
    pub period: Duration,
    /// Where proxies reach the master, `host:port`; none: nowhere.
    pub proxy: Option<String>,
    /// The networks in which TCP services are reached without it.
    pub addresses: Vec<Network>,
    /// Whether what Determined lets everybody reach is open to everybody.
    pub unauthenticated: bool,
    /// By what people are found who came another way.
    pub people: DeterminedPeople,
    /// Differs between any two settings.
    pub fingerprint: Digest,
}

impl MasterSettings {
    fn resolve(key: &str, config: &DeterminedProviderConfig, files: &mut Files<'_>) -> Result<Self, InvalidSetting> {
        let url = master(&config.master).map_err(|reason| InvalidSetting::new(format!("{key}.master"), reason))?;
        let password_key = format!("{key}.password");
        let password = files.secret(&password_key, config.password.clone(), config.password_file.as_deref())?;
        let token_key = format!("{key}.token");
        let token = files.secret(&token_key, config.token.clone(), config.token_file.as_deref())?;
        let login = match (token, config.username.clone(), password) {
            (Some(token), None, None) if is_plain(token.expose()) => Login::Token(token),
            (Some(_), None, None) => {
                return Err(InvalidSetting::new(token_key, "has characters that no token has"));
            }
            (None, Some(username), Some(password)) => Login::Password(username, password),
            _ => {
                let reason = "set `username` and `password_file`, or `token_file` alone: tasks are listed with it";
                return Err(InvalidSetting::new(format!("{key}.username"), reason));
            }
        };
        let reach = Reach::resolve(key, config.authorities_file.as_deref(), config.timeout_ms, files)?;
        let (name, secret) = match &login {
            Login::Password(name, password) => (name.as_str(), password),
            Login::Token(token) => ("", token),
        };
        let parts =
            [url.as_str().as_bytes(), name.as_bytes(), secret.expose().as_bytes(), reach.fingerprint.as_bytes()];
        let fingerprint = Digest::of_parts(&parts);
        Ok(Self { url, login, reach, fingerprint })
    }
}

impl DeterminedSettings {
    /// Checks the configuration of a provider and reads what it points to.
    ///
    /// # Errors
    /// [`InvalidSetting`].
    pub fn resolve(key: &str, config: DeterminedProviderConfig, files: &mut Files<'_>) -> Result<Self, InvalidSetting> {
        let master = MasterSettings::resolve(key, &config, files)?;
        let period = within(&format!("{key}.poll_secs"), config.poll_secs, 1, 86_400)?;
        if config.addresses.len() > MAX_NETWORKS {
            let reason = format!("more than {MAX_NETWORKS} networks");
            return Err(InvalidSetting::new(format!("{key}.addresses"), reason));
        }
        let network = |(index, text): (usize, &String)| {
            Network::parse(text)
                .map_err(|error| InvalidSetting::new(format!("{key}.addresses[{index}]"), error.to_string()))
        };
        let addresses = config.addresses.iter().enumerate().map(network).collect::<Result<Vec<_>, _>>()?;
        let proxy = match &config.proxy {
            Some(proxy) if is_place(proxy) => Some(proxy.clone()),
            Some(_) => {
                let reason = "is no `host:port`, as in `master.internal:8080`";
                return Err(InvalidSetting::new(format!("{key}.proxy"), reason));
            }
            None => plain_place(&master.url),
        };
        let text = format!("{config:?}");
        let fingerprint = Digest::of_parts(&[text.as_bytes(), master.fingerprint.as_bytes()]);
        Ok(Self {
            name: config.name,
            master,
            period,
            proxy,
            addresses,
            unauthenticated: config.unauthenticated,
            people: config.people,
            fingerprint,
        })
    }
}

/// The master's address: a path would be forgotten.
fn master(text: &str) -> Result<Url, String> {
    let url = http::parse_url(text.trim()).map_err(|error| error.to_string())?;
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("has a path; write the master's address alone, as in `https://determined.example.test`".into());
    }
    Ok(url)
}

/// Where a master is that is reached without TLS.
fn plain_place(url: &Url) -> Option<String> {
    let host = url.host_str().filter(|_| url.scheme() == "http")?;
    Some(format!("{host}:{}", url.port_or_known_default()?))
}

fn is_place(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// Whether text can stand in a header.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masters_have_no_path_and_proxies_no_tls() {
        let place = |text: &str| master(text).ok().and_then(|url| plain_place(&url));
        assert_eq!(place("http://10.0.0.5:8080").as_deref(), Some("10.0.0.5:8080"));
        assert_eq!(place("http://[fd00::5]/").as_deref(), Some("[fd00::5]:80"));
        assert!(
            master("https://determined.example.test").is_ok() && place("https://determined.example.test").is_none()
        );
        for text in ["http://a/det", "http://a/?b", "determined.example.test", "http://a:b@c"] {
            assert!(master(text).is_err(), "{text}");
        }
        assert!(is_place("a:1") && is_place("[::1]:1") && !is_place("a") && !is_place(":1") && !is_place("a:0"));
    }
}
