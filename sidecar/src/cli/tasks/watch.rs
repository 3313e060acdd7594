//! `taskgate tasks watch`: a task, followed to its end.

use std::process::ExitCode;

use anyhow::Context as _;
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue, IF_NONE_MATCH};
use serde_json::Value;
use taskgate_core::task::Status;
use tokio::time::sleep;

use crate::api::tasks::form::TaskForm;
use crate::cli::output;
use crate::cli::server::Client;
use crate::cli::tasks::server::Tried;
use crate::cli::tasks::{DELETED, FAILED, PAUSED, bar, form, show};
use crate::retry;
use crate::tasks::row::TaskId;

/// How long the server is asked to wait for a change, where it is not known how the task is.
const AT_ONCE: HeaderValue = HeaderValue::from_static("wait=0");
/// How long the server is asked to wait for a change.
const A_WHILE: HeaderValue = HeaderValue::from_static("wait=30");
/// How often in a row there may be no answer.
const MAX_MISSES: u32 = 12;

/// How a task is shown while it goes on.
struct Screen {
    as_json: bool,
    is_terminal: bool,
    last: String,
}

/// Follows a task to its end, and says which it is.
pub(super) async fn follow(client: &Client, id: TaskId, as_json: bool) -> anyhow::Result<ExitCode> {
    let mut screen = Screen { as_json, is_terminal: output::is_terminal() && !as_json, last: String::new() };
    let mut tag: Option<HeaderValue> = None;
    let mut misses = 0;
    loop {
        let prefer = HeaderName::from_static("prefer");
        let headers = match &tag {
            // With it the server waits for another version.
            Some(tag) => vec![(prefer, A_WHILE), (IF_NONE_MATCH, tag.clone())],
            None => vec![(prefer, AT_ONCE)],
        };
        let answer = match client.task(Method::GET, id, "", &headers).await {
            Ok(Tried::Answer(answer)) => answer,
            Ok(Tried::Unchanged) => {
                misses = 0;
                continue;
            }
            Ok(Tried::Gone(why)) => return screen.end(&format!("taskgate: {why}"), DELETED),
            Err(error) if error.is_passing() && misses < MAX_MISSES => {
                misses += 1;
                sleep(retry::wait(misses)).await;
                continue;
            }
            Err(error) => {
                screen.leave()?;
                return Err(error).context("the task goes on without being watched");
            }
        };
        misses = 0;
        let task = form(&answer.json)?;
        screen.show(&task, &answer.json)?;
        match task.status {
            Status::Queued | Status::InProgress => {}
            Status::Complete => return screen.done(&task),
            Status::Failed => return screen.end(&why(&task, "the task failed"), FAILED),
            Status::Paused => {
                let what = "the task waits for a credential; give it one with `taskgate tasks resume`";
                return screen.end(&why(&task, what), PAUSED);
            }
        }
        // A server without tags is asked now and then.
        if answer.tag.is_none() {
            sleep(retry::fraction(std::time::Duration::from_secs(3))).await;
        }
        tag = answer.tag;
    }
}

fn why(task: &TaskForm, what: &str) -> String {
    match &task.error {
        Some(error) => format!("taskgate: {what}: {}", show::said(error)),
        None => format!("taskgate: {what}"),
    }
}

impl Screen {
    fn show(&mut self, task: &TaskForm, json: &Value) -> anyhow::Result<()> {
        if self.as_json {
            return output::line(&json.to_string());
        }
        let text = if self.is_terminal { bar::bar(task) } else { bar::plain(task) };
        if text == self.last {
            return Ok(());
        }
        self.last.clone_from(&text);
        if self.is_terminal { output::over(&text) } else { output::line(&text) }
    }

    /// Leaves the line with the bar.
    fn leave(&self) -> anyhow::Result<()> {
        if self.is_terminal && !self.last.is_empty() { output::line("") } else { Ok(()) }
    }

    fn done(&self, task: &TaskForm) -> anyhow::Result<ExitCode> {
        self.leave()?;
        if let Some(result) = task.result.as_ref().filter(|result| !self.as_json && !result.is_null()) {
            output::line(&result.to_string())?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn end(&self, why: &str, code: u8) -> anyhow::Result<ExitCode> {
        self.leave()?;
        output::error(why);
        Ok(ExitCode::from(code))
    }
}
