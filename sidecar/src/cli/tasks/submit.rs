//! `taskgate tasks submit`.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use reqwest::header::HeaderValue;
use serde_json::{Map, Value, json};

use crate::cli::output;
use crate::cli::server::Server;
use crate::cli::tasks::{form, watch};
use crate::file;

/// The largest request that the server takes.
const MAX_REQUEST: u64 = 1 << 20;

#[derive(Debug, Args)]
pub(in crate::cli) struct Submit {
    #[command(flatten)]
    server: Server,
    /// the operation
    #[arg(value_name = "OPERATION", required_unless_present = "request")]
    operation: Option<String>,
    /// what is read, as in `/home/alice/a.h5:/group/x` or `/home/alice/a.h5:d-…`, with a selection behind it
    /// where only part is meant, as in `/home/alice/a.h5:/x[0:10]`; repeat for more
    #[arg(long = "src", value_name = "DOMAIN:OBJECT")]
    sources: Vec<String>,
    /// what is written; repeat for more
    #[arg(long = "des", value_name = "DOMAIN:OBJECT")]
    destinations: Vec<String>,
    /// the operation's arguments, a JSON object
    #[arg(long, value_name = "JSON")]
    args: Option<String>,
    /// a file with the whole request as JSON; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["operation", "sources", "destinations", "args"])]
    request: Option<PathBuf>,
    /// a name for this request: sent again with the same name, it makes no second task
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// follow the task to its end; the exit status is as for `watch`
    #[arg(long)]
    watch: bool,
    /// print JSON
    #[arg(long)]
    json: bool,
}

impl Submit {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let client = self.server.client()?;
        let request = self.request()?;
        let key = self.idempotency_key.as_deref().map(key).transpose()?;
        let answer = client.submit(&request, key.as_ref()).await?;
        let task = form(&answer.json)?;
        if self.watch {
            output::error(&format!("task {}", task.taskid));
            return watch::follow(&client, task.taskid, self.json).await;
        }
        if self.json {
            output::line(&serde_json::to_string_pretty(&answer.json)?)?;
        } else {
            output::line(&task.taskid.to_string())?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn request(&self) -> anyhow::Result<Value> {
        if let Some(path) = &self.request {
            return serde_json::from_str(&read(path)?).context("the request is no JSON");
        }
        let arguments: Map<String, Value> = match &self.args {
            Some(text) => serde_json::from_str(text).context("`--args` is no JSON object")?,
            None => Map::new(),
        };
        let locations =
            |texts: &[String]| texts.iter().map(|text| location(text)).collect::<anyhow::Result<Vec<Value>>>();
        Ok(json!({
            "operation": self.operation,
            "src": locations(&self.sources)?,
            "args": arguments,
            "des": locations(&self.destinations)?,
        }))
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    if path != Path::new("-") {
        return Ok(file::read_text(path, MAX_REQUEST)?);
    }
    let mut text = String::new();
    std::io::stdin().lock().take(MAX_REQUEST + 1).read_to_string(&mut text).context("can't read standard input")?;
    if u64::try_from(text.len()).is_ok_and(|length| length <= MAX_REQUEST) {
        Ok(text)
    } else {
        bail!("the request is larger than {MAX_REQUEST} bytes")
    }
}

/// A location of its short form. Names with odd characters need the whole request.
fn location(text: &str) -> anyhow::Result<Value> {
    let scheme = if text.starts_with("hdf5:") { "hdf5:".len() } else { 0 };
    let colon = text.get(scheme..).and_then(|rest| rest.find(':')).map(|at| at + scheme);
    let (domain, object) = colon
        .and_then(|at| Some((text.get(..at)?, text.get(at + 1..)?)))
        .with_context(|| format!("`{text}` is not `DOMAIN:OBJECT`, as in `/home/alice/a.h5:/x`"))?;
    let (object, select) = match object.find('[').filter(|_| object.ends_with(']')) {
        Some(at) => (object.get(..at).unwrap_or_default(), object.get(at..)),
        None => (object, None),
    };
    let key = if object.starts_with('/') { "h5path" } else { "uuid" };
    let mut location = json!({"domain": domain, key: object});
    if let (Some(select), Some(members)) = (select, location.as_object_mut()) {
        members.insert("select".to_owned(), select.into());
    }
    Ok(location)
}

/// A key as the header has it: a quoted text.
fn key(text: &str) -> anyhow::Result<HeaderValue> {
    let is_plain = |byte: u8| (b' '..=b'~').contains(&byte) && !matches!(byte, b'"' | b'\\');
    if text.is_empty() || !text.bytes().all(is_plain) {
        bail!("`--idempotency-key` is ASCII without quotes and backslashes");
    }
    Ok(HeaderValue::from_str(&format!("\"{text}\""))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_have_a_short_form() {
        for (text, expected) in [
            ("/a.h5:/g/x", json!({"domain": "/a.h5", "h5path": "/g/x"})),
            ("hdf5://home/a.h5:/x", json!({"domain": "hdf5://home/a.h5", "h5path": "/x"})),
            ("bucket/a.h5:d-1", json!({"domain": "bucket/a.h5", "uuid": "d-1"})),
            ("/a.h5:/x[0:10,1:2]", json!({"domain": "/a.h5", "h5path": "/x", "select": "[0:10,1:2]"})),
            ("/a.h5:/x[0", json!({"domain": "/a.h5", "h5path": "/x[0"})),
        ] {
            assert_eq!(location(text).expect("a location"), expected, "{text}");
        }
        assert!(location("/a.h5").is_err() && location("hdf5://a").is_err());
        assert!(key("a b").is_ok() && key("a\"b").is_err() && key("ü").is_err());
    }
}
