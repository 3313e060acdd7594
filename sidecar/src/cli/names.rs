//! `taskgate names`: whose friendly names are.

use clap::{Args, Subcommand};
use hyper::Method;
use jiff::Timestamp;
use taskgate_core::time::UnixTime;

use crate::api::names::{NameList, ReleasedName};
use crate::cli::client::Target;
use crate::cli::{columns, output};
use crate::registry::holders::ListedName;
use crate::registry::names::friendly::name::{FriendlyName, suggestions};

#[derive(Debug, Subcommand)]
pub(super) enum Names {
    /// say whether a text can be a friendly name, and what would do in its place
    Check(Check),
    /// list the friendly names that are somebody's, in force and kept
    List(List),
    /// let a name go that is kept for an owner whose workload is gone
    Release(Release),
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// the name
    name: String,
}

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    target: Target,
    /// print JSON, with the names that nobody gets
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Release {
    #[command(flatten)]
    target: Target,
    /// the name
    name: String,
}

impl Names {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Check(Check { name }) => match FriendlyName::parse(&name) {
                Ok(name) => output::line(&format!("`{name}` can be a name")),
                Err(invalid) => {
                    let other = suggestions(&name).next().map(|name| format!("; `{name}` would do"));
                    anyhow::bail!("`{name}` {invalid}{}", other.unwrap_or_default())
                }
            },
            Self::List(List { target, json }) => {
                let list: NameList = target.ask(&Method::GET, "/internal/names", Vec::new())?;
                if json {
                    return output::line(&serde_json::to_string_pretty(&list)?);
                }
                output::text(&table(&list.names))
            }
            Self::Release(Release { target, name }) => {
                let name = FriendlyName::parse(&name).map_err(|invalid| anyhow::anyhow!("`{name}` {invalid}"))?;
                let ReleasedName { released } =
                    target.ask(&Method::DELETE, &format!("/internal/names/{name}"), Vec::new())?;
                output::line(&format!("`{released}` is nobody's now"))
            }
        }
    }
}

/// Names as a table.
fn table(names: &[ListedName]) -> String {
    columns::aligned(["NAME", "OWNER", "KEPT UNTIL", "SERVICE"], names.iter().map(row))
}

fn row(name: &ListedName) -> [String; 4] {
    [
        name.name.clone(),
        name.owner.clone().unwrap_or_else(|| "-".into()),
        name.kept_until.map_or_else(|| "-".into(), date),
        format!("{}/{}/{}", name.operation, name.task, name.service),
    ]
}

fn date(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_millis() / 1_000).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_in_force_or_kept() {
        let name = |name: &str, owner: Option<&str>, kept_until| ListedName {
            name: name.into(),
            owner: owner.map(Into::into),
            operation: "op".into(),
            task: "web".into(),
            service: "ui".into(),
            kept_until,
        };
        let names =
            [name("notes", None, None), name("ollama", Some("alice"), Some(UnixTime::from_millis(1_800_000_000_500)))];
        let expected = "\
NAME    OWNER  KEPT UNTIL            SERVICE
notes   -      -                     op/web/ui
ollama  alice  2027-01-15T08:00:00Z  op/web/ui
";
        assert_eq!(table(&names), expected);
    }
}
