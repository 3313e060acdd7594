//! The same tree copied here and by h5py: both copies look the same, with every flag.

use serde_json::{Value, json};
use taskgate_test_kit::python;

use super::stage::{SOURCE, Stage, TREE, at, trees};

fn flags() -> Vec<Value> {
    vec![
        json!({}),
        json!({"shallow": true}),
        json!({"expand_soft": true}),
        json!({"expand_external": true}),
        json!({"expand_refs": true}),
        json!({"without_attrs": true}),
        json!({"expand_soft": true, "expand_external": true, "expand_refs": true}),
        json!({"shallow": true, "without_attrs": true, "expand_soft": true}),
    ]
}

#[tokio::test]
async fn copies_within_a_domain_are_what_h5py_makes() {
    compare(SOURCE, "tree.h5").await;
}

#[tokio::test]
async fn copies_into_another_domain_are_what_h5py_makes() {
    compare("/home/test_user1/copies.h5", "copies.h5").await;
}

async fn compare(domain: &str, file: &str) {
    let stage = Stage::planted().await;
    if domain != SOURCE {
        stage.domain(domain).await;
    }
    let paths: Vec<String> = (0..flags().len()).map(|number| format!("/copies/{number}")).collect();
    for (flags, path) in flags().into_iter().zip(&paths) {
        stage.copy(at(SOURCE, "/tree"), flags, at(domain, path)).await.expect("a copy");
    }
    let ours = stage.dump(domain, &paths).await;

    let directory = tempfile::tempdir().expect("a directory");
    let name = |file: &str| directory.path().join(file).display().to_string();
    let (tree, other, copies) = (name("tree.h5"), name("other.h5"), name(file));
    let run = async |arguments: Vec<&str>| python(TREE, &arguments).await.expect("the program runs");
    run(vec!["build", "h5py", &tree, &other]).await;
    let flags: Vec<String> = flags().iter().map(Value::to_string).collect();
    run(["copy", &tree, &other, &copies].into_iter().chain(flags.iter().map(String::as_str)).collect()).await;
    let theirs = run(["dump", "h5py", &copies].into_iter().chain(paths.iter().map(String::as_str)).collect()).await;

    for ((flags, ours), theirs) in flags.iter().zip(ours).zip(trees(&theirs)) {
        let (ours, theirs) = (ours.as_array().expect("a list").clone(), theirs.as_array().expect("a list").clone());
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert_eq!(ours, theirs, "{flags}");
        }
        assert_eq!(ours.len(), theirs.len(), "{flags}");
        assert!(ours.len() > 6, "{flags}: there is something to compare");
    }
}
