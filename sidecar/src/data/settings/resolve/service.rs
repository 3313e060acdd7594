//! Where something of the sidecar's own is behind the gate, from as written to what is published.

use http::HeaderValue;
use taskgate_core::config::GateConfig;
use taskgate_core::label::Label;
use taskgate_core::naming::is_like_an_id;
use url::Url;

use crate::config::resolve::InvalidSetting;
use crate::data::settings::resolve::parsed;
use crate::discovery::inventory::ServiceKey;
use crate::discovery::own::OwnService;
use crate::dns::name::Place;
use crate::lifecycle::address::Listen;
use crate::lifecycle::front::{self, Front};

/// The name of something of the sidecar's own behind the gate, and where it is.
///
/// Invariant: without a place, the public listener is where proxies reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSettings {
    label: Label,
    place: Option<Place>,
}

impl ServiceSettings {
    /// Checks what the section `key` says; none where it is not behind the gate.
    ///
    /// # Errors
    /// [`InvalidSetting`].
    pub fn resolve(
        key: &str,
        label: &str,
        address: Option<&str>,
        gate: &GateConfig,
        front: &Front,
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
        let address_key = || format!("{key}.address");
        let place = address.map(|text| {
            reachable(text).ok_or_else(|| {
                let reason = format!("`{text}` is nowhere to connect to; write `ip:port` or `name:port`");
                InvalidSetting::new(address_key(), reason)
            })
        });
        let place = place.transpose()?;
        match front.why_unknown().filter(|_| place.is_none()) {
            Some(reason) => Err(InvalidSetting::new(address_key(), reason)),
            None => Ok(Some(Self { label, place })),
        }
    }

    /// Its label.
    #[must_use]
    pub const fn label(&self) -> &Label {
        &self.label
    }

    /// What is published, with where the public listener listens.
    #[must_use]
    pub fn own(&self, key: ServiceKey, public: &Listen) -> Option<OwnService> {
        let place = match (&self.place, public) {
            (Some(place), _) => place.clone(),
            (None, Listen::Tcp(address)) => Place::Address(front::at(*address)),
            (None, Listen::Unix { .. }) => return None,
        };
        Some(OwnService { key, label: self.label.clone(), place })
    }
}

/// Where somebody can connect to: every address and port 0 are for listeners.
fn reachable(text: &str) -> Option<Place> {
    Place::parse(text).filter(|place| match place {
        Place::Address(address) => !address.ip().is_unspecified() && address.port() != 0,
        Place::Name(..) => true,
    })
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

    fn resolve(label: &str, address: Option<&str>, public: &str, internal: &str) -> Result<Option<OwnService>, String> {
        let listen = |text| Listen::parse(text, "0600").expect("a listener");
        let (public, gate) = (listen(public), GateConfig::for_domain("tasks.example.test"));
        let front = Front::new(public.clone(), &[("internal.listen", &listen(internal))]);
        let resolved = ServiceSettings::resolve("data.service", label, address, &gate, &front);
        resolved.map(|found| found.and_then(|found| found.own(data_key(), &public))).map_err(|error| error.to_string())
    }

    const HERE: &str = "127.0.0.1:7010";
    const OPEN: &str = "0.0.0.0:7010";

    fn found(address: Option<&str>, public: &str, internal: &str) -> String {
        let own = resolve("data", address, public, internal).expect("valid").expect("is behind the gate");
        assert_eq!(own.label.as_str(), "data");
        match own.place {
            Place::Address(address) => address.to_string(),
            Place::Name(name, port) => format!("{name} {port}"),
        }
    }

    #[test]
    fn it_is_where_proxies_reach_the_public_listener() {
        assert_eq!(found(None, "127.0.0.1:7012", HERE), "127.0.0.1:7012");
        assert_eq!(found(None, "0.0.0.0:7012", HERE), "127.0.0.1:7012");
        assert_eq!(found(None, "[::]:7012", HERE), "[::1]:7012");
        assert_eq!(found(None, "10.0.0.5:7012", OPEN), "10.0.0.5:7012");
        for internal in [HERE, OPEN] {
            assert_eq!(found(Some("10.0.0.5:7012"), "0.0.0.0:7012", internal), "10.0.0.5:7012");
            assert_eq!(found(Some("10.0.0.5:7012"), "unix:/run/t", internal), "10.0.0.5:7012");
            assert_eq!(found(Some("Taskgate.example.test:80"), "0.0.0.0:7012", internal), "taskgate.example.test 80");
            // Who writes it means it.
            assert_eq!(found(Some("127.0.0.1:7012"), "0.0.0.0:7012", internal), "127.0.0.1:7012");
        }
        assert_eq!(resolve("", None, "unix:/run/t", OPEN), Ok(None));
    }

    #[test]
    fn a_proxy_of_another_machine_is_never_sent_to_its_own() {
        for public in ["0.0.0.0:7012", "[::]:7012", "127.0.0.1:7012", "[::1]:7012"] {
            let error = resolve("data", None, public, OPEN).expect_err(public);
            assert!(error.contains("`data.service.address`") && error.contains("`internal.listen`"), "{error}");
        }
        for nowhere in ["0.0.0.0:7012", "[::]:7012", "10.0.0.5:0", "10.0.0.5", "taskgate", "a b:80", ""] {
            let error = resolve("data", Some(nowhere), "0.0.0.0:7012", OPEN).expect_err(nowhere);
            assert!(error.contains("`data.service.address`"), "{error}");
        }
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
            let error = resolve(label, None, public, HERE).expect_err(label);
            assert!(error.contains(because), "{error}");
        }
    }
}
