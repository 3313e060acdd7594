//! `envoy-config/static.yaml` with the values of a `taskgate.yaml`.

use std::net::SocketAddr;
use std::path::Path;

use thiserror::Error;

use crate::config::Config;
use crate::render::marked::{Unmarked, replace};

/// The file that operators copy.
pub const STATIC: &str = include_str!("../../../envoy-config/static.yaml");

/// Why nothing is printed.
#[derive(Debug, Error)]
pub enum InvalidValues {
    /// A value of `taskgate.yaml` that YAML would read as something else.
    #[error("`{0}` can't stand in Envoy's configuration as it is")]
    Value(String),
    /// A place that is none.
    #[error("`{0}` is neither `ip:port` nor `unix:/path`")]
    Listen(String),
    /// The gate has no name.
    #[error("there are no `gate.base_domains`")]
    NoDomain,
    /// The file is not as this module knows it.
    #[error(transparent)]
    Unmarked(#[from] Unmarked),
}

/// Fills the file in; `directory` is where `taskgate.yaml` is, `listen` where clients connect.
///
/// # Errors
/// [`InvalidValues`].
pub fn fixed(config: &Config, directory: &Path, listen: SocketAddr) -> Result<String, InvalidValues> {
    let internal = address(&config.internal.listen)?;
    let text = replace(STATIC, "{socket_address: {address: 127.0.0.1, port_value: 7010}}", &internal, 1)?;
    let clients =
        format!("socket_address: {{address: {}, port_value: {}}}", quoted(&listen.ip().to_string())?, listen.port());
    let mut text = replace(&text, "socket_address: {address: 0.0.0.0, port_value: 8080}", &clients, 1)?;
    if let Some(public) = &config.public {
        text =
            replace(&text, "{socket_address: {address: 127.0.0.1, port_value: 7012}}", &address(&public.listen)?, 1)?;
    }
    if let Some(file) = &config.filter.wasm_file {
        let file = directory.join(file).display().to_string();
        text =
            replace(&text, "{filename: /etc/taskgate/filter.wasm}", &format!("{{filename: {}}}", quoted(&file)?), 1)?;
    }
    if config.internal.secret.is_some() || config.internal.secret_file.is_some() {
        let line = "                    cluster = taskgate-sidecar\n";
        text = replace(&text, line, &format!("{line}                    secret = EDIT: the secret\n"), 1)?;
    }
    Ok(replace(&text, "domains: [\"*\"]", &format!("domains: [{}]", domains(&config.gate.base_domains)?), 1)?)
}

fn domains(domains: &[String]) -> Result<String, InvalidValues> {
    let mut names = Vec::new();
    for domain in domains {
        names.extend([quoted(domain)?, quoted(&format!("*.{domain}"))?]);
    }
    if names.is_empty() { Err(InvalidValues::NoDomain) } else { Ok(names.join(", ")) }
}

fn address(listen: &str) -> Result<String, InvalidValues> {
    if let Some(path) = listen.strip_prefix("unix:") {
        return Ok(format!("{{pipe: {{path: {}}}}}", quoted(path)?));
    }
    let address: SocketAddr = listen.parse().map_err(|_| InvalidValues::Listen(listen.to_owned()))?;
    Ok(format!(
        "{{socket_address: {{address: {}, port_value: {}}}}}",
        quoted(&address.ip().to_string())?,
        address.port()
    ))
}

/// A text in quotes.
fn quoted(text: &str) -> Result<String, InvalidValues> {
    if text.is_empty() || text.chars().any(|letter| letter.is_control() || matches!(letter, '"' | '\\')) {
        return Err(InvalidValues::Value(text.to_owned()));
    }
    Ok(format!("\"{text}\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn render(text: &str) -> Result<String, InvalidValues> {
        let config: Config = yaml::parse(text).expect("a configuration");
        fixed(&config, Path::new("/etc/here"), SocketAddr::from(([10, 0, 0, 1], 443)))
    }

    #[test]
    fn every_value_is_where_envoy_reads_it() {
        let text = render(
            "{gate: {base_domains: [a.test]}, internal: {listen: 'unix:/run/i.sock', secret: hidden}, \
             public: {listen: '[::1]:7777'}, filter: {wasm_file: f.wasm}}",
        )
        .expect("renders");
        let document: serde_json::Value = serde_saphyr::from_str(&text).expect("YAML");
        let text = document.to_string();
        for part in [
            r#"{"socket_address":{"address":"10.0.0.1","port_value":443}}"#,
            r#"{"pipe":{"path":"/run/i.sock"}}"#,
            r#"{"socket_address":{"address":"::1","port_value":7777}}"#,
            r#""domains":["a.test","*.a.test"]"#,
        ] {
            assert_eq!(text.matches(part).count(), 1, "{part}");
        }
        assert_eq!(text.matches(r#""filename":"/etc/here/f.wasm""#).count(), 5);
        assert_eq!(text.matches(r"cluster = taskgate-sidecar\nsecret = EDIT: the secret").count(), 5);
        assert!(!text.contains("hidden") && !text.contains("7010") && !text.contains("7012"));
    }

    #[test]
    fn what_is_not_said_is_as_in_the_file() {
        let text = render("gate: {base_domains: [a.test]}").expect("renders");
        assert!(text.contains("/etc/taskgate/filter.wasm") && text.contains("port_value: 7012"));
        let error = render("gate: {base_domains: ['a\"b']}").expect_err("is no YAML");
        assert!(matches!(error, InvalidValues::Value(_)));
        assert!(matches!(render("gate: {}"), Err(InvalidValues::NoDomain)));
    }
}
