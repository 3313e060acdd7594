//! gRPC and gRPC-Web, by hand.

use super::*;

async fn call(world: &World, content_type: &str, message: &impl Message) -> Answer {
    let request = request(&format!("{DATA_PROXY}/CreateUploadLocation"), content_type).header("te", "trailers");
    world.send(request.body(frame(0, &message.encode_to_vec()).into()).expect("a request")).await
}

/// The status: after the body, or where there is none among the headers.
fn status(answer: &Answer) -> &str {
    let status = answer.trailers.get("grpc-status").or_else(|| answer.headers.get("grpc-status"));
    status.and_then(|status| status.to_str().ok()).expect("a status")
}

#[tokio::test]
async fn what_is_no_method_is_unimplemented() {
    let request = request(&format!("{DATA_PROXY}/Nothing"), "application/grpc").header("te", "trailers");
    let answer = World::new().send(request.body(frame(0, &[]).into()).expect("a request")).await;
    assert_eq!((answer.status, status(&answer)), (StatusCode::OK, "12"));
}

#[tokio::test]
async fn grpc_is_answered() {
    let world = World::new();
    let answer = call(&world, "application/grpc", &upload()).await;
    assert_eq!(answer.trailers["grpc-status"], "0");
    let [(0, message)] = &frames(&answer.body)[..] else { panic!("one message") };
    assert!(read::<CreateUploadLocationResponse>(message).native_url.starts_with("s3://main/uploads/p/d/"));

    let refused = call(&world, "application/grpc+proto", &CreateUploadLocationRequest::default()).await;
    assert_eq!(refused.status, StatusCode::OK);
    assert_eq!(status(&refused), "3");
}

#[tokio::test]
async fn grpc_web_has_its_trailers_in_the_body() {
    let world = World::new();
    let answer = call(&world, "application/grpc-web+proto", &upload()).await;
    let [(0, message), (0x80, trailers)] = &frames(&answer.body)[..] else { panic!("a message and trailers") };
    assert!(!read::<CreateUploadLocationResponse>(message).signed_url.is_empty());
    let trailers = String::from_utf8_lossy(trailers).to_ascii_lowercase();
    assert!(trailers.replace(' ', "").contains("grpc-status:0"), "{trailers}");
}
