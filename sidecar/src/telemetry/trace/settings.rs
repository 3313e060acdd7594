//! Where traces go, checked.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use url::Url;

use crate::config::resolve::{Files, InvalidSetting, MAX_SECRET_BYTES, within};
use crate::config::telemetry::{OtlpConfig, TelemetryConfig};
use crate::http::parse_url;
use crate::secret::SecretText;

/// The path of traces in OTLP.
const PATH: &str = "/v1/traces";
/// The most headers.
const MAX_HEADERS: usize = 32;

/// A collector of traces.
#[derive(Clone, Debug)]
pub struct OtlpSettings {
    /// Where it takes traces.
    pub endpoint: Url,
    /// What each request to it carries.
    pub headers: Vec<(HeaderName, SecretText)>,
    /// Which part of the requests is traced.
    pub sample_ratio: f64,
    /// Whether callers decide about what comes with a trace.
    pub trust_incoming: bool,
    /// What this sidecar is called.
    pub service_name: String,
    /// How long sending a batch may take.
    pub timeout: Duration,
}

impl OtlpSettings {
    /// Checks a configuration and reads what it points to.
    ///
    /// # Errors
    /// [`InvalidSetting`].
    pub fn resolve(config: TelemetryConfig, files: &mut Files<'_>) -> Result<Option<Self>, InvalidSetting> {
        let Some(config) = config.otlp else { return Ok(None) };
        let OtlpConfig { endpoint, mut headers, headers_file, sample_ratio, trust_incoming, service_name, timeout_ms } =
            config;
        let mut endpoint = parse_url(&endpoint)
            .map_err(|error| InvalidSetting::new("telemetry.otlp.endpoint", format!("`{endpoint}` {error}")))?;
        if matches!(endpoint.path(), "" | "/") {
            endpoint.set_path(PATH);
        }
        if let Some(path) = headers_file {
            let text = files.text("telemetry.otlp.headers_file", &path, MAX_SECRET_BYTES)?;
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            headers.extend(lines.map(|line| SecretText::from(line.to_owned())));
        }
        if headers.len() > MAX_HEADERS {
            return Err(InvalidSetting::new("telemetry.otlp.headers", format!("more than {MAX_HEADERS} headers")));
        }
        if !(0.0..=1.0).contains(&sample_ratio) {
            return Err(InvalidSetting::new("telemetry.otlp.sample_ratio", "is not between 0 and 1"));
        }
        if service_name.is_empty() {
            return Err(InvalidSetting::new("telemetry.otlp.service_name", "is empty"));
        }
        let headers = headers.iter().enumerate().map(|(index, line)| {
            // What it says stays out of the message.
            let reason = "is no header, as in `x-tenant: research`";
            header(line).ok_or_else(|| InvalidSetting::new(format!("telemetry.otlp.headers[{index}]"), reason))
        });
        within("telemetry.otlp.timeout_ms", timeout_ms, 1, 60_000)?;
        Ok(Some(Self {
            endpoint,
            headers: headers.collect::<Result<_, _>>()?,
            sample_ratio,
            trust_incoming,
            service_name,
            timeout: Duration::from_millis(timeout_ms),
        }))
    }

    /// Whether traces would go to the same place in the same way.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let names =
            |headers: &[(HeaderName, SecretText)]| headers.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        self.endpoint == other.endpoint
            && names(&self.headers) == names(&other.headers)
            && self
                .headers
                .iter()
                .zip(&other.headers)
                .all(|((_, left), (_, right))| left.matches(right.expose().as_bytes()))
            && self.sample_ratio.to_bits() == other.sample_ratio.to_bits()
            && self.trust_incoming == other.trust_incoming
            && self.service_name == other.service_name
            && self.timeout == other.timeout
    }
}

fn header(line: &SecretText) -> Option<(HeaderName, SecretText)> {
    let (name, value) = line.expose().split_once(':')?;
    let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
    let value = value.trim();
    (!value.is_empty() && HeaderValue::from_str(value).is_ok()).then(|| (name, SecretText::from(value.to_owned())))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn resolve(text: &str) -> Result<Option<OtlpSettings>, String> {
        let config = crate::yaml::parse(text).expect("a document");
        OtlpSettings::resolve(config, &mut Files::new(Path::new("/"))).map_err(|error| error.to_string())
    }

    #[test]
    fn what_operators_write_is_checked() {
        assert!(resolve("{}").expect("holds").is_none());
        let given = resolve("otlp: {endpoint: 'http://c.test:4318', headers: ['X-Key: s3cret']}").expect("holds");
        let given = given.expect("a collector");
        assert_eq!(given.endpoint.as_str(), "http://c.test:4318/v1/traces");
        assert!(format!("{given:?}").contains("x-key") && !format!("{given:?}").contains("s3cret"));
        let pathed = resolve("otlp: {endpoint: 'https://c.test/otlp/v1/traces'}").expect("holds").expect("a collector");
        assert_eq!(pathed.endpoint.as_str(), "https://c.test/otlp/v1/traces");
        assert!(given.is_same(&given.clone()) && !given.is_same(&pathed));
        for (bad, key) in [
            ("otlp: {endpoint: c.test}", "endpoint"),
            ("otlp: {endpoint: 'http://c.test', sample_ratio: 1.5}", "sample_ratio"),
            ("otlp: {endpoint: 'http://c.test', sample_ratio: .nan}", "sample_ratio"),
            ("otlp: {endpoint: 'http://c.test', timeout_ms: 0}", "timeout_ms"),
            ("otlp: {endpoint: 'http://c.test', service_name: ''}", "service_name"),
            ("otlp: {endpoint: 'http://c.test', headers: [s3cret]}", "headers[0]"),
        ] {
            let error = resolve(bad).expect_err(bad);
            assert!(error.contains(key) && !error.contains("s3cret"), "{error}");
        }
    }
}
