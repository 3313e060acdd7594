//! `envoy-config/static.yaml` with the addresses of a test in it.
//!
//! Why: tests run the very file that operators copy. It is read, a few named values are set, and it is
//! written again; a value that is not where it is expected is an error, so the file can't drift away.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::environment;

const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";

/// What a test sets in the file.
#[derive(Clone, Debug)]
pub struct StaticConfig {
    /// Where clients connect; port 0 picks a free one.
    pub listener: SocketAddr,
    /// The sidecar's internal listener.
    pub sidecar: SocketAddr,
    /// The compiled filter.
    pub filter: PathBuf,
    /// More lines for the filter's configuration, such as `verdict_timeout_ms = 200`.
    pub filter_lines: Vec<String>,
}

/// A file of `envoy-config`, as it is.
///
/// # Errors
/// The file can't be read.
pub fn envoy_config(file: &str) -> anyhow::Result<Value> {
    let path = environment::repository().join("envoy-config").join(file);
    let text = fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
    serde_saphyr::from_str(&text).with_context(|| path.display().to_string())
}

impl StaticConfig {
    /// A free port for clients, that sidecar, and the filter that was built.
    ///
    /// # Errors
    /// The filter is not built.
    pub fn new(sidecar: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self {
            listener: SocketAddr::from(([127, 0, 0, 1], 0)),
            sidecar,
            filter: environment::filter()?,
            filter_lines: Vec::new(),
        })
    }

    /// The file, as text for [`crate::Envoy::start`].
    ///
    /// # Errors
    /// As [`Self::document`].
    pub fn render(&self) -> anyhow::Result<String> {
        Ok(self.document()?.to_string())
    }

    /// The file, for tests that change more of it.
    ///
    /// # Errors
    /// The file can't be read, or has no such value.
    pub fn document(&self) -> anyhow::Result<Value> {
        self.document_of("static.yaml")
    }

    /// The same of another file of `envoy-config` that has what `static.yaml` has.
    ///
    /// # Errors
    /// As [`Self::document`].
    pub fn document_of(&self, file: &str) -> anyhow::Result<Value> {
        let mut document = envoy_config(file)?;
        set_address(at(&mut document, "/admin/address")?, SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let listeners = at(&mut document, "/static_resources/listeners")?;
        set_address(at(named(listeners, "taskgate")?, "/address")?, self.listener)?;
        let clusters = at(&mut document, "/static_resources/clusters")?;
        let sidecar = named(clusters, "taskgate-sidecar")?;
        let endpoint = "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address";
        set_address(at(sidecar, endpoint)?, self.sidecar)?;
        let filters = self.set_filters(&mut document)?;
        anyhow::ensure!(filters > 1, "the filter is not there both as a filter of requests and of attempts");
        Ok(document)
    }

    /// The filter is there once for requests and once for each kind of repeated attempt.
    fn set_filters(&self, value: &mut Value) -> anyhow::Result<usize> {
        if value.get("@type").is_some_and(|kind| kind == WASM) {
            *at(value, "/config/vm_config/code/local/filename")? = json!(self.filter);
            let lines = at(value, "/config/configuration/value")?;
            let text = lines.as_str().context("the filter's configuration is not text")?;
            *lines = json!(
                std::iter::once(text.trim_end())
                    .chain(self.filter_lines.iter().map(String::as_str))
                    .collect::<Vec<_>>()
                    .join("\n")
            );
            return Ok(1);
        }
        let mut filters = 0;
        match value {
            Value::Array(items) => {
                for item in items {
                    filters += self.set_filters(item)?;
                }
            }
            Value::Object(fields) => {
                for field in fields.values_mut() {
                    filters += self.set_filters(field)?;
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        Ok(filters)
    }
}

fn at<'a>(value: &'a mut Value, pointer: &str) -> anyhow::Result<&'a mut Value> {
    value.pointer_mut(pointer).with_context(|| format!("there is no {pointer}"))
}

fn named<'a>(items: &'a mut Value, name: &str) -> anyhow::Result<&'a mut Value> {
    let mut items = items.as_array_mut().into_iter().flatten();
    let found = items.find(|item| item.get("name").is_some_and(|named| named == name));
    found.with_context(|| format!("there is no {name}"))
}

fn set_address(value: &mut Value, address: SocketAddr) -> anyhow::Result<()> {
    let socket = at(value, "/socket_address")?;
    *at(socket, "/address")? = json!(address.ip());
    *at(socket, "/port_value")? = json!(address.port());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_every_value() {
        let config = StaticConfig {
            listener: SocketAddr::from(([127, 0, 0, 2], 1)),
            sidecar: SocketAddr::from(([127, 0, 0, 3], 2)),
            filter: "/f.wasm".into(),
            filter_lines: vec!["verdict_timeout_ms = 5".to_owned()],
        };
        let text = config.render().unwrap();
        assert!(text.contains(r#""socket_address":{"address":"127.0.0.2","port_value":1}"#), "{text}");
        assert!(text.contains(r#""socket_address":{"address":"127.0.0.3","port_value":2}"#));
        assert_eq!(text.matches(r#""filename":"/f.wasm""#).count(), 5);
        assert_eq!(text.matches(r#""cluster = taskgate-sidecar\nverdict_timeout_ms = 5""#).count(), 5);
        assert!(!text.contains("/etc/taskgate") && !text.contains("7010"));
    }
}
