//! A catalog by convention: addresses are made of names, so nothing has to be registered.
//!
//! A template has `{organization}`, `{project}`, `{domain}`, `{run}`, `{action}` and `{attempt}` in it. A name that is
//! not one plain part of a path makes no address, so none leads elsewhere.

use std::collections::BTreeSet;

use async_trait::async_trait;
use thiserror::Error;

use crate::data::catalog::{
    ActionData, ActionName, Attempt, Catalog, CatalogError, Found, LogSource, Members, PodSource, Project, TaskName,
    TriggerName,
};
use crate::data::path::{DomainName, ProjectName, Segments};

/// Text with names to fill in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Name(Variable),
}

/// What can be filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variable {
    /// The organization.
    Organization,
    /// The project.
    Project,
    /// The domain.
    Domain,
    /// The run.
    Run,
    /// The action.
    Action,
    /// The number of the attempt.
    Attempt,
}

/// Text that is no template.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidTemplate {
    /// A brace without its other half.
    #[error("has `{{` without `}}`, or `}}` without `{{`")]
    Brace,
    /// A name that is not known.
    #[error(
        "has `{{{0}}}`; there are `{{organization}}`, `{{project}}`, `{{domain}}`, `{{run}}`, `{{action}}` and `{{attempt}}`"
    )]
    Variable(String),
    /// A name that has no value here.
    #[error("has `{{{0}}}`, which is not known here")]
    Unknown(&'static str),
}

/// How names are written into a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    /// As they are.
    Raw,
    /// As in a URL.
    Percent,
}

/// The templates of a catalog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Templates {
    /// Who has what in any project; none: this catalog knows no projects.
    pub projects: Option<ProjectTemplate>,
    /// The inputs of an action.
    pub inputs: Option<Template>,
    /// Its outputs.
    pub outputs: Option<Template>,
    /// The report of an attempt.
    pub report: Option<Template>,
    /// The code of an attempt.
    pub code_bundle: Option<Template>,
    /// The log of an attempt.
    pub log: Option<LogTemplate>,
}

/// Where the log of an attempt is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTemplate {
    /// In a file that may grow.
    File(Template),
    /// In a file that is complete.
    FinishedFile(Template),
    /// In an object.
    Object(Template),
    /// At a service.
    Http(Template),
    /// With Kubernetes.
    Kubernetes(PodTemplate),
}

/// A container of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodTemplate {
    /// The namespace.
    pub namespace: Template,
    /// The pod's name.
    pub pod: Template,
    /// The container's name.
    pub container: Option<Template>,
}

/// Who has what in any project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectTemplate {
    /// The domains; empty: any.
    pub domains: BTreeSet<DomainName>,
    /// Whether everyone writes.
    pub everyone: bool,
    /// Whoever writes: groups, with the project's name in them.
    pub writer_groups: Vec<Template>,
    /// Whoever reads besides.
    pub reader_groups: Vec<Template>,
}

/// A catalog by convention.
#[derive(Clone, Debug)]
pub struct TemplateCatalog(Templates);

/// The names of an attempt.
#[derive(Clone, Copy, Debug)]
struct Names<'a> {
    organization: &'a str,
    project: &'a str,
    domain: &'a str,
    run: &'a str,
    action: &'a str,
    attempt: u32,
}

impl Template {
    /// Reads a template in which these names may be.
    ///
    /// # Errors
    /// [`InvalidTemplate`].
    pub fn parse(text: &str, known: &[Variable]) -> Result<Self, InvalidTemplate> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or(InvalidTemplate::Brace)?;
            if before.contains('}') {
                return Err(InvalidTemplate::Brace);
            }
            let variable = Variable::parse(name).ok_or_else(|| InvalidTemplate::Variable(name.to_owned()))?;
            if !known.contains(&variable) {
                return Err(InvalidTemplate::Unknown(variable.as_str()));
            }
            parts.extend([Part::Text(before.to_owned()), Part::Name(variable)]);
            rest = after;
        }
        if rest.contains('}') {
            return Err(InvalidTemplate::Brace);
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }

    /// The text with the names of an action in it; none where a name could lead elsewhere.
    #[must_use]
    pub fn fill_for(&self, action: &ActionName) -> Option<String> {
        self.fill(Names::of(action, 0), Encoding::Raw)
    }

    /// The text with the names in it; none where a name could lead elsewhere.
    fn fill(&self, names: Names<'_>, encoding: Encoding) -> Option<String> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(own) => text.push_str(own),
                Part::Name(variable) => {
                    let value = names.value(*variable);
                    Segments::parse(&value).ok().filter(|_| !value.contains('/'))?;
                    match encoding {
                        Encoding::Raw => text.push_str(&value),
                        Encoding::Percent => percent(&value, &mut text),
                    }
                }
            }
        }
        Some(text)
    }
}

impl Variable {
    /// All that an attempt has.
    pub const OF_ATTEMPT: [Self; 6] =
        [Self::Organization, Self::Project, Self::Domain, Self::Run, Self::Action, Self::Attempt];
    /// All that an action has.
    pub const OF_ACTION: [Self; 5] = [Self::Organization, Self::Project, Self::Domain, Self::Run, Self::Action];
    /// All that a domain of a project has.
    pub const OF_DOMAIN: [Self; 3] = [Self::Organization, Self::Project, Self::Domain];
    /// All that a project has.
    pub const OF_PROJECT: [Self; 2] = [Self::Organization, Self::Project];

    fn parse(text: &str) -> Option<Self> {
        Self::OF_ATTEMPT.into_iter().find(|variable| variable.as_str() == text)
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Project => "project",
            Self::Domain => "domain",
            Self::Run => "run",
            Self::Action => "action",
            Self::Attempt => "attempt",
        }
    }
}

impl<'a> Names<'a> {
    fn of(action: &'a ActionName, attempt: u32) -> Self {
        let ActionName { organization, project, domain, run, name } = action;
        Self { organization, project: project.as_str(), domain: domain.as_str(), run, action: name, attempt }
    }

    fn value(&self, variable: Variable) -> String {
        match variable {
            Variable::Organization => self.organization.to_owned(),
            Variable::Project => self.project.to_owned(),
            Variable::Domain => self.domain.to_owned(),
            Variable::Run => self.run.to_owned(),
            Variable::Action => self.action.to_owned(),
            Variable::Attempt => self.attempt.to_string(),
        }
    }
}

impl ProjectTemplate {
    /// The project of that name.
    #[must_use]
    pub fn project(&self, organization: &str, name: &ProjectName) -> Project {
        let names = Names { organization, project: name.as_str(), domain: "", run: "", action: "", attempt: 0 };
        let members = |everyone: bool, groups: &[Template]| Members {
            everyone,
            groups: groups.iter().filter_map(|group| group.fill(names, Encoding::Raw)).collect(),
            ..Members::default()
        };
        Project {
            domains: self.domains.clone(),
            writers: members(self.everyone, &self.writer_groups),
            readers: members(false, &self.reader_groups),
        }
    }
}

impl PodTemplate {
    fn source(&self, names: Names<'_>) -> Option<PodSource> {
        let fill = |template: &Template| template.fill(names, Encoding::Raw);
        let container = match &self.container {
            Some(template) => Some(fill(template)?),
            None => None,
        };
        Some(PodSource { namespace: fill(&self.namespace)?, pod: fill(&self.pod)?, container, started_at: None })
    }
}

impl TemplateCatalog {
    /// A catalog by these templates.
    #[must_use]
    pub const fn new(templates: Templates) -> Self {
        Self(templates)
    }
}

#[async_trait]
impl Catalog for TemplateCatalog {
    async fn project(&self, organization: &str, name: &ProjectName) -> Result<Option<Project>, CatalogError> {
        Ok(self.0.projects.as_ref().map(|template| template.project(organization, name)))
    }

    async fn ignored_inputs(&self, _task: &TaskName) -> Result<Option<Vec<String>>, CatalogError> {
        Ok(None)
    }

    async fn trigger(&self, _trigger: &TriggerName) -> Result<Option<TaskName>, CatalogError> {
        Ok(None)
    }

    async fn attempt(&self, action: &ActionName, number: u32) -> Result<Found<Attempt>, CatalogError> {
        let Templates { report, code_bundle, .. } = &self.0;
        let fill = |template: &Option<Template>| template.as_ref()?.fill(Names::of(action, number), Encoding::Raw);
        if report.is_none() && code_bundle.is_none() {
            return Ok(Found::NoAction("no such action".into()));
        }
        Ok(Found::Here(Attempt { report_uri: fill(report), code_bundle_uri: fill(code_bundle) }))
    }

    async fn data(&self, action: &ActionName) -> Result<Option<ActionData>, CatalogError> {
        let Templates { inputs, outputs, .. } = &self.0;
        let fill = |template: &Option<Template>| template.as_ref()?.fill(Names::of(action, 0), Encoding::Raw);
        if inputs.is_none() && outputs.is_none() {
            return Ok(None);
        }
        Ok(Some(ActionData { inputs_uri: fill(inputs), outputs_uri: fill(outputs) }))
    }

    async fn log(&self, action: &ActionName, attempt: u32) -> Result<Option<LogSource>, CatalogError> {
        let names = Names::of(action, attempt);
        Ok(match &self.0.log {
            None => None,
            Some(LogTemplate::File(template)) => {
                template.fill(names, Encoding::Raw).map(|path| LogSource::File { path, follow: true })
            }
            Some(LogTemplate::FinishedFile(template)) => {
                template.fill(names, Encoding::Raw).map(|path| LogSource::File { path, follow: false })
            }
            Some(LogTemplate::Object(template)) => {
                template.fill(names, Encoding::Raw).map(|uri| LogSource::Object { uri })
            }
            Some(LogTemplate::Http(template)) => {
                template.fill(names, Encoding::Percent).map(|url| LogSource::Http { url })
            }
            Some(LogTemplate::Kubernetes(template)) => template.source(names).map(LogSource::Kubernetes),
        })
    }
}

/// Writes a name as one part of a URL.
fn percent(value: &str, text: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let digits = [byte >> 4, byte & 15].map(|digit| HEX.get(usize::from(digit)).copied().unwrap_or(b'0'));
            text.extend(['%', char::from(digits[0]), char::from(digits[1])]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Template {
        Template::parse(text, &Variable::OF_ATTEMPT).expect("a template")
    }

    fn action(run: &str) -> ActionName {
        ActionName {
            organization: String::new(),
            project: ProjectName::parse("p").expect("a name"),
            domain: DomainName::parse("d").expect("a name"),
            run: run.into(),
            name: "a0".into(),
        }
    }

    #[tokio::test]
    async fn addresses_are_made_of_names() {
        let catalog = TemplateCatalog::new(Templates {
            inputs: Some(template("s3://b/{project}/{domain}/{run}/{action}/inputs.pb")),
            report: Some(template("s3://b/{run}/{attempt}/report.html")),
            log: Some(LogTemplate::Http(template("http://logs/{run}?attempt={attempt}"))),
            ..Templates::default()
        });
        let data = catalog.data(&action("r 1")).await.expect("answers").expect("is there");
        assert_eq!(data, ActionData { inputs_uri: Some("s3://b/p/d/r 1/a0/inputs.pb".into()), outputs_uri: None });
        let attempt = Attempt { report_uri: Some("s3://b/r/3/report.html".into()), code_bundle_uri: None };
        assert_eq!(catalog.attempt(&action("r"), 3).await, Ok(Found::Here(attempt)));
        let url = "http://logs/%C3%BC%3Fx%26%25?attempt=1".into();
        assert_eq!(catalog.log(&action("ü?x&%"), 1).await, Ok(Some(LogSource::Http { url })));
        assert_eq!(catalog.project("", &ProjectName::parse("p").expect("a name")).await, Ok(None));
    }

    #[tokio::test]
    async fn a_name_that_could_lead_elsewhere_makes_no_address() {
        let catalog = TemplateCatalog::new(Templates {
            inputs: Some(template("s3://b/{run}/inputs.pb")),
            log: Some(LogTemplate::File(template("/var/log/{run}.log"))),
            ..Templates::default()
        });
        for run in ["..", "a/../../b", "a/b", "", "a\0", "."] {
            assert_eq!(catalog.data(&action(run)).await, Ok(Some(ActionData::default())), "{run:?}");
            assert_eq!(catalog.log(&action(run), 1).await, Ok(None), "{run:?}");
        }
    }

    #[tokio::test]
    async fn pods_of_kubernetes_are_made_of_names() {
        let pod = PodTemplate {
            namespace: template("{project}-{domain}"),
            pod: template("{run}-{action}-{attempt}"),
            container: Some(template("{action}")),
        };
        let log = |pod: &PodTemplate| Some(LogTemplate::Kubernetes(pod.clone()));
        let catalog = TemplateCatalog::new(Templates { log: log(&pod), ..Templates::default() });
        let source =
            PodSource { namespace: "p-d".into(), pod: "r-a0-2".into(), container: Some("a0".into()), started_at: None };
        assert_eq!(catalog.log(&action("r"), 2).await, Ok(Some(LogSource::Kubernetes(source.clone()))));
        assert_eq!(catalog.log(&action("../x"), 2).await, Ok(None));
        let any = PodTemplate { container: None, ..pod };
        let catalog = TemplateCatalog::new(Templates { log: log(&any), ..Templates::default() });
        let source = PodSource { container: None, ..source };
        assert_eq!(catalog.log(&action("r"), 2).await, Ok(Some(LogSource::Kubernetes(source))));
    }

    #[tokio::test]
    async fn groups_have_the_projects_name() {
        let group = |text| Template::parse(text, &Variable::OF_PROJECT).expect("a template");
        let projects = ProjectTemplate {
            domains: BTreeSet::new(),
            everyone: false,
            writer_groups: vec![group("{project}-writers")],
            reader_groups: vec![group("staff")],
        };
        let catalog = TemplateCatalog::new(Templates { projects: Some(projects), ..Templates::default() });
        let found = catalog.project("", &ProjectName::parse("p").expect("a name")).await;
        let project = found.expect("answers").expect("is there");
        assert_eq!(project.writers.groups, BTreeSet::from(["p-writers".to_owned()]));
        assert_eq!(project.readers.groups, BTreeSet::from(["staff".to_owned()]));
    }

    #[test]
    fn odd_templates_are_refused() {
        for text in ["{", "}", "a{b", "a}b", "{project}}", "}{project}"] {
            assert_eq!(Template::parse(text, &Variable::OF_ATTEMPT), Err(InvalidTemplate::Brace), "{text}");
        }
        assert_eq!(Template::parse("{pod}", &Variable::OF_ATTEMPT), Err(InvalidTemplate::Variable("pod".into())));
        assert_eq!(Template::parse("{run}", &Variable::OF_PROJECT), Err(InvalidTemplate::Unknown("run")));
    }
}
