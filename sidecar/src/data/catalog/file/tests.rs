use std::sync::Arc;

use super::*;
use crate::data::catalog::Members;
use crate::data::path::DomainName;

const CATALOG: &str = "
projects:
- name: flytesnacks
  domains: [development]
  writers: {users: [ann], groups: [ml]}
  readers: {everyone: true}
- name: flytesnacks
  organization: other
- name: ../evil
- name: odd
  writer: {users: [eve]}
- name: flytesnacks
tasks:
- {project: flytesnacks, domain: development, name: t, ignored_inputs: ['y']}
- {project: flytesnacks, domain: development, name: t, version: v2, ignored_inputs: []}
triggers:
- {project: flytesnacks, domain: development, task: t, name: nightly, version: v7}
actions:
- project: flytesnacks
  domain: development
  run: r1
  action: a0
  inputs_uri: s3://b/in
  attempts:
  - {number: 1, report_uri: s3://b/report, log: {file: /var/log/r1.log}}
  - {number: 2, log: {object: s3://b/log}}
";

fn project(name: &str) -> ProjectName {
    ProjectName::parse(name).expect("a name")
}

fn action(run: &str) -> ActionName {
    let domain = DomainName::parse("development").expect("a name");
    ActionName {
        organization: "127".into(),
        project: project("flytesnacks"),
        domain,
        run: run.into(),
        name: "a0".into(),
    }
}

fn task(version: &str) -> TaskName {
    let ActionName { organization, project, domain, .. } = action("r1");
    TaskName { organization, project, domain, name: "t".into(), version: version.into() }
}

fn open(text: &str) -> (tempfile::TempDir, FileCatalog) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("catalog.yaml");
    std::fs::write(&path, text).expect("writes");
    let catalog = FileCatalog::open(&path, Duration::from_millis(50)).expect("a catalog");
    (folder, catalog)
}

#[tokio::test]
async fn a_file_says_what_is_there() {
    let (_folder, catalog) = open(CATALOG);
    let found = catalog.project("127", &project("flytesnacks")).await.expect("answers").expect("is there");
    assert_eq!(found.domains, [DomainName::parse("development").expect("a name")].into());
    assert_eq!(found.writers.users, ["ann".to_owned()].into());
    assert_eq!(found.readers, Members { everyone: true, ..Members::default() });
    let other = catalog.project("other", &project("flytesnacks")).await.expect("answers").expect("is there");
    assert_eq!(other, Project::default(), "its own organization's comes first");
    assert_eq!(catalog.project("", &project("missing")).await, Ok(None));
    assert_eq!(catalog.project("", &project("odd")).await, Ok(None), "a row with a key that is not known");

    assert_eq!(catalog.ignored_inputs(&task("v1")).await, Ok(Some(vec!["y".to_owned()])));
    assert_eq!(catalog.ignored_inputs(&task("v2")).await, Ok(Some(Vec::new())));
    let TaskName { organization, project, domain, name: task_name, .. } = task("");
    let trigger = TriggerName { organization, project, domain, name: "nightly".into(), task_name };
    assert_eq!(catalog.trigger(&trigger).await, Ok(Some(task("v7"))));

    let attempt = Attempt { report_uri: Some("s3://b/report".into()), code_bundle_uri: None };
    assert_eq!(catalog.attempt(&action("r1"), 1).await, Ok(Found::Here(attempt)));
    assert_eq!(catalog.attempt(&action("r1"), 3).await, Ok(Found::NoAttempt));
    assert!(matches!(catalog.attempt(&action("r2"), 1).await, Ok(Found::NoAction(_))));
    let data = ActionData { inputs_uri: Some("s3://b/in".into()), outputs_uri: None };
    assert_eq!(catalog.data(&action("r1")).await, Ok(Some(data)));
    let log = LogSource::File { path: "/var/log/r1.log".into(), follow: true };
    assert_eq!(catalog.log(&action("r1"), 1).await, Ok(Some(log)));
    assert_eq!(catalog.log(&action("r1"), 2).await, Ok(Some(LogSource::Object { uri: "s3://b/log".into() })));
}

#[tokio::test]
async fn names_need_no_quotes() {
    let row = "{project: flytesnacks, domain: development, name: t, version: 1.0, ignored_inputs: [y, on]}";
    let (_folder, catalog) = open(&format!("tasks: [{row}]"));
    let ignored = Some(vec!["y".to_owned(), "on".to_owned()]);
    assert_eq!(catalog.ignored_inputs(&task("1.0")).await, Ok(ignored));
}

#[tokio::test]
async fn a_file_that_changes_is_read_again_and_a_broken_one_is_not_taken() {
    let (folder, catalog) = open(CATALOG);
    let (catalog, stop) = (Arc::new(catalog), CancellationToken::new());
    let running = tokio::spawn({
        let (catalog, stop) = (Arc::clone(&catalog), stop.clone());
        async move { catalog.run(stop).await }
    });
    let path = folder.path().join("catalog.yaml");
    let has = async |name: &str| catalog.project("", &project(name)).await.expect("answers").is_some();
    for (text, name) in [("projects: [{name: second}]", "second"), ("projects: [{name: third}]", "third")] {
        // A broken file between the two changes nothing.
        std::fs::write(&path, "projects: [").expect("writes");
        std::fs::write(&path, text).expect("writes");
        tokio::time::timeout(Duration::from_secs(20), async {
            while !has(name).await {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .expect("is read again");
    }
    std::fs::write(&path, "projects: [").expect("writes");
    catalog.refresh().await;
    assert!(has("third").await);
    stop.cancel();
    running.await.expect("ends");
    assert!(FileCatalog::open(&path, Duration::from_secs(1)).is_err());
}

#[tokio::test]
async fn rows_of_one_name_are_those_of_their_organizations() {
    let row = |organization: &str, uri: &str| {
        format!(
            "- {{{organization}project: flytesnacks, domain: development, run: r1, action: a0, inputs_uri: \"{uri}\"}}\n"
        )
    };
    let rows = [
        row("organization: one, ", "s3://b/1"),
        row("organization: two, ", "s3://b/2"),
        row("", "s3://b/any"),
        row("", "s3://b/x"),
    ];
    let (_folder, catalog) = open(&format!("actions:\n{}", rows.concat()));
    for (organization, uri) in [("one", "s3://b/1"), ("two", "s3://b/2"), ("three", "s3://b/any"), ("", "s3://b/any")] {
        let action = ActionName { organization: organization.into(), name: "a0".into(), ..action("r1") };
        let found = catalog.data(&action).await.expect("answers").expect("is there");
        assert_eq!(found.inputs_uri.as_deref(), Some(uri), "{organization}");
    }
}
