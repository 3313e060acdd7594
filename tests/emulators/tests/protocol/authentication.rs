//! Who gets in, and as whom.

use reqwest::{Method, StatusCode};
use taskgate_emulators::ytsaurus::{COOKIE, codes};

use super::ask::{TOKEN, cluster, request, send};

#[tokio::test]
async fn schemes_are_case_sensitive() {
    let cluster = cluster().await;
    for method in [Method::GET, Method::POST] {
        let whoami =
            |header: String| send(request(&cluster, method.clone(), "/auth/whoami").header("authorization", header));
        for scheme in ["OAuth", "Bearer"] {
            let reply = whoami(format!("{scheme} {TOKEN}")).await;
            assert_eq!((reply.status, reply.json()["login"].as_str()), (StatusCode::OK, Some("robot")));
        }
        for malformed in ["oauth", "bearer", "Basic", "BEARER"] {
            let reply = whoami(format!("{malformed} {TOKEN}")).await;
            assert_eq!(reply.status, 401);
            assert_eq!(reply.json()["message"], "Malformed Authorization header");
            assert_eq!(reply.header("x-yt-error"), None, "this handler has errors in the body alone");
        }
        let unknown = whoami("OAuth nobodys".to_owned()).await;
        assert_eq!(unknown.status, 401);
        assert!(unknown.has_code(codes::INVALID_CREDENTIALS));
    }
}

#[tokio::test]
async fn without_credentials_there_is_little() {
    let cluster = cluster().await;
    let get = |path: &'static str| send(request(&cluster, Method::GET, path));
    for path in ["/api/v4/get?path=/", "/auth/whoami", "/api/v4/no_such_command"] {
        let reply = get(path).await;
        assert_eq!(reply.status, 401, "{path}");
        assert_eq!(reply.json()["message"], "Client is missing credentials");
    }
    for path in ["/api", "/api/v4", "/ping", "/version", "/hosts", "/api/v4/discover_proxies"] {
        assert_eq!(get(path).await.status, 200, "{path}");
    }
    assert_eq!(get("/api").await.json(), serde_json::json!(["v3", "v4"]));
    assert_eq!(get("/hosts").await.json(), serde_json::json!([cluster.address()]));
    let command = get("/api/v4").await.json();
    let write = command.as_array().unwrap().iter().find(|command| command["name"] == "write_table").unwrap();
    assert_eq!((&write["input_type"], &write["is_heavy"]), (&"tabular".into(), &true.into()));
}

#[tokio::test]
async fn cookies_need_a_csrf_token_for_what_is_not_a_get() {
    let cluster = cluster().await;
    cluster.add_cookie("alice", "alices-cookie");
    let with_cookie = |method, path: &str| {
        request(&cluster, method, path).header("cookie", format!("a=b; {COOKIE}=alices-cookie; c=d"))
    };
    let whoami = send(with_cookie(Method::POST, "/auth/whoami")).await;
    assert_eq!(whoami.status, 200);
    assert_eq!(whoami.json()["login"], "alice");
    let csrf = whoami.json()["csrf_token"].as_str().unwrap().to_owned();
    assert_eq!(send(with_cookie(Method::GET, "/api/v4/get?path=//sys")).await.status, 200);
    let post = || with_cookie(Method::POST, "/api/v4/create?path=//tmp/x&type=map_node&ignore_existing=true");
    let missing = send(post()).await;
    assert_eq!((missing.status, missing.header("x-yt-response-code")), (StatusCode::UNAUTHORIZED, Some("111")));
    assert_eq!(send(post().header("x-csrf-token", "0:1")).await.status, 401);
    assert_eq!(send(post().header("x-csrf-token", csrf)).await.status, 200);
    cluster.revoke_cookie("alices-cookie");
    assert_eq!(send(with_cookie(Method::GET, "/auth/whoami")).await.status, 401);
}

#[tokio::test]
async fn a_token_comes_before_a_cookie() {
    let cluster = cluster().await;
    cluster.add_cookie("alice", "alices-cookie");
    let whoami = |header: &'static str| {
        let request =
            request(&cluster, Method::GET, "/auth/whoami").header("cookie", format!("{COOKIE}=alices-cookie"));
        send(request.header("authorization", header))
    };
    assert_eq!(whoami("OAuth wrong").await.status, 401, "the cookie is not looked at");
    assert_eq!(whoami("Basic cm9ib3Q6").await.status, 401);
}

#[tokio::test]
async fn without_authentication_everybody_is_root_or_who_they_say() {
    let cluster = cluster().await;
    cluster.require_authentication(false);
    let whoami = send(request(&cluster, Method::GET, "/auth/whoami").header("authorization", "OAuth wrong")).await;
    assert_eq!(whoami.json()["login"], "root");
    let whoami = send(request(&cluster, Method::GET, "/auth/whoami").header("x-yt-user-name", "mallory")).await;
    assert_eq!(whoami.json()["login"], "mallory");
}

#[tokio::test]
async fn the_banned_stay_outside() {
    let cluster = cluster().await;
    cluster.set_banned("robot", true);
    let get = || send(request(&cluster, Method::GET, "/api/v4/get?path=//sys").bearer_auth(TOKEN));
    let reply = get().await;
    assert_eq!(reply.status, 403);
    assert!(reply.has_code(codes::USER_BANNED));
    cluster.set_banned("robot", false);
    assert_eq!(get().await.status, 200);
}

#[tokio::test]
async fn what_was_sent_can_be_looked_at() {
    let cluster = cluster().await;
    let request = request(&cluster, Method::GET, "/api/v4/get?path=//sys").bearer_auth(TOKEN);
    send(request.header("x-yt-correlation-id", "1-2-3-4")).await;
    let seen = cluster.seen("get").pop().unwrap();
    assert_eq!(seen.user.as_deref(), Some("robot"));
    assert_eq!(seen.headers["authorization"], format!("Bearer {TOKEN}"));
    assert_eq!(seen.headers["x-yt-correlation-id"], "1-2-3-4");
    assert!(!seen.headers.contains_key("x-yt-user-name"));
    assert_eq!(seen.parameters.find("path").and_then(|path| path.as_str()), Some("//sys"));
    assert_eq!(cluster.calls(), [("get".to_owned(), 1)].into());
}
