//! The way to containers through the controller, which the real client does not take: what was measured of it.

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::json;
use taskgate_emulators::arvados::{Arvados, Submission};

fn ask(cluster: &Arvados, prefix: &str, path: &str) -> RequestBuilder {
    let client = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
    let host = cluster.external_url().replace("http://*", prefix);
    client.get(format!("{}{path}", cluster.url())).header("host", host.trim_end_matches('/'))
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn statuses_are_as_wrong_as_those_of_the_controller() {
    let cluster = Arvados::start().await.unwrap();
    let alice = cluster.add_user("alice");
    let ports = json!({"1": {"access": "public", "label": "a", "initial_path": ""},
        "2": {"access": "private", "label": "b", "initial_path": ""}});
    let (_, container) = cluster.start_service(Submission::new(&alice).ports(ports));
    for (prefix, expected) in [
        (format!("{container}-2"), 500),
        (format!("{container}-1"), 502),
        (format!("{container}-1xyz"), 502),
        (format!("{container}-0"), 400),
        (container.to_uppercase() + "-1", 404),
        ("nothing".to_owned(), 404),
    ] {
        assert_eq!(status(ask(&cluster, &prefix, "/")).await, expected, "{prefix}");
    }
    // Anything else is the API.
    assert_eq!(status(reqwest::Client::new().get(format!("{}/arvados/v1/config", cluster.url()))).await, 200);
}

#[tokio::test]
async fn a_token_in_the_query_becomes_a_cookie_and_a_lost_order() {
    let cluster = Arvados::start().await.unwrap();
    let answer = ask(&cluster, "x", "/foo?waz=q&baz&arvados_api_token=v2/a/b").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(answer.headers()[LOCATION], "/foo?baz=&waz=q");
    assert!(answer.headers()[SET_COOKIE].to_str().unwrap().starts_with("arvados_api_token=djIvYS9i; Path=/; HttpOnly"));
    assert_eq!(status(ask(&cluster, "x", "/a//b")).await, 301);
}

#[tokio::test]
async fn an_upgrade_is_accepted_and_then_there_is_silence() {
    let cluster = Arvados::start().await.unwrap();
    let alice = cluster.add_user("alice");
    let ports = json!({"1": {"access": "public", "label": "a", "initial_path": ""}});
    let (_, container) = cluster.start_service(Submission::new(&alice).ports(ports));
    cluster.serve(&container, 1, ([127, 0, 0, 1], 9).into());
    let request = ask(&cluster, &format!("{container}-1"), "/ws");
    let request = request.header("connection", "Upgrade").header("upgrade", "websocket");
    assert_eq!(status(request.header(COOKIE, "x=1")).await, 101);
}
