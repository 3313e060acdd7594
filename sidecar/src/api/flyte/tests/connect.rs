//! Connect, by hand: both codecs, packed bodies, GET, errors, streams.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::data::error::DataError;

const KEY: &str = "uploads/p/d/A4DQOBYHA4DQOBYHA4DQOBYHA4======/foo bar \u{fc} #1.txt";

#[tokio::test]
async fn json_is_understood_in_both_spellings() {
    let world = World::new();
    for body in [
        r#"{"project":"p","domain":"d","filename":"foo bar ü #1.txt","contentMd5":"BwcHBwcHBwcHBwcHBwcHBw=="}"#,
        r#"{"project":"p","domain":"d","filename":"foo bar ü #1.txt","content_md5":"BwcHBwcHBwcHBwcHBwcHBw==","new":1}"#,
    ] {
        let (status, answer) = world.json("CreateUploadLocation", body).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        assert_eq!(answer["nativeUrl"], format!("s3://main/{KEY}"));
        assert_eq!(answer["signedUrl"], format!("https://main/{KEY}?signature=secret"));
        assert_eq!(answer["expiresAt"], "1970-01-01T00:00:01Z");
    }
    assert_eq!(world.store.last_upload().1.content_md5, Some([7; 16]));
}

#[tokio::test]
async fn packed_messages_are_understood() {
    let world = World::new();
    let body = gzip(&upload().encode_to_vec());
    let request = request(&format!("{DATA_PROXY}/CreateUploadLocation"), "application/proto")
        .version(Version::HTTP_11)
        .header("connect-protocol-version", "1")
        .header("content-encoding", "gzip")
        .header("accept-encoding", "gzip,identity");
    let answer = world.send(request.body(body.into()).expect("a request")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers["content-type"], "application/proto");
    let packed = answer.headers.get("content-encoding").is_some_and(|coding| coding == "gzip");
    let body = if packed { gunzip(&answer.body) } else { answer.body.to_vec() };
    assert_eq!(read::<CreateUploadLocationResponse>(&body).native_url, format!("s3://main/{KEY}"));
}

#[tokio::test]
async fn what_changes_nothing_can_be_got() {
    let world = World::new();
    let message = GetActionDataRequest { action_id: action_id().into(), ..Default::default() }.encode_to_vec();
    let get = |method: &str| {
        let query = format!("connect=v1&encoding=proto&base64=1&message={}", URL_SAFE_NO_PAD.encode(&message));
        let request = Request::get(format!("{DATA_PROXY}/{method}?{query}")).header("x-user", "bob");
        world.send(request.body(Body::empty()).expect("a request"))
    };
    let answer = get("GetActionData").await;
    assert_eq!(answer.status, StatusCode::OK);
    let data = read::<GetActionDataResponse>(&answer.body);
    assert_eq!(data.inputs.literals[0].name, "x");
    assert_eq!(data.inputs.encode_to_vec().last(), Some(&b'?'), "what is unknown is handed on");
    assert_eq!((data.inputs_uri.as_str(), data.outputs_uri.as_str()), ("s3://main/inputs.pb", ""));
    assert_eq!(get("CreateUploadLocation").await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn refusals_have_flytes_codes_and_words() {
    let world = World::new();
    let run = r#""run":{"project":"p","domain":"d","name":"r"}"#;
    let upload = "CreateUploadLocation";
    for (method, body, status, code, message) in [
        (
            upload,
            r#"{"project":"p","domain":"d","filename":"f"}"#.to_owned(),
            StatusCode::BAD_REQUEST,
            "invalid_argument",
            "either filename_root or content_md5 must be provided",
        ),
        (
            upload,
            r#"{"project":"p","domain":"d","filename":"f","filenameRoot":"r","expiresIn":"7200s"}"#.to_owned(),
            StatusCode::BAD_REQUEST,
            "invalid_argument",
            "expires_in (2h0m0s) exceeds maximum allowed duration of 1h0m0s",
        ),
        (
            upload,
            r#"{"project":"nobody","domain":"d","filename":"f","filenameRoot":"r"}"#.to_owned(),
            StatusCode::NOT_FOUND,
            "not_found",
            "project \"nobody\" not found",
        ),
        ("GetActionData", "{}".to_owned(), StatusCode::BAD_REQUEST, "invalid_argument", "action_id is required"),
        (
            "GetActionData",
            format!(r#"{{"actionId":{{{run},"name":""}}}}"#),
            StatusCode::BAD_REQUEST,
            "invalid_argument",
            "action name must have 1 to 30 characters",
        ),
        (
            "CreateDownloadLink",
            format!(r#"{{"actionAttemptId":{{"actionId":{{{run},"name":"a"}},"attempt":1}}}}"#),
            StatusCode::BAD_REQUEST,
            "invalid_argument",
            "artifact_type is required",
        ),
        (
            "CreateDownloadLink",
            r#"{"artifactType":"ARTIFACT_TYPE_REPORT"}"#.to_owned(),
            StatusCode::BAD_REQUEST,
            "invalid_argument",
            "unsupported source type",
        ),
        (
            "CreateDownloadLink",
            format!(
                r#"{{"artifactType":"ARTIFACT_TYPE_REPORT","actionAttemptId":{{"actionId":{{{run},"name":"a"}}}}}}"#
            ),
            StatusCode::BAD_REQUEST,
            "invalid_argument",
            "attempt must be greater than 0",
        ),
    ] {
        let (got, answer) = world.json(method, &body).await;
        assert_eq!((got, answer["code"].as_str()), (status, Some(code)), "{method} {body}: {answer}");
        assert_eq!(answer["message"], message);
    }
}

#[test]
fn every_reason_has_its_own_code() {
    let text = || "t".to_owned();
    for (error, code) in [
        (DataError::Denied(text()), "permission_denied"),
        (DataError::Exists(text()), "already_exists"),
        (DataError::Internal(text()), "internal"),
        (DataError::Invalid(text()), "invalid_argument"),
        (DataError::NotFound(text()), "not_found"),
        (DataError::Unauthenticated, "unauthenticated"),
        (DataError::Unavailable(text()), "unavailable"),
        (DataError::Unimplemented(text()), "unimplemented"),
    ] {
        let refused = refusal::refused(error);
        let json: serde_json::Value = serde_json::from_slice(&refused.to_json()).expect("JSON");
        assert_eq!(json["code"], code);
    }
}

#[tokio::test]
async fn who_is_nobody_gets_nothing() {
    let world = World::new();
    for method in ["CreateUploadLocation", "UploadInputs", "CreateDownloadLink", "GetActionData"] {
        let path = format!("{DATA_PROXY}/{method}");
        let request = Request::post(path).header("content-type", "application/json").body("{}".into());
        let answer = world.send(request.expect("a request")).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method}");
    }
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let world = World::new();
    let upload = format!("{DATA_PROXY}/CreateUploadLocation");
    assert_eq!(world.post(&upload, "text/plain", "x").await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(world.post(&upload, "application/json", "{").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.post(&upload, "application/proto", vec![0xff]).await.status, StatusCode::BAD_REQUEST);
    let unknown = world.post(&format!("{DATA_PROXY}/Nothing"), "application/json", "{}").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND, "clients take that for `unimplemented`");
}

#[tokio::test]
async fn logs_are_streamed() {
    let world = World::new();
    let ask = |attempt| TailLogsRequest { action_id: action_id().into(), attempt, ..Default::default() };
    let send = |message: TailLogsRequest| {
        let body = frame(1, &gzip(&message.encode_to_vec()));
        let request = request(&format!("{DATA_PROXY}/TailLogs"), "application/connect+proto")
            .header("connect-content-encoding", "gzip");
        world.send(request.body(body.into()).expect("a request"))
    };
    let answer = send(ask(1)).await;
    assert_eq!(answer.status, StatusCode::OK);
    let mut frames = frames(&answer.body);
    assert_eq!(frames.pop(), Some((2, b"{}".to_vec())));
    let messages = frames.iter().map(|(_, bytes)| read::<TailLogsResponse>(bytes));
    let lines: Vec<_> = messages.flat_map(|message| message.logs).flat_map(|logs| logs.lines).collect();
    let texts: Vec<&str> = lines.iter().map(|line| line.message.as_str()).collect();
    assert_eq!(texts, ["one", "two"]);
    assert_eq!((lines[0].timestamp.seconds, lines[0].timestamp.nanos), (1_795_255_200, 500_000_000));
    assert_eq!(lines[0].originator.to_i32(), 1);
    assert!(lines[1].timestamp.is_unset());

    let refused = send(ask(0)).await;
    let end = super::frames(&refused.body).pop().expect("the end");
    assert_eq!(end.0, 2);
    let end: serde_json::Value = serde_json::from_slice(&end.1).expect("JSON");
    assert_eq!(end["error"]["code"], "invalid_argument");

    *lock(&world.catalog.log) = None;
    let none = send(ask(1)).await;
    let end: serde_json::Value =
        serde_json::from_slice(&super::frames(&none.body).pop().expect("the end").1).expect("JSON");
    assert_eq!(end["error"]["code"], "not_found");
    assert_eq!(end["error"]["message"], "no log context found");
}

#[tokio::test]
async fn the_cluster_is_where_the_client_is() {
    let world = World::new();
    let path = format!("{CLUSTER}/SelectCluster");
    let ask = |request: http::request::Builder| {
        let request = request.method(Method::POST).header("content-type", "application/json");
        world.send(request.body("{}".into()).expect("a request"))
    };
    let endpoint = |answer: Answer| {
        assert_eq!(answer.status, StatusCode::OK);
        let json: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
        json.get("clusterEndpoint").map_or_else(String::new, |text| text.as_str().expect("text").to_owned())
    };
    let by_header = Request::builder().uri(&path).header("host", "flyte.example:8080");
    assert_eq!(endpoint(ask(by_header).await), "http://flyte.example:8080");
    let by_header = Request::builder().uri(&path).header("host", "flyte.example").header("x-forwarded-proto", "https");
    assert_eq!(endpoint(ask(by_header).await), "https://flyte.example");
    let by_authority = Request::builder().version(Version::HTTP_2).uri(format!("http://flyte.example:1{path}"));
    assert_eq!(endpoint(ask(by_authority).await), "http://flyte.example:1");
    assert_eq!(endpoint(ask(Request::builder().uri(&path)).await), "");
}
