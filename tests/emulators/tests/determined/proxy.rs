//! Whom the proxy lets through, as it was measured and read.

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use taskgate_emulators::determined::{Determined, Kind, Task};

async fn status(master: &Determined, path: &str, headers: &[(&str, &str)]) -> StatusCode {
    let client = Client::builder().redirect(Policy::none()).build().unwrap();
    let request = client.get(format!("{}{path}", master.url()));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.send().await.unwrap().status()
}

#[tokio::test]
async fn tokens_of_tasks_come_before_sessions_and_denial_hides() {
    let master = Determined::start().await.unwrap();
    for name in ["alice", "bob"] {
        master.add_user(name, "p");
    }
    let nowhere = "127.0.0.1:9".parse().unwrap();
    for id in ["a", "b"] {
        master.set_task(Task::new(id, Kind::Notebook, "alice").port(2_900, nowhere).by_default());
    }
    let (alice, bob) = (format!("Bearer {}", master.session("alice")), format!("Bearer {}", master.session("bob")));
    let (alice, bob) = (("authorization", alice.as_str()), ("authorization", bob.as_str()));
    // Nobody listens there: a bad gateway is beyond the check.
    let through = StatusCode::BAD_GATEWAY;
    assert_eq!(status(&master, "/proxy/a/", &[alice]).await, through);
    assert_eq!(status(&master, "/proxy/a/", &[bob]).await, StatusCode::NOT_FOUND);
    assert_eq!(status(&master, "/proxy/c/", &[alice]).await, StatusCode::NOT_FOUND);
    assert_eq!(status(&master, "/proxy/a:2900/", &[alice]).await, StatusCode::NOT_FOUND);
    assert_eq!(status(&master, "/proxy/a/", &[]).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(&master, "/proxy/a/", &[("cookie", "auth=old")]).await, StatusCode::SEE_OTHER);
    assert_eq!(status(&master, "/proxy/a/?token=v2.public.token-of-a", &[bob]).await, through);
    assert_eq!(status(&master, "/proxy/b/?token=v2.public.token-of-a", &[alice]).await, StatusCode::UNAUTHORIZED);
    let token = ("authorization", "token v2.public.token-of-b");
    assert_eq!(status(&master, "/proxy/b/", &[token]).await, through);
    assert_eq!((master.begun("a"), master.begun("c")), (5, 0), "each beginning counts, whoever asks");
}
