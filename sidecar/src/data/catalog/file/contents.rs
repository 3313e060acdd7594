//! What stands in the file of a catalog.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::data::catalog::rows::{LogRow, MembersRow, ProjectRow};
use crate::data::catalog::{ActionData, ActionName, Attempt, Found, LogSource, Project, TaskName, TriggerName};
use crate::data::path::{DomainName, InvalidPath, ProjectName};
use crate::yaml::{self, InvalidYaml};

/// How many problems are logged.
const MAX_REPORTED: usize = 10;

/// What a catalog's file says.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// By name, as all the others; several of one name are of different organizations.
    projects: HashMap<ProjectName, Vec<Of<Project>>>,
    tasks: HashMap<TaskPlace, Vec<Task>>,
    /// The version of the task.
    triggers: HashMap<TriggerPlace, Vec<Of<String>>>,
    actions: HashMap<ActionPlace, Vec<Of<Action>>>,
    problems: Vec<String>,
}

/// Something of an organization, or of any.
type Of<T> = (Option<String>, T);
type TaskPlace = (ProjectName, DomainName, String);
type TriggerPlace = (ProjectName, DomainName, String, String);
type ActionPlace = (ProjectName, DomainName, String, String);

#[derive(Debug)]
struct Task {
    organization: Option<String>,
    version: Option<String>,
    ignored_inputs: Vec<String>,
}

#[derive(Debug)]
struct Action {
    data: ActionData,
    attempts: BTreeMap<u32, (Attempt, Option<LogSource>)>,
}

/// A document all of which makes sense.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Document {
    projects: Vec<NamedProjectRow>,
    tasks: Vec<TaskRow>,
    triggers: Vec<TriggerRow>,
    actions: Vec<ActionRow>,
}

/// A document some of which does not.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Rows {
    projects: Vec<Value>,
    tasks: Vec<Value>,
    triggers: Vec<Value>,
    actions: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedProjectRow {
    name: String,
    #[serde(default)]
    organization: Option<String>,
    #[serde(default)]
    domains: BTreeSet<String>,
    #[serde(default)]
    writers: MembersRow,
    #[serde(default)]
    readers: MembersRow,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TaskRow {
    #[serde(default)]
    organization: Option<String>,
    project: String,
    domain: String,
    name: String,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    ignored_inputs: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TriggerRow {
    #[serde(default)]
    organization: Option<String>,
    project: String,
    domain: String,
    task: String,
    name: String,
    version: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActionRow {
    #[serde(default)]
    organization: Option<String>,
    project: String,
    domain: String,
    run: String,
    action: String,
    #[serde(default)]
    inputs_uri: Option<String>,
    #[serde(default)]
    outputs_uri: Option<String>,
    #[serde(default)]
    attempts: Vec<AttemptRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AttemptRow {
    number: u32,
    #[serde(default)]
    report_uri: Option<String>,
    #[serde(default)]
    code_bundle_uri: Option<String>,
    #[serde(default)]
    log: Option<LogRow>,
}

impl Contents {
    /// Reads a document. What is wrong with one row is kept as a problem.
    pub(super) fn parse(text: &str) -> Result<Self, InvalidYaml> {
        let mut contents = Self::default();
        // Row by row, names that YAML takes for something else (`y`, `1.0`) would have to be quoted: so that is done
        // only where something is wrong anyway.
        if let Ok(Document { projects, tasks, triggers, actions }) = yaml::parse(text) {
            contents.each("projects", projects.into_iter().map(Ok), Self::add_project);
            contents.each("tasks", tasks.into_iter().map(Ok), Self::add_task);
            contents.each("triggers", triggers.into_iter().map(Ok), Self::add_trigger);
            contents.each("actions", actions.into_iter().map(Ok), Self::add_action);
        } else {
            let Rows { projects, tasks, triggers, actions } = yaml::parse(text)?;
            contents.each("projects", projects.into_iter().map(read), Self::add_project);
            contents.each("tasks", tasks.into_iter().map(read), Self::add_task);
            contents.each("triggers", triggers.into_iter().map(read), Self::add_trigger);
            contents.each("actions", actions.into_iter().map(read), Self::add_action);
        }
        Ok(contents)
    }

    /// How many projects there are.
    pub(super) fn projects(&self) -> usize {
        self.projects.values().map(Vec::len).sum()
    }

    /// Logs what could not be read.
    pub(super) fn report(&self, path: &Path) {
        for problem in self.problems.iter().take(MAX_REPORTED) {
            tracing::warn!(file = %path.display(), %problem, "a row of the catalog is left out");
        }
        if self.problems.len() > MAX_REPORTED {
            tracing::warn!(file = %path.display(), problems = self.problems.len(), "more rows of the catalog are left out");
        }
    }

    fn each<R>(
        &mut self,
        list: &str,
        rows: impl Iterator<Item = Result<R, String>>,
        add: fn(&mut Self, R) -> Result<(), String>,
    ) {
        for (index, row) in rows.enumerate() {
            if let Err(reason) = row.and_then(|row| add(self, row)) {
                self.problems.push(format!("`{list}[{index}]`: {reason}"));
            }
        }
    }

    fn add_project(&mut self, row: NamedProjectRow) -> Result<(), String> {
        let NamedProjectRow { name, organization, domains, writers, readers } = row;
        let project =
            ProjectRow { domains, writers, readers }.project().map_err(|error| format!("domains: {error}"))?;
        add(self.projects.entry(ProjectName::parse(&name).map_err(text)?).or_default(), organization, project)
            .ok_or_else(|| format!("project `{name}` is there twice; the first counts"))
    }

    fn add_task(&mut self, row: TaskRow) -> Result<(), String> {
        let TaskRow { organization, project, domain, name, version, ignored_inputs } = row;
        let (project, domain) = names(&project, &domain).map_err(text)?;
        self.tasks.entry((project, domain, name)).or_default().push(Task { organization, version, ignored_inputs });
        Ok(())
    }

    fn add_trigger(&mut self, row: TriggerRow) -> Result<(), String> {
        let TriggerRow { organization, project, domain, task, name, version } = row;
        let (project, domain) = names(&project, &domain).map_err(text)?;
        let twice = format!("trigger `{name}` is there twice; the first counts");
        let place = (project, domain, task, name);
        add(self.triggers.entry(place).or_default(), organization, version).ok_or(twice)
    }

    fn add_action(&mut self, row: ActionRow) -> Result<(), String> {
        let ActionRow { organization, project, domain, run, action, inputs_uri, outputs_uri, attempts } = row;
        let (project, domain) = names(&project, &domain).map_err(text)?;
        let attempts = attempts.into_iter().map(|row| {
            let AttemptRow { number, report_uri, code_bundle_uri, log } = row;
            (number, (Attempt { report_uri, code_bundle_uri }, log.map(|log| log.source())))
        });
        let (data, attempts) = (ActionData { inputs_uri, outputs_uri }, attempts.collect());
        let twice = format!("action `{action}` of run `{run}` is there twice; the first counts");
        let place = (project, domain, run, action);
        add(self.actions.entry(place).or_default(), organization, Action { data, attempts }).ok_or(twice)
    }

    /// A project, of that organization or of any.
    pub(super) fn project(&self, organization: &str, name: &ProjectName) -> Option<&Project> {
        of(self.projects.get(name)?, organization)
    }

    /// The ignored inputs of a version of a task; a row of no version is for all others.
    pub(super) fn ignored_inputs(&self, task: &TaskName) -> Option<Vec<String>> {
        let rows = self.tasks.get(&(task.project.clone(), task.domain.clone(), task.name.clone()))?;
        let ours = || rows.iter().filter(|row| is_of(row.organization.as_ref(), &task.organization));
        let exact = ours().find(|row| row.version.as_ref() == Some(&task.version));
        exact.or_else(|| ours().find(|row| row.version.is_none())).map(|row| row.ignored_inputs.clone())
    }

    pub(super) fn trigger(&self, trigger: &TriggerName) -> Option<TaskName> {
        let TriggerName { organization, project, domain, name, task_name } = trigger.clone();
        let rows = self.triggers.get(&(project.clone(), domain.clone(), task_name.clone(), name))?;
        let version = of(rows, &organization)?.clone();
        Some(TaskName { organization, project, domain, name: task_name, version })
    }

    pub(super) fn attempt(&self, action: &ActionName, number: u32) -> Found<Attempt> {
        let Some(found) = self.action(action) else { return Found::NoAction("no such action".into()) };
        found.attempts.get(&number).map_or(Found::NoAttempt, |(attempt, _)| Found::Here(attempt.clone()))
    }

    pub(super) fn data(&self, action: &ActionName) -> Option<ActionData> {
        self.action(action).map(|found| found.data.clone())
    }

    pub(super) fn log(&self, action: &ActionName, attempt: u32) -> Option<LogSource> {
        self.action(action)?.attempts.get(&attempt)?.1.clone()
    }

    fn action(&self, action: &ActionName) -> Option<&Action> {
        let ActionName { organization, project, domain, run, name } = action;
        of(self.actions.get(&(project.clone(), domain.clone(), run.clone(), name.clone()))?, organization)
    }
}

/// Adds what is of an organization, unless there is something of it.
fn add<T>(rows: &mut Vec<Of<T>>, organization: Option<String>, row: T) -> Option<()> {
    let is_there = rows.iter().any(|(other, _)| *other == organization);
    (!is_there).then(|| rows.push((organization, row)))
}

/// What is of that organization, or else of any.
fn of<'a, T>(rows: &'a [Of<T>], organization: &str) -> Option<&'a T> {
    let exact = rows.iter().find(|(own, _)| own.as_deref() == Some(organization));
    exact.or_else(|| rows.iter().find(|(own, _)| own.is_none())).map(|(_, row)| row)
}

/// Whether a row is of that organization; one that names none is of any.
fn is_of(row: Option<&String>, organization: &str) -> bool {
    row.is_none_or(|own| own == organization)
}

fn read<T: serde::de::DeserializeOwned>(row: Value) -> Result<T, String> {
    yaml::parse_value(row).map_err(text)
}

fn names(project: &str, domain: &str) -> Result<(ProjectName, DomainName), InvalidPath> {
    Ok((ProjectName::parse(project)?, DomainName::parse(domain)?))
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
