//! Where something of the sidecar's own is behind the gate, from as written to what is published.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use http::HeaderValue;
use taskgate_core::config::GateConfig;
use taskgate_core::label::Label;
use taskgate_core::naming::is_like_an_id;
use url::Url;

use crate::config::resolve::InvalidSetting;
use crate::data::settings::resolve::parsed;
use crate::discovery::inventory::ServiceKey;
use crate::discovery::own::OwnService;
use crate::lifecycle::address::Listen;

/// The name of something of the sidecar's own behind the gate, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSettings {
    label: Label,
    address: Option<SocketAddr>,
}

impl ServiceSettings {
    /// Checks what the section `key` says; none where it is not behind the gate.
    ///
    /// # Errors
    /// [`InvalidSetting`].
    pub fn resolve(
        key: &str,
        label: &str,
        address: Option<SocketAddr>,
        gate: &GateConfig,
        public: &Listen,
    ) -> Result<Option<Self>, InvalidSetting> {
        if label.is_empty() {
            return Ok(None);
        }
        let label_key = format!("{key}.label");
        let label = parsed(&label_key, Label::parse(label.as_bytes()))?;
        if is_like_an_id(&label) {
            return Err(InvalidSetting::new(label_key, "could be the id of a service; choose another name"));
        }
        if gate.gateway_labels.iter().any(|other| other.eq_ignore_ascii_case(label.as_str())) {
            return Err(InvalidSetting::new(label_key, "is one of `gate.gateway_labels`"));
        }
        if let (None, Listen::Unix { .. }) = (address, public) {
            return Err(InvalidSetting::new(
                format!("{key}.address"),
                format!(
                    "proxies reach no `unix:` listener through the gate; have `public.listen` be an address, or say \
                     here where they reach it, or leave `{label_key}` empty"
                ),
            ));
        }
        Ok(Some(Self { label, address }))
    }

    /// Its label.
    #[must_use]
    pub const fn label(&self) -> &Label {
        &self.label
    }

    /// What is published, with where the public listener listens.
    #[must_use]
    pub fn own(&self, key: ServiceKey, public: &Listen) -> Option<OwnService> {
        let address = match (self.address, public) {
            (Some(address), _) => address,
            (None, Listen::Tcp(address)) => reachable(*address),
            (None, Listen::Unix { .. }) => return None,
        };
        Some(OwnService { key, label: self.label.clone(), address })
    }
}

/// An address at which this machine reaches a listener.
fn reachable(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listener.port())
}

/// The origins of pages (RFC 6454, section 7) that may ask from a browser.
///
/// # Errors
/// [`InvalidSetting`].
pub(super) fn origins(texts: &[String]) -> Result<Vec<HeaderValue>, InvalidSetting> {
    let read = |(index, text): (usize, &String)| {
        let key = format!("data.service.origins[{index}]");
        let is_origin = Url::parse(text).is_ok_and(|url| url.origin().ascii_serialization() == *text);
        match HeaderValue::from_str(text) {
            Ok(value) if is_origin => Ok(value),
            _ => Err(InvalidSetting::new(key, "is no origin, as in `https://console.example.test`")),
        }
    };
    texts.iter().enumerate().map(read).collect()
}

#[cfg(test)]
mod tests {
    use crate::discovery::own::data_key;

    use super::*;

    fn resolve(label: &str, address: Option<&str>, public: &str) -> Result<Option<OwnService>, String> {
        let address = address.map(|text| text.parse().expect("an address"));
        let public = Listen::parse(public, "0600").expect("a listener");
        let gate = GateConfig::for_domain("tasks.example.test");
        let resolved = ServiceSettings::resolve("data.service", label, address, &gate, &public);
        resolved.map(|found| found.and_then(|found| found.own(data_key(), &public))).map_err(|error| error.to_string())
    }

    fn found(label: &str, address: Option<&str>, public: &str) -> Option<(String, String)> {
        let own = resolve(label, address, public).expect("valid")?;
        Some((own.label.to_string(), own.address.to_string()))
    }

    #[test]
    fn it_is_where_proxies_reach_the_public_listener() {
        let at = |address: &str| Some(("data".to_owned(), address.to_owned()));
        assert_eq!(found("data", None, "127.0.0.1:7012"), at("127.0.0.1:7012"));
        assert_eq!(found("data", None, "0.0.0.0:7012"), at("127.0.0.1:7012"));
        assert_eq!(found("data", None, "[::]:7012"), at("[::1]:7012"));
        assert_eq!(found("data", Some("10.0.0.5:7012"), "0.0.0.0:7012"), at("10.0.0.5:7012"));
        assert_eq!(found("data", Some("10.0.0.5:7012"), "unix:/run/t"), at("10.0.0.5:7012"));
        assert_eq!(found("", None, "unix:/run/t"), None);
    }

    #[test]
    fn origins_are_written_as_browsers_send_them() {
        let read = |text: &str| origins(&[text.to_owned()]).map(|found| found.len());
        assert_eq!(read("https://console.example.test"), Ok(1));
        assert_eq!(read("http://localhost:3000"), Ok(1));
        for text in
            ["*", "null", "console.example.test", "https://a.b/", "https://a.b:443", "HTTPS://a.b", "https://a b"]
        {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn refuses_names_that_lead_elsewhere() {
        for (label, public, because) in [
            ("a.b", "127.0.0.1:1", "data.service.label"),
            ("deadbeef", "127.0.0.1:1", "id of a service"),
            ("taskgate", "127.0.0.1:1", "gateway_labels"),
            ("data", "unix:/run/t", "data.service.address"),
        ] {
            let error = resolve(label, None, public).expect_err(label);
            assert!(error.contains(because), "{error}");
        }
    }
}
