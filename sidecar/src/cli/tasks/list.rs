//! `taskgate tasks list`.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use crate::api::tasks::form::{TaskForm, TaskList};
use crate::cli::server::Server;
use crate::cli::tasks::bar;
use crate::cli::{columns, output};
use crate::tasks::operations::words;

/// How many tasks are asked for at one time.
const PAGE: usize = 100;
/// The most characters of a cell.
const MAX_CELL: usize = 80;

#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    #[command(flatten)]
    server: Server,
    /// only those in this state, as in `queued` or `in progress`; repeat for more
    #[arg(long = "status", value_name = "STATE")]
    statuses: Vec<String>,
    /// those of another user, for administrators; `*` for everybody's
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// how many, at most
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    limit: usize,
    /// print JSON
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let tasks = self.tasks().await?;
        if self.json {
            output::line(&serde_json::to_string_pretty(&json!({"tasks": tasks}))?)?;
        } else {
            let list: TaskList = serde_json::from_value(json!({"tasks": tasks}))
                .context("the answer is no list of tasks; is the server of another release?")?;
            output::text(&table(&list.tasks))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// As many tasks as are wanted, of as many pages as it takes.
    async fn tasks(&self) -> anyhow::Result<Vec<Value>> {
        let client = self.server.client()?;
        let (size, statuses) = (self.limit.clamp(1, PAGE).to_string(), self.statuses.join(","));
        let mut query = vec![("limit", size.as_str())];
        if !statuses.is_empty() {
            query.push(("status", &statuses));
        }
        query.extend(self.owner.as_deref().map(|owner| ("owner", owner)));
        let mut page = client.tasks(&query).await?.json;
        let mut tasks = Vec::new();
        loop {
            let found = page.get_mut("tasks").and_then(Value::as_array_mut).map(std::mem::take);
            let found = found.context("the answer is no list of tasks; is `--server` right?")?;
            let is_empty = found.is_empty();
            tasks.extend(found);
            tasks.truncate(self.limit);
            let Some(next) = page.get("next").and_then(Value::as_str) else { break };
            if is_empty || tasks.len() == self.limit {
                break;
            }
            page = client.next(next).await?.json;
        }
        Ok(tasks)
    }
}

fn table(tasks: &[TaskForm]) -> String {
    let header = ["TASK", "STATUS", "OPERATION", "OWNER", "CREATED", "DESTINATION", "PROGRESS"];
    columns::aligned(header, tasks.iter().map(row))
}

fn row(task: &TaskForm) -> [String; 7] {
    let destinations: Vec<String> = task.des.iter().map(ToString::to_string).collect();
    let some = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    [
        task.taskid.to_string(),
        task.status.to_string(),
        words::line(&task.operation, MAX_CELL),
        words::line(&task.owner, MAX_CELL),
        words::line(&task.created, MAX_CELL),
        some(words::line(&destinations.join(", "), MAX_CELL)),
        some(bar::progress(&task.progress).trim_start().to_owned()),
    ]
}
