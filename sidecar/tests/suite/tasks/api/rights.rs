//! What is asked of a real HSDS before a task is accepted: where links lead, and each right that the work needs.

use reqwest::Method;
use serde_json::{Value, json};
use taskgate_test_kit::{Hsds, HsdsUser};

use super::support::{Answer, Api, at, make_domain};

/// Makes links of the first domain lead to the others: pairs of a name and `domain:path`.
const LINK: &str = "
import h5pyd, sys
with h5pyd.File(sys.argv[1], 'a') as f:
    for pair in sys.argv[2:]:
        name, target = pair.split('=')
        domain, path = target.split(':')
        group, _, name = name.rpartition('/')
        group = f.require_group(group) if group else f
        group[name] = h5pyd.ExternalLink(domain, path)
";

/// Says what a user may do in somebody's domain.
async fn allow(hsds: &Hsds, owner: HsdsUser, domain: &str, user: &str, rights: [bool; 3]) {
    let [read, create, update] = rights;
    let rights = json!({
        "read": read, "create": create, "update": update, "delete": false, "readACL": false, "updateACL": false,
    });
    let path = format!("/acls/{user}?domain={domain}");
    hsds.ask(owner, Method::PUT, &path, Some(&rights)).await.expect("changes rights");
}

fn outcome(answer: &Answer) -> (u16, String) {
    let shown = format!("{} {}", answer.body["code"].as_str().unwrap_or_default(), answer.body["detail"]);
    (answer.status, shown)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_link_leads_to_must_be_permitted_where_it_is() {
    let hsds = Hsds::start().await.expect("HSDS");
    let service = "  operations:\n  - name: service\n    summary: Works with rights of its own.\n    \
                   destinations: {least: 0, most: 1}\n    sources: {least: 0, most: 1}\n    writes: creates\n    \
                   command: {path: /bin/true}\n";
    let api = Api::start(&hsds, 0, service).await;
    let mine = make_domain(&hsds, HsdsUser::One, "mine.h5").await;
    let theirs = make_domain(&hsds, HsdsUser::Two, "theirs.h5").await;
    // A link to a dataset, to a group, and to another link.
    let between = make_domain(&hsds, HsdsUser::One, "between.h5").await;
    let links = [format!("far={theirs}:/a"), format!("group={theirs}:/"), format!("farther={between}:/far")];
    hsds.python(HsdsUser::One, LINK, &[&mine, &links[0], &links[1], &links[2]]).await.expect("links");
    hsds.python(HsdsUser::One, LINK, &[&between, &links[0]]).await.expect("a link");

    let service = |path: &str| json!({"operation": "service", "src": [at(&mine, path)]});
    let negative =
        |path: &str, to: &str| json!({"operation": "negative", "src": [at(&mine, path)], "des": [at(&mine, to)]});
    for path in ["/far", "/farther", "/group", "/group/a"] {
        for request in [service(path), negative(path, "/b")] {
            let (status, shown) = outcome(&api.post(HsdsUser::One, &request).await);
            assert_eq!(status, 403, "{request}: {shown}");
            assert!(shown.contains("location-forbidden") && shown.contains("`src[0]`"), "{shown}");
        }
    }
    let copy = json!({"operation": "copy", "src": [at(&mine, "/far")], "des": [at(&mine, "/copy")]});
    assert_eq!(api.post(HsdsUser::One, &copy).await.status, 403);

    // What is made through a link is made in another domain.
    for path in ["/group/new", "/far"] {
        let request = json!({"operation": "service", "des": [at(&mine, path)]});
        let (status, shown) = outcome(&api.post(HsdsUser::One, &request).await);
        assert!(matches!(status, 400 | 403), "{request}: {status} {shown}");
    }

    allow(&hsds, HsdsUser::Two, &theirs, "test_user1", [true, false, false]).await;
    for path in ["/far", "/farther", "/group", "/group/a"] {
        let (status, shown) = outcome(&api.post(HsdsUser::One, &service(path)).await);
        assert_eq!(status, 200, "{path}: {shown}");
    }
    // The right that was just taken away is none, whatever the server remembers.
    allow(&hsds, HsdsUser::Two, &theirs, "test_user1", [false; 3]).await;
    let again = json!({"operation": "noop", "src": [at(&mine, "/far")]});
    assert_eq!(api.post(HsdsUser::One, &again).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_must_be_permitted_with_all_that_it_takes() {
    let hsds = Hsds::start().await.expect("HSDS");
    let api = Api::start(&hsds, 0, "").await;
    let mine = make_domain(&hsds, HsdsUser::Two, "mine.h5").await;
    let theirs = make_domain(&hsds, HsdsUser::One, "theirs.h5").await;
    let copy = json!({"operation": "copy", "src": [at(&mine, "/a")], "des": [at(&theirs, "/copy")]});
    let rescan = json!({"operation": "rescan", "des": [at(&theirs, "/")]});
    let before = listed(&hsds, &theirs).await;
    for (rights, expected) in [
        ([true, false, false], 403),
        // Values are written and flushed, which is not the right to make datasets.
        ([true, true, false], 403),
        ([true, false, true], 403),
        ([true, true, true], 200),
    ] {
        allow(&hsds, HsdsUser::One, &theirs, "test_user2", rights).await;
        for request in [&copy, &rescan] {
            let (status, shown) = outcome(&api.post(HsdsUser::Two, request).await);
            assert_eq!(status, expected, "{rights:?} {request}: {shown}");
            assert!(status == 200 || shown.contains("you may not"), "{shown}");
        }
    }
    assert_eq!(listed(&hsds, &theirs).await, before, "asking changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_argument_makes_a_domain_that_is_not_there() {
    let hsds = Hsds::start().await.expect("HSDS");
    let service = "  operations:\n  - name: service\n    summary: Takes any arguments.\n    \
                   destinations: {least: 0, most: 1}\n    writes: creates\n    arguments: {}\n    \
                   command: {path: /bin/true}\n";
    let api = Api::start(&hsds, 0, service).await;
    for domain in ["/home/test_user1/no.h5", "/home/test_user2/no.h5"] {
        let request = json!({"operation": "service", "args": {"create_domain": true}, "des": [at(domain, "/x")]});
        let (status, shown) = outcome(&api.post(HsdsUser::One, &request).await);
        assert_eq!(status, 404, "{shown}");
        assert!(shown.contains("location-not-found"), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_takes_nothing_through_links_that_its_owner_may_not_read() {
    let hsds = Hsds::start().await.expect("HSDS");
    let api = Api::start(&hsds, 1, "").await;
    let mine = make_domain(&hsds, HsdsUser::One, "mine.h5").await;
    let theirs = make_domain(&hsds, HsdsUser::Two, "theirs.h5").await;
    hsds.python(HsdsUser::One, LINK, &[&mine, &format!("tree/far={theirs}:/a")]).await.expect("a link");
    let copy = async |to: &str| {
        let request = json!({
            "operation": "copy", "src": [at(&mine, "/tree")], "des": [at(&mine, to)], "args": {"expand_external": true},
        });
        let asked = api.ask(HsdsUser::One, Method::POST, "/tasks").header("prefer", "wait=30").json(&request);
        asked.send().await.body
    };
    let refused = copy("/refused").await;
    assert_eq!((&refused["status"], &refused["error"]["code"]), (&json!("failed"), &json!("forbidden")), "{refused}");
    allow(&hsds, HsdsUser::Two, &theirs, "test_user1", [true, false, false]).await;
    let copied = copy("/copied").await;
    assert_eq!((&copied["status"], &copied["result"]["objects"]), (&json!("complete"), &json!(2)), "{copied}");
}

async fn listed(hsds: &Hsds, domain: &str) -> Value {
    let about = hsds.ask(HsdsUser::Admin, Method::GET, &format!("/?domain={domain}"), None).await.expect("a domain");
    let root = about["root"].as_str().expect("an id");
    let path = format!("/groups/{root}?domain={domain}");
    let group = hsds.ask(HsdsUser::Admin, Method::GET, &path, None).await.expect("a group");
    json!([group["attributeCount"], group["linkCount"], group["lastModified"]])
}
