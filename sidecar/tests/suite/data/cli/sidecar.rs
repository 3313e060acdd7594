//! The commands and the sidecar as it is started from a configuration.

use taskgate_test_kit::ReservedAddress;

use super::stage::{bytes, run};
use crate::kit::{SERVICES, Sidecar, config, tokens};

const CATALOG: &str = "
projects:
- {name: p, domains: [d], writers: {users: [ann]}, readers: {groups: [ml]}}
actions:
- project: p
  domain: d
  run: r1
  action: a0
  attempts: [{number: 1, report_uri: \"taskgate://main/uploads/p/d/reports/report.html\"}]
";

#[tokio::test]
async fn what_one_uploads_another_downloads() {
    let address = ReservedAddress::new().expect("an address");
    let server = format!("http://{}", address.address());
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("services.yaml"), SERVICES).expect("writes");
    std::fs::write(directory.path().join("catalog.yaml"), CATALOG).expect("writes");
    let settings = format!(
        "public: {{listen: \"{}\"}}\n\
         data:\n  stores: {{main: {{local: {{folder: objects, public_url: \"{server}\"}}}}}}\n  \
         catalog: [{{file: {{path: catalog.yaml}}}}]\n{}",
        address.address(),
        tokens(&[("ann", ""), ("bob", ", groups: [ml]"), ("eve", "")])
    );
    let _sidecar = Sidecar::start_in(directory, &config(&settings)).await;

    let own = tempfile::tempdir().expect("a directory");
    for user in ["ann", "bob", "eve"] {
        std::fs::write(own.path().join(user), format!("token-of-{user}")).expect("writes");
    }
    std::fs::write(own.path().join("report.html"), bytes(300_000)).expect("writes");
    std::fs::write(own.path().join("large"), bytes(65 << 20)).expect("writes");
    let as_user = async |user: &str, words: &[&str]| run(&server, own.path(), user, words).await;
    let upload = ["upload", "--project", "p", "--domain", "d", "--root", "reports", "report.html", "large"];
    let uris = as_user("ann", &upload).await.well();
    assert_eq!(uris, "taskgate://main/uploads/p/d/reports/report.html\ntaskgate://main/uploads/p/d/reports/large");
    assert!(as_user("bob", &upload).await.badly().contains("but not write to it"));

    for (uri, name) in uris.lines().zip(["report.html", "large"]) {
        as_user("bob", &["download", uri, "-o", "got", "--force"]).await.well();
        assert!(as_user("eve", &["download", uri, "-o", "x"]).await.badly().contains("404"));
        let read = |name| std::fs::read(own.path().join(name)).expect("reads");
        assert_eq!(read("got"), read(name));
    }
    let words = ["download", "--run", "r1", "--action", "a0", "--project", "p", "--domain", "d", "-o", "copy"];
    as_user("bob", &words).await.well();
    assert_eq!(std::fs::read(own.path().join("copy")).expect("reads"), bytes(300_000));
}
