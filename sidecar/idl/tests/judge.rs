//! Our messages against those of Flyte's own package: names, numbers and types, and bytes both ways.

#![expect(clippy::expect_used, reason = "a test that can't go on fails")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use buffa::Message;
use taskgate_idl::proto::flyteidl2::{cluster, dataproxy, task};
use taskgate_test_kit::environment;

fn judge(arguments: &[&str], input: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judge.py");
    let python = environment::flyte().expect("Flyte's package").join("python3");
    let mut command = Command::new(python);
    command.arg(script).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("python3 starts");
    let mut stdin = child.stdin.take().expect("its input");
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input.as_bytes()).expect("it reads"));
        child.wait_with_output().expect("it ends")
    });
    assert!(output.status.success(), "the judge fell over");
    String::from_utf8(output.stdout).expect("text")
}

fn again<M: Message + Default>(bytes: &[u8]) -> Vec<u8> {
    M::decode_from_slice(bytes).expect("a message").encode_to_vec()
}

/// A message, read and written by us.
fn ours(name: &str, bytes: &[u8]) -> Vec<u8> {
    match name {
        "flyteidl2.cluster.SelectClusterRequest" => again::<cluster::SelectClusterRequest>(bytes),
        "flyteidl2.cluster.SelectClusterResponse" => again::<cluster::SelectClusterResponse>(bytes),
        "flyteidl2.dataproxy.CreateDownloadLinkRequest" => again::<dataproxy::CreateDownloadLinkRequest>(bytes),
        "flyteidl2.dataproxy.CreateDownloadLinkResponse" => again::<dataproxy::CreateDownloadLinkResponse>(bytes),
        "flyteidl2.dataproxy.CreateUploadLocationRequest" => again::<dataproxy::CreateUploadLocationRequest>(bytes),
        "flyteidl2.dataproxy.CreateUploadLocationResponse" => again::<dataproxy::CreateUploadLocationResponse>(bytes),
        "flyteidl2.dataproxy.GetActionDataRequest" => again::<dataproxy::GetActionDataRequest>(bytes),
        "flyteidl2.dataproxy.GetActionDataResponse" => again::<dataproxy::GetActionDataResponse>(bytes),
        "flyteidl2.dataproxy.TailLogsRequest" => again::<dataproxy::TailLogsRequest>(bytes),
        "flyteidl2.dataproxy.TailLogsResponse" => again::<dataproxy::TailLogsResponse>(bytes),
        "flyteidl2.dataproxy.UploadInputsRequest" => again::<dataproxy::UploadInputsRequest>(bytes),
        "flyteidl2.dataproxy.UploadInputsResponse" => again::<dataproxy::UploadInputsResponse>(bytes),
        "flyteidl2.task.Inputs" => again::<task::Inputs>(bytes),
        "flyteidl2.task.Outputs" => again::<task::Outputs>(bytes),
        other => unreachable!("{other}"),
    }
}

fn bytes(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("digits"));
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("a byte")).collect()
}

fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn names_numbers_and_types_are_those_of_flytes_package() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ours.bin");
    std::fs::write(&path, taskgate_idl::DESCRIPTORS).expect("a file");
    let said = judge(&["descriptors", path.to_str().expect("text")], "");
    let (differences, count) = said.trim().rsplit_once('\n').unwrap_or(("", said.trim()));
    assert_eq!(differences.trim(), "");
    let count: usize = count.trim_end_matches(" messages").parse().expect("a number");
    assert!(count > 100, "only {count} messages were compared");
}

// Fields may stand in any order: the package writes them by number, ours keep the members of a oneof together. So
// what we write is compared once the package has read it and written it again, and before that by its size.
#[test]
fn bytes_are_those_of_flytes_package() {
    let samples = judge(&["samples"], "");
    let mut written = String::new();
    let mut is_same = 0;
    for line in samples.lines() {
        let (name, theirs) = line.split_once(' ').expect("a name and bytes");
        let ours = text(&ours(name, &bytes(theirs)));
        assert_eq!(ours.len(), theirs.len(), "{name}");
        is_same += usize::from(ours == theirs);
        writeln!(written, "{name} {ours}").expect("memory");
    }
    assert_eq!(judge(&["encode"], &written), samples);
    let count = samples.lines().count();
    assert!(count > 400 && is_same > count / 4, "{is_same} of {count} are the same at once");
}
