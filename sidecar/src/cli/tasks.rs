//! `taskgate tasks`: a client of the API of tasks.

mod bar;
mod list;
mod server;
mod show;
mod submit;
mod watch;

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use crate::api::tasks::form::TaskForm;
use crate::cli::output;
use crate::cli::server::Server;
use crate::cli::tasks::server::Tried;
use crate::tasks::row::TaskId;

/// The exit status where a task has failed.
const FAILED: u8 = 3;
/// The exit status where a task waits for another credential.
const PAUSED: u8 = 4;
/// The exit status where a task was deleted.
const DELETED: u8 = 5;

#[derive(Debug, Subcommand)]
pub(super) enum Tasks {
    /// cancel tasks: what they have written stays
    Cancel(Cancel),
    /// list your tasks, the newest first
    List(list::List),
    /// let a paused task go on, with the credential that this command is given
    Resume(One),
    /// print all about a task
    Show(One),
    /// ask for a task
    Submit(submit::Submit),
    /// follow a task to its end. The exit status is 0 where it is complete, 3 where it failed, 4 where it waits
    /// for a credential, 5 where it was deleted, and 1 where that can't be said
    Watch(One),
}

#[derive(Debug, Args)]
pub(super) struct Cancel {
    #[command(flatten)]
    server: Server,
    /// the tasks
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct One {
    #[command(flatten)]
    server: Server,
    /// print JSON
    #[arg(long)]
    json: bool,
    /// the task
    #[arg(value_name = "ID")]
    id: String,
}

impl Tasks {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("can't start")?;
        runtime.block_on(async {
            match self {
                Self::Cancel(cancel) => cancel.run().await,
                Self::List(list) => list.run().await,
                Self::Resume(one) => one.resume().await,
                Self::Show(one) => one.show().await,
                Self::Submit(submit) => submit.run().await,
                Self::Watch(one) => watch::follow(&one.server.client()?, id(&one.id)?, one.json).await,
            }
        })
    }
}

impl Cancel {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let client = self.server.client()?;
        let ids: Vec<TaskId> = self.ids.iter().map(|text| id(text)).collect::<anyhow::Result<_>>()?;
        for id in ids {
            match client.task(Method::DELETE, id, "", &[]).await? {
                Tried::Answer(_) => output::line(&format!("{id} cancelled"))?,
                Tried::Gone(_) => output::line(&format!("{id} was cancelled before"))?,
                Tried::Unchanged => bail!("the server's answer makes no sense"),
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl One {
    async fn show(self) -> anyhow::Result<ExitCode> {
        self.print(Method::GET, "").await
    }

    async fn resume(self) -> anyhow::Result<ExitCode> {
        self.print(Method::POST, "/credential").await
    }

    async fn print(self, method: Method, below: &str) -> anyhow::Result<ExitCode> {
        match self.server.client()?.task(method, id(&self.id)?, below, &[]).await? {
            Tried::Answer(answer) => {
                print(&answer.json, self.json)?;
                Ok(ExitCode::SUCCESS)
            }
            Tried::Gone(why) => {
                output::error(&format!("taskgate: {why}"));
                Ok(ExitCode::from(DELETED))
            }
            Tried::Unchanged => bail!("the server's answer makes no sense"),
        }
    }
}

/// Prints a task.
fn print(task: &Value, as_json: bool) -> anyhow::Result<()> {
    if as_json { output::line(&serde_json::to_string_pretty(task)?) } else { output::text(&show::sheet(&form(task)?)) }
}

/// A task as it is answered.
fn form(task: &Value) -> anyhow::Result<TaskForm> {
    serde_json::from_value(task.clone()).context("the answer is no task; is the server of another release?")
}

fn id(text: &str) -> anyhow::Result<TaskId> {
    TaskId::parse(text).with_context(|| format!("`{text}`"))
}
