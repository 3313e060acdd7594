//! Where parameters and formats come from, and which win.

use base64::Engine as _;
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use std::io::Write as _;
use taskgate_emulators::ytsaurus::Ytsaurus;

use super::ask::{TOKEN, cluster, request, send, yson};

fn get(cluster: &Ytsaurus, query: &str) -> RequestBuilder {
    request(cluster, Method::GET, &format!("/api/v4/get{query}")).bearer_auth(TOKEN)
}

async fn with_value() -> Ytsaurus {
    let cluster = cluster().await;
    cluster.set("//home/v", yson("{a=<x=1>\"é\"}")).unwrap();
    cluster
}

#[tokio::test]
async fn later_ones_win() {
    let cluster = with_value().await;
    for path in ["//home/a", "//home/b", "//home/c"] {
        cluster.set(path, yson("1")).unwrap();
    }
    let exists = |query: &str, header: Option<&str>, body: Option<&str>| {
        let mut request = request(&cluster, Method::POST, &format!("/api/v4/get?return_only_value=true&{query}"));
        request = request.bearer_auth(TOKEN).header("content-type", "application/json");
        if let Some(header) = header {
            request = request.header("x-yt-parameters", header.to_owned());
        }
        send(request.body(body.unwrap_or_default().to_owned()))
    };
    let missing = "path=//missing";
    assert_eq!(exists("path=//home/a", None, None).await.status, 200);
    assert_eq!(exists(missing, None, None).await.status, 400);
    assert_eq!(exists(missing, Some("{\"path\":\"//home/b\"}"), None).await.status, 200);
    let in_body = exists(missing, Some("{\"path\":\"//missing\"}"), Some("{\"path\":\"//home/c\"}")).await;
    assert_eq!((in_body.status, in_body.text()), (reqwest::StatusCode::OK, "1".to_owned()));
}

#[tokio::test]
async fn long_headers_come_in_parts() {
    let cluster = with_value().await;
    let encoded = base64::engine::general_purpose::STANDARD.encode("{\"path\":\"//home/v\"}");
    for separator in ["", "-"] {
        let mut request = get(&cluster, "");
        for (index, part) in encoded.as_bytes().chunks(5).enumerate() {
            request = request.header(format!("X-YT-Parameters{separator}{index}"), part);
        }
        assert_eq!(send(request).await.status, 200);
    }
    let malformed = send(get(&cluster, "").header("x-yt-parameters0", "***")).await;
    assert_eq!(malformed.status, 400);
}

#[tokio::test]
async fn headers_are_json_unless_they_say_yson() {
    let cluster = with_value().await;
    let parameters = |format: Option<&str>, parameters: &str| {
        let request = get(&cluster, "").header("x-yt-parameters", parameters);
        send(match format {
            Some(format) => request.header("x-yt-header-format", format),
            None => request,
        })
    };
    assert_eq!(parameters(None, "{\"path\":\"//home\"}").await.status, 200);
    assert_eq!(parameters(None, "{path=\"//home\"}").await.status, 400);
    for format in ["yson", "<format=text>yson", "\"yson\""] {
        assert_eq!(parameters(Some(format), "{path=\"//home\"}").await.status, 200, "{format}");
    }
    assert_eq!(parameters(Some("nonsense"), "{path=\"//home\"}").await.status, 400);
}

#[tokio::test]
async fn answers_come_in_the_format_that_is_asked_for() {
    let cluster = with_value().await;
    let query = "?path=//home/v";
    let plain = send(get(&cluster, query)).await;
    assert_eq!(plain.header("content-type"), Some("application/json"));
    assert_eq!(plain.json(), json!({"value": {"a": "\u{c3}\u{a9}"}}), "each byte is a character");
    let accept = send(get(&cluster, query).header("accept", "application/x-yt-yson-text")).await;
    assert_eq!(accept.text(), "{\"value\"={\"a\"=\"\\xC3\\xA9\";};}");
    let several = send(get(&cluster, query).header("accept", "application/x-yt-yson-text, */*")).await;
    assert_eq!(several.header("content-type"), Some("application/json"), "only one exact type counts");
    let header = |value: &str| get(&cluster, query).header("x-yt-output-format", value);
    let yson = send(header("{\"$value\":\"yson\",\"$attributes\":{\"format\":\"pretty\"}}")).await;
    assert_eq!(yson.header("content-type"), Some("application/x-yt-yson-pretty"));
    let both = header("\"yson\"").header("x-yt-parameters", "{\"output_format\":\"json\"}");
    assert_eq!(send(both).await.header("content-type"), Some("application/json"), "parameters win");
    let utf8 = header("{\"$value\":\"json\",\"$attributes\":{\"encode_utf8\":false}}");
    assert_eq!(send(utf8).await.json(), json!({"value": {"a": "é"}}));
    let bare = send(get(&cluster, "?path=//home/v/a&return_only_value=true&output_format=yson")).await;
    assert_eq!(bare.body, b"\x01\x04\xc3\xa9");
}

#[tokio::test]
async fn attributes_are_there_when_they_are_asked_for() {
    let cluster = with_value().await;
    let query =
        "?path=//home/v&attributes[0]=type&output_format[$value]=json&output_format[$attributes][attributes_mode]=";
    let on_demand = send(get(&cluster, &format!("{query}on_demand"))).await.json();
    assert_eq!(on_demand["value"]["$attributes"]["type"], "map_node");
    assert_eq!(on_demand["value"]["$value"]["a"]["$attributes"]["type"], "string_node");
    let never = send(get(&cluster, &format!("{query}never"))).await.json();
    assert_eq!(never, json!({"value": {"a": "\u{c3}\u{a9}"}}));
}

#[tokio::test]
async fn encodings_are_gzip_or_none() {
    let cluster = with_value().await;
    let gzip = send(get(&cluster, "?path=//home/v").header("accept-encoding", "gzip, identity")).await;
    assert_eq!(gzip.header("content-encoding"), Some("gzip"));
    assert!(gzip.body.starts_with(&[0x1f, 0x8b]));
    let none = send(get(&cluster, "?path=//home/v").header("accept-encoding", "identity")).await;
    assert_eq!(none.json()["value"]["a"], "\u{c3}\u{a9}");
    assert_eq!(send(get(&cluster, "?path=//home/v").header("accept-encoding", "br")).await.status, 415);
    let put = |encoding: &str, body: Vec<u8>| {
        let request = request(&cluster, Method::PUT, "/api/v4/set?path=//home/w").bearer_auth(TOKEN);
        send(request.header("content-encoding", encoding).header("content-type", "application/json").body(body))
    };
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(b"[1]").unwrap();
    assert_eq!(put("gzip", encoder.finish().unwrap()).await.status, 200);
    assert_eq!(cluster.get("//home/w"), Some(yson("[1]")));
    assert_eq!(put("br", b"x".to_vec()).await.status, 415);
    let post = request(&cluster, Method::POST, "/api/v4/create").bearer_auth(TOKEN).header("content-encoding", "gzip");
    let refused = send(post.body("{}")).await;
    assert_eq!(refused.json()["message"], "Content-Encoding not supported in POST body");
}
