//! What the jobs promise to the tests that use them.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use taskgate_jobs::grpc::{EchoClient, EchoRequest};
use taskgate_jobs::{JobHandle, JobOptions, grpc, http, listen, websocket};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tonic::Request;

async fn listener() -> TcpListener {
    listen(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap()
}

fn named(name: &str) -> JobOptions {
    JobOptions { name: name.to_owned() }
}

async fn http_job() -> JobHandle {
    http::serve(listener().await, named("A")).unwrap()
}

async fn ask(job: &JobHandle, request: &str) -> String {
    let mut stream = TcpStream::connect(job.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: job\r\n{headers}connection: close\r\n\r\n")
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

#[tokio::test]
async fn http_says_what_it_received() {
    let job = http_job().await;
    assert_eq!(body(&ask(&job, &get("/", "")).await), "hello from A\n");
    let headers: Value =
        serde_json::from_str(body(&ask(&job, &get("/headers", "x-a: 1\r\nx-a: 2\r\n")).await)).unwrap();
    assert_eq!(headers, serde_json::json!([["host", "job"], ["x-a", "1"], ["x-a", "2"], ["connection", "close"]]));
    let seen: Value = serde_json::from_str(body(&ask(&job, &get("//x/../%2F?q=%00", "")).await)).unwrap();
    assert_eq!((&seen["target"], &seen["name"]), (&"//x/../%2F?q=%00".into(), &"A".into()));
    assert!(ask(&job, &get("/status/418", "")).await.starts_with("HTTP/1.1 418"));
    assert!(ask(&job, &get("/sse?events=2&every_ms=1", "")).await.contains("data: event 1 from A"));
    let digest =
        ask(&job, "POST /digest HTTP/1.1\r\nhost: j\r\ncontent-length: 3\r\nconnection: close\r\n\r\nabc").await;
    assert!(body(&digest).contains("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), "{digest}");
    let echo = ask(&job, "POST /echo HTTP/1.1\r\nhost: j\r\ncontent-length: 3\r\nconnection: close\r\n\r\nabc").await;
    assert!(echo.ends_with("abc") || echo.contains("3\r\nabc"), "{echo}");
    assert_eq!((job.requests(), job.posts()), (7, 2));
    let stream = reqwest::get(format!("http://{}/stream?bytes=200000", job.address())).await.unwrap();
    assert_eq!(stream.bytes().await.unwrap().len(), 200_000);
    job.stop().await;
}

#[tokio::test]
async fn a_killed_job_resets_connections_and_frees_its_port() {
    let job = http_job().await;
    let address = job.address();
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nhost: job\r\n\r\n").await.unwrap();
    let mut byte = [0];
    idle.read_exact(&mut byte).await.unwrap();
    let mut busy = TcpStream::connect(address).await.unwrap();
    busy.write_all(get("/slow?ms=60000", "").as_bytes()).await.unwrap();
    // Another request's answer shows that the job had time to accept this one.
    assert_eq!(body(&ask(&job, &get("/", "")).await), "hello from A\n");
    job.kill().await;
    let error = busy.read(&mut byte).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    let again = http::serve(listen(address).await.unwrap(), named("B")).unwrap();
    assert_eq!(body(&ask(&again, &get("/", "")).await), "hello from B\n");
}

#[tokio::test]
async fn close_and_reset_read_the_request_and_answer_nothing() {
    let job = http_job().await;
    assert_eq!(ask(&job, &get("/close", "")).await, "");
    let mut stream = TcpStream::connect(job.address()).await.unwrap();
    stream.write_all(get("/reset", "").as_bytes()).await.unwrap();
    let error = stream.read_to_end(&mut Vec::new()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(job.requests(), 2);
}

#[tokio::test]
async fn stopping_lets_a_request_finish() {
    let job = http_job().await;
    let mut stream = TcpStream::connect(job.address()).await.unwrap();
    stream.write_all(get("/sse?events=2&every_ms=50", "").as_bytes()).await.unwrap();
    let mut byte = [0];
    stream.read_exact(&mut byte).await.unwrap();
    job.stop().await;
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert!(rest.contains("event 1 from A"), "{rest}");
}

#[tokio::test]
async fn grpc_answers_every_kind_of_call() {
    let job = grpc::serve(listener().await, named("G")).unwrap();
    let mut client = EchoClient::connect(job.address(), Some("id.tasks.example.test")).await.unwrap();
    let mut request = Request::new(EchoRequest::new("hi"));
    request.metadata_mut().insert("x-note", "n".parse().unwrap());
    let reply = client.unary(request).await.unwrap().into_inner();
    assert_eq!((reply.name.as_str(), reply.message.as_str()), ("G", "hi"));
    assert!(reply.metadata_names.contains(&"x-note".to_owned()));
    let asked = EchoRequest { repeat: 3, every_ms: 1, ..EchoRequest::new("again") };
    let replies = client.server_stream(Request::new(asked)).await.unwrap().into_inner();
    assert_eq!(replies.count().await, 3);
    let questions = tokio_stream::iter(["a", "b"].map(EchoRequest::new));
    let replies = client.chat(questions).await.unwrap().into_inner();
    let said: Vec<String> = replies.map(|reply| reply.unwrap().message).collect().await;
    assert_eq!(said, ["a", "b"]);
    assert_eq!(job.requests(), 3);
}

#[tokio::test]
async fn websocket_echoes_with_its_name() {
    let job = websocket::serve(listener().await, named("W")).unwrap();
    let (mut socket, _) = tokio_tungstenite::connect_async(format!("ws://{}/ws", job.address())).await.unwrap();
    socket.send(Message::text("hi")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("W: hi"));
    assert_eq!(body(&ask(&job, &get("/", "")).await), "hello from W\n");
    job.kill().await;
    assert!(socket.next().await.is_none_or(|message| message.is_err()));
}
