use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::data::path::{DomainName, ProjectName};
use crate::data::settings::{DataSettings, UploadSettings};
use crate::data::testing::{FixedCatalog, Parts, caller};

fn ask(bytes: &'static [u8]) -> InputsAsk {
    InputsAsk {
        project: "p".into(),
        domain: "d".into(),
        hash: "ImqB6TmEjYE".into(),
        bytes: Bytes::from_static(bytes),
        ..InputsAsk::default()
    }
}

fn with_base_dirs(allowed: &[&str]) -> Parts {
    let base_dirs = allowed.iter().map(|text| BaseDir::parse(text).expect("a place")).collect();
    let upload = UploadSettings { base_dirs, ..UploadSettings::default() };
    Parts { settings: DataSettings { upload, ..DataSettings::default() }, ..Parts::default() }
}

#[tokio::test]
async fn inputs_of_the_same_key_do_not_replace_each_other() {
    let (service, store, _) = Parts::default().service();
    let base = "uploads/p/d/offloaded-inputs/ImqB6TmEjYE";
    let first = service.upload_inputs(&caller("ann"), ask(b"x=1 y=1")).await.expect("is kept");
    assert_eq!(first, Inputs { uri: format!("s3://main/{base}"), hash: "ImqB6TmEjYE".into() });
    assert_eq!(service.upload_inputs(&caller("ann"), ask(b"x=1 y=1")).await.expect("again"), first);

    let other = service.upload_inputs(&caller("ann"), ask(b"x=1 y=2")).await.expect("is kept");
    let digest = Digest::of(b"x=1 y=2").to_string();
    assert_eq!(other.uri, format!("s3://main/{base}-{}", &digest[..16]));
    assert_eq!(other.hash, first.hash, "the cache key is the same");
    assert_eq!(service.upload_inputs(&caller("ann"), ask(b"x=1 y=2")).await.expect("again"), other);

    assert_eq!(store.get(&format!("{base}/inputs.pb")).as_deref(), Some(&b"x=1 y=1"[..]));
    let longer = service.upload_inputs(&caller("ann"), ask(b"x=1 and much more")).await.expect("is kept");
    assert_ne!(longer.uri, other.uri);
}

#[tokio::test]
async fn a_digest_that_was_cut_is_not_believed_either() {
    let (service, store, _) = Parts::default().service();
    let digest = Digest::of(b"mine").to_string();
    let base = "uploads/p/d/offloaded-inputs/ImqB6TmEjYE";
    store.put(&format!("{base}/inputs.pb"), b"other", None);
    store.put(&format!("{base}-{}/inputs.pb", &digest[..16]), b"planted", None);
    let kept = service.upload_inputs(&caller("ann"), ask(b"mine")).await.expect("is kept");
    assert_eq!(kept.uri, format!("s3://main/{base}-{digest}"));
    store.put(&format!("{base}-{digest}/inputs.pb"), b"planted", None);
    assert!(matches!(service.upload_inputs(&caller("ann"), ask(b"mine")).await, Err(DataError::Internal(_))));
}

#[tokio::test]
async fn organizations_are_part_of_the_path() {
    let (service, ..) = Parts::default().service();
    let ask = |organization: &str| InputsAsk { organization: organization.into(), ..ask(b"x") };
    let uri = service.upload_inputs(&caller("ann"), ask("127")).await.expect("is kept").uri;
    assert_eq!(uri, "s3://main/uploads/127/p/d/offloaded-inputs/ImqB6TmEjYE");
    for organization in ["..", "a/b", "gs://evil-bucket", "a\0"] {
        let refused = service.upload_inputs(&caller("ann"), ask(organization)).await;
        assert!(matches!(refused, Err(DataError::Invalid(_))), "{organization:?}");
    }
}

#[tokio::test]
async fn other_places_are_those_that_are_listed() {
    let (service, _, team) = with_base_dirs(&["s3://team/a", "s3://nowhere"]).service();
    let ask = |base_dir: &str| InputsAsk { base_dir: base_dir.into(), organization: "o".into(), ..ask(b"x") };
    for base_dir in ["s3://team/a", "s3://team/a/", "s3://team/a/b"] {
        let uri = service.upload_inputs(&caller("ann"), ask(base_dir)).await.expect("is kept").uri;
        assert_eq!(uri, format!("{}/o/p/d/offloaded-inputs/ImqB6TmEjYE", base_dir.trim_end_matches('/')));
        assert!(team.get(&format!("{}/inputs.pb", uri.trim_start_matches("s3://team/"))).is_some());
    }
    for base_dir in ["s3://team/ab", "s3://team", "s3://main/a", "s3://team/b"] {
        let refused = service.upload_inputs(&caller("ann"), ask(base_dir)).await;
        assert!(matches!(refused, Err(DataError::Denied(_))), "{base_dir}");
    }
    for base_dir in ["s3://team/a/../b", "team/a", "s3://team/a//b", "s3://nowhere/x"] {
        let refused = service.upload_inputs(&caller("ann"), ask(base_dir)).await;
        assert!(matches!(refused, Err(DataError::Invalid(_))), "{base_dir}");
    }
    let (service, ..) = Parts::default().service();
    let refused = service.upload_inputs(&caller("ann"), ask("s3://main/a")).await;
    assert!(matches!(refused, Err(DataError::Denied(_))), "none by default");
}

#[tokio::test]
async fn inputs_are_refused_where_they_should_be() {
    let upload = UploadSettings { max_size: 4, ..UploadSettings::default() };
    let settings = DataSettings { upload, ..DataSettings::default() };
    let (service, store, _) = Parts { settings, ..Parts::default() }.service();
    let refused = service.upload_inputs(&caller("ann"), ask(b"12345")).await.expect_err("is refused");
    assert_eq!(refused.to_string(), "inputs (5 bytes) exceed maximum allowed size of 4 bytes");
    assert!(matches!(service.upload_inputs(&caller("bob"), ask(b"1")).await, Err(DataError::Denied(_))));
    assert!(matches!(service.upload_inputs(&caller("eve"), ask(b"1")).await, Err(DataError::NotFound(_))));
    let odd = InputsAsk { hash: "../x".into(), ..ask(b"1") };
    assert!(matches!(service.upload_inputs(&caller("ann"), odd).await, Err(DataError::Invalid(_))));
    store.is_broken.store(true, std::sync::atomic::Ordering::SeqCst);
    let failed = service.upload_inputs(&caller("ann"), ask(b"1")).await.expect_err("fails");
    assert_eq!(failed.to_string(), "failed to write inputs: the store failed: broken");
}

fn task(name: &str) -> TaskName {
    TaskName {
        organization: String::new(),
        project: ProjectName::parse("p").expect("a name"),
        domain: DomainName::parse("d").expect("a name"),
        name: name.into(),
        version: "v1".into(),
    }
}

fn trigger(name: &str) -> TaskOf {
    let TaskName { organization, project, domain, name: task_name, .. } = task("t");
    TaskOf::Trigger(TriggerName { organization, project, domain, name: name.into(), task_name })
}

#[tokio::test]
async fn ignored_inputs_are_the_tasks() {
    let catalog = FixedCatalog {
        tasks: [("t@v1".to_owned(), vec!["y".to_owned()])].into(),
        triggers: [("nightly".to_owned(), task("t")), ("lost".to_owned(), task("gone"))].into(),
        ..FixedCatalog::default()
    };
    let (service, ..) = Parts { catalog: Arc::new(catalog), ..Parts::default() }.service();
    let ignored = async |user: &str, of: TaskOf| {
        service.ignored_inputs(&caller(user), &of).await.map_err(|error| error.to_string())
    };
    assert_eq!(ignored("bob", TaskOf::Task(task("t"))).await, Ok(vec!["y".to_owned()]));
    assert_eq!(ignored("bob", trigger("nightly")).await, Ok(vec!["y".to_owned()]));
    for (of, text) in [
        (TaskOf::Task(task("x")), "failed to get task: task \"x\" version \"v1\" not found"),
        (trigger("x"), "failed to get trigger: trigger \"x\" not found"),
        (trigger("lost"), "failed to get task: task \"gone\" version \"v1\" not found"),
    ] {
        assert_eq!(ignored("bob", of).await, Err(text.to_owned()));
    }
    let long = ignored("bob", TaskOf::Task(task(&"t".repeat(256)))).await;
    assert_eq!(long, Err("task name: is longer than 255 bytes".to_owned()));
    assert_eq!(ignored("eve", TaskOf::Task(task("t"))).await, Err("project \"p\" not found".to_owned()));
}

proptest! {
    #[test]
    fn no_inputs_leave_their_project_and_domain(
        organization in prop_oneof![Just(String::new()), Just("gs://evil-bucket".to_owned()), "([o/.%\\\\:]|\\PC|\\p{Cc}){0,8}"],
        project in prop_oneof![Just("open".to_owned()), "(open|[/.%:]){0,4}"],
        domain in prop_oneof![Just("d".to_owned()), "([d/.%\\\\ ]|\\PC|\\p{Cc}){0,8}"],
        hash in prop_oneof![Just("ImqB6TmEjYE".to_owned()), "([h/.%\\\\ ]|\\PC|\\p{Cc}){0,12}"],
        base_dir in prop_oneof![
            Just(String::new()),
            "(s3://team/a|s3://team|s3://main|gs://evil)?(/|a|\\.|\\.\\.|%2e|\\?|#| |@){0,6}",
        ],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let (service, main, team) = with_base_dirs(&["s3://team/a"]).service();
        let (is_usual, place) = (base_dir.is_empty(), [organization.as_str(), "open", &domain].map(str::to_owned));
        let ask = InputsAsk { organization, project, domain, hash: hash.clone(), base_dir, bytes: Bytes::from_static(b"x") };
        let kept = runtime.block_on(service.upload_inputs(&caller("eve"), ask));
        let keys = |store: &crate::data::testing::MemoryStore| {
            crate::data::testing::lock(&store.objects).keys().cloned().collect::<Vec<String>>()
        };
        let (in_main, in_team) = (keys(&main), keys(&team));
        prop_assert_eq!(in_main.len() + in_team.len(), usize::from(kept.is_ok()));
        let other = if is_usual { &in_team } else { &in_main };
        prop_assert!(other.is_empty());
        for key in in_main.iter().chain(&in_team) {
            let base = if is_usual { "uploads/" } else { "a/" };
            prop_assert!(key.starts_with(base), "{}", key);
            prop_assert!(key.split('/').all(|part| !matches!(part, "" | "." | "..")), "{}", key);
            let place: Vec<&str> = place.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
            let tail = format!("/{}/offloaded-inputs/{hash}/inputs.pb", place.join("/"));
            prop_assert!(key.ends_with(&tail), "{} does not end with {}", key, tail);
            prop_assert!(!is_usual || key.len() + 1 == base.len() + tail.len(), "{}", key);
        }
    }
}
