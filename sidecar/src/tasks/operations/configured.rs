//! Operations that operators configure: services and programs that are not ours.

use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::config::resolve::{Files, InvalidSetting};
use crate::config::task_operations::{CountConfig, TaskOperationConfig, WritesConfig};
use crate::digest::Digest;
use crate::http::HttpError;
use crate::secret::SecretText;
use crate::tasks::operation::{Description, Operation, Writes};
use crate::tasks::operations::Operations;
use crate::tasks::operations::command::{CommandOperation, CommandOperationSettings};
use crate::tasks::operations::http::{HttpOperation, HttpOperationSettings};
use crate::tasks::operations::words;
use crate::tasks::request::MAX_LOCATIONS;
use crate::tasks::schema::Schema;

/// The most operations.
const MAX_OPERATIONS: usize = 256;
/// The longest name, in bytes.
const MAX_NAME: usize = 64;
/// The longest summary, in characters.
const MAX_SUMMARY: usize = 500;

/// An operation that an operator configured.
#[derive(Clone, Debug)]
pub struct ConfiguredOperation {
    /// What it is, and what it takes.
    pub description: Description,
    /// Who does it.
    pub by: By,
}

/// Who does an operation.
#[derive(Clone, Debug)]
pub enum By {
    /// A program.
    Command(CommandOperationSettings),
    /// A service.
    Http(HttpOperationSettings),
}

impl ConfiguredOperation {
    /// The operation.
    ///
    /// # Errors
    /// [`HttpError::Client`].
    pub fn build(self) -> Result<Arc<dyn Operation>, HttpError> {
        Ok(match self.by {
            By::Command(settings) => Arc::new(CommandOperation::new(self.description, settings)),
            By::Http(settings) => Arc::new(HttpOperation::new(self.description, settings)?),
        })
    }
}

impl Operations {
    /// These and those that an operator configured.
    ///
    /// # Errors
    /// [`HttpError::Client`].
    pub fn with_configured(self, configured: &[ConfiguredOperation]) -> Result<Self, HttpError> {
        configured.iter().try_fold(self, |operations, one| Ok(operations.with(one.clone().build()?)))
    }
}

/// Checks the configuration of operations and reads what it points to; with it, what differs where a secret does.
///
/// # Errors
/// [`InvalidSetting`].
pub fn resolve_operations(
    configs: Vec<TaskOperationConfig>,
    files: &mut Files<'_>,
) -> Result<(Vec<ConfiguredOperation>, Digest), InvalidSetting> {
    if configs.len() > MAX_OPERATIONS {
        return Err(InvalidSetting::new("tasks.operations", format!("more than {MAX_OPERATIONS} operations")));
    }
    let built_in = Operations::built_in();
    let mut resolved: Vec<ConfiguredOperation> = Vec::with_capacity(configs.len());
    for (index, config) in configs.into_iter().enumerate() {
        let key = format!("tasks.operations[{index}]");
        let one = resolve(&key, config, files)?;
        let name = &one.description.name;
        if built_in.named(name).is_some() || resolved.iter().any(|other| other.description.name == *name) {
            let reason = format!("another operation is named `{name}`, maybe a built-in one");
            return Err(InvalidSetting::new(format!("{key}.name"), reason));
        }
        resolved.push(one);
    }
    let secrets: Vec<&[u8]> = resolved
        .iter()
        .map(|one| match &one.by {
            By::Http(settings) => settings.secret.as_ref().map_or("", SecretText::expose).as_bytes(),
            By::Command(_) => &[],
        })
        .collect();
    let digest = Digest::of_parts(&secrets);
    Ok((resolved, digest))
}

fn resolve(
    key: &str,
    config: TaskOperationConfig,
    files: &mut Files<'_>,
) -> Result<ConfiguredOperation, InvalidSetting> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    if config.name.is_empty() || config.name.len() > MAX_NAME || !config.name.bytes().all(plain) {
        let reason = "an operation's name is 1 to 64 characters of a-z, 0-9, `-`, `_` and `.`";
        return Err(InvalidSetting::new(format!("{key}.name"), reason));
    }
    if config.summary.is_empty() || words::line(&config.summary, MAX_SUMMARY) != config.summary {
        let reason = format!("is not one line of 1 to {MAX_SUMMARY} characters");
        return Err(InvalidSetting::new(format!("{key}.summary"), reason));
    }
    Schema::read(&config.arguments, "arguments")
        .map_err(|error| InvalidSetting::new(format!("{key}.arguments"), error.to_string()))?;
    let description = Description {
        name: config.name,
        summary: config.summary,
        arguments: config.arguments,
        sources: range(&format!("{key}.sources"), config.sources)?,
        destinations: range(&format!("{key}.destinations"), config.destinations)?,
        writes: match config.writes {
            WritesConfig::Creates => Writes::Creates,
            WritesConfig::Updates => Writes::Updates,
        },
    };
    let by = match (config.http, config.command) {
        (Some(http), None) => By::Http(HttpOperationSettings::resolve(&format!("{key}.http"), &http, files)?),
        (None, Some(command)) => By::Command(CommandOperationSettings::resolve(&format!("{key}.command"), command)?),
        (Some(_), Some(_)) | (None, None) => {
            return Err(InvalidSetting::new(key, "say who does it: set `http` or `command`, one of the two"));
        }
    };
    Ok(ConfiguredOperation { description, by })
}

fn range(key: &str, CountConfig { least, most }: CountConfig) -> Result<RangeInclusive<usize>, InvalidSetting> {
    if least > most || most > MAX_LOCATIONS {
        let reason = format!("{least} to {most} is no range up to {MAX_LOCATIONS}; set `most` too");
        return Err(InvalidSetting::new(key, reason));
    }
    Ok(least..=most)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::yaml;

    fn resolved(text: &str) -> Result<Vec<ConfiguredOperation>, String> {
        let configs: Vec<TaskOperationConfig> = yaml::parse(text).map_err(|error| error.to_string())?;
        let mut files = Files::new(Path::new("."));
        resolve_operations(configs, &mut files).map(|(operations, _)| operations).map_err(|error| error.to_string())
    }

    #[test]
    fn operations_of_others_are_described() {
        let operations = resolved(
            "- name: thumbnail\n  summary: Makes small images.\n  sources: {least: 1, most: 2}\n  writes: creates\n  \
             arguments: {type: object, properties: {width: {type: integer, maximum: 512}}}\n  \
             http: {url: \"https://images.example.test/tasks\", secret: hunter2}\n\
             - {name: index, summary: Indexes., command: {path: /opt/index, environment: [PATH]}}\n",
        )
        .expect("they hold");
        let [thumbnail, index] = operations.as_slice() else { panic!("two operations") };
        assert_eq!(thumbnail.description.sources, 1..=2);
        assert_eq!(thumbnail.description.writes, Writes::Creates);
        assert_eq!(thumbnail.description.arguments["properties"]["width"]["maximum"], 512);
        assert_eq!(index.description.destinations, 0..=0);
        assert!(!format!("{operations:?}").contains("hunter2"));
        let all = Operations::built_in().with_configured(&operations).expect("a client");
        assert!(all.named("index").is_some() && all.named("noop").is_some());
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        let with = |rest: &str| resolved(&format!("- {{name: x, summary: X., {rest}}}\n"));
        for (outcome, reason) in [
            (with("sources: {least: 1}, command: {path: /x}"), "set `most` too"),
            (with("sources: {most: 65}, command: {path: /x}"), "up to 64"),
            (with(""), "set `http` or `command`"),
            (with("http: {url: \"http://x\"}, command: {path: /x}"), "one of the two"),
            (with("http: {url: \"ftp://x\"}"), "operations[0].http.url"),
            (with("http: {url: \"http://x\", timeout_secs: 0}"), "timeout_secs"),
            (with("http: {url: \"http://x\", secret: \"a\\nb\"}"), "header"),
            (with("command: {path: bin/x}"), "absolute"),
            (with("command: {path: /x, environment: [\"A=b\"]}"), "environment[0]"),
            (with("command: {path: /x, arguments: [\"a\\0\"]}"), "arguments[0]"),
            (with("command: {path: /x, shell: true}"), "shell"),
            (with("arguments: {pattern: x}, command: {path: /x}"), "not supported"),
            (resolved("- {name: noop, summary: X., command: {path: /x}}"), "built-in"),
            (resolved("- {name: A, summary: X., command: {path: /x}}"), "a-z"),
            (resolved("- {name: a, summary: \"\", command: {path: /x}}"), "summary"),
        ] {
            let error = outcome.expect_err(reason);
            assert!(error.contains(reason), "{reason} is not in {error}");
        }
    }
}
