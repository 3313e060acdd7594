//! Cookies of tasks on a host that they share with each other and with the master.

use axum::Router;
use axum::http::header::SET_COOKIE;
use axum::response::AppendHeaders;
use taskgate_emulators::determined::{Kind, Task};
use tokio::net::TcpListener;

use super::site::{Site, get};
use crate::support::Outcome;

#[tokio::test]
async fn a_task_sets_cookies_for_its_own_path_and_none_of_the_masters() -> Outcome {
    let site = Site::new().await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let cookies = AppendHeaders([
        (SET_COOKIE, "_xsrf=1; Path=/proxy/a/"),
        (SET_COOKIE, "all=1; Path=/"),
        (SET_COOKIE, "other=1; Path=/proxy/b/"),
        (SET_COOKIE, "auth=stolen; Path=/proxy/a/"),
        (SET_COOKIE, "det_jwt=stolen"),
        (SET_COOKIE, "plain=1"),
    ]);
    // Both would be said for the whole host.
    let others = AppendHeaders([("clear-site-data", "\"*\""), ("service-worker-allowed", "/")]);
    let router = Router::new().fallback(move || async move { (cookies, others, "page") });
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    site.master.set_task(Task::new("a", Kind::Notebook, "alice").port(2_900, address).by_default());
    let gateway = site.gateway(|_| {}).await?;
    let answer = gateway.ingress.send(get("/proxy/a/lab").token(&site.alice)).await?;
    let lines: Vec<&str> = answer.headers.get_all("set-cookie").iter().filter_map(|line| line.to_str().ok()).collect();
    assert_eq!((answer.status, &lines[..]), (200, &["_xsrf=1; Path=/proxy/a/", "plain=1"][..]));
    for name in ["clear-site-data", "service-worker-allowed"] {
        assert!(!answer.headers.contains_key(name), "{name}");
    }
    server.abort();
    Ok(())
}
