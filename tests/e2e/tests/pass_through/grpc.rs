//! gRPC: calls of every kind, trailers, and the job's own errors.

use taskgate_jobs::grpc::EchoRequest;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use crate::support::ingress::{message, with_token};
use crate::support::service::{ALICE, Service};
use crate::support::setup::Setup;
use crate::support::{Outcome, jobs, soon};

#[tokio::test]
async fn a_call_arrives_without_its_credential_and_with_who_made_it() -> Outcome {
    let job = jobs::grpc("G").await?;
    let gateway = Setup::new([Service::grpc("echo").at(job.address())]).start().await?;
    let mut client = gateway.ingress.grpc("echo").await?;
    let mut request = message("hi", ALICE)?;
    request.metadata_mut().insert("x-own", "1".parse()?);
    request.metadata_mut().insert_bin("own-bin", tonic::metadata::MetadataValue::from_bytes(&[0, 255]));
    let reply = soon("a reply", client.unary(request)).await??.into_inner();
    assert_eq!((reply.name.as_str(), reply.message.as_str()), ("G", "hi"));
    for name in ["x-own", "own-bin", "x-forwarded-user"] {
        assert!(reply.metadata_names.iter().any(|seen| seen == name), "{name} is not in {:?}", reply.metadata_names);
    }
    let ours = |name: &&String| *name == "authorization" || name.starts_with("x-taskgate-");
    assert_eq!(reply.metadata_names.iter().find(ours), None);
    Ok(())
}

#[tokio::test]
async fn a_server_stream_has_all_its_messages_in_order() -> Outcome {
    let job = jobs::grpc("G").await?;
    let gateway = Setup::new([Service::grpc("echo").at(job.address())]).start().await?;
    let mut client = gateway.ingress.grpc("echo").await?;
    let request = EchoRequest { message: "tick".to_owned(), repeat: 500, every_ms: 0 };
    let mut replies = soon("the stream", client.server_stream(with_token(request, ALICE)?)).await??.into_inner();
    let mut count = 0;
    while let Some(reply) = soon("a message", replies.message()).await?? {
        assert_eq!(reply.message, "tick");
        count += 1;
    }
    assert_eq!(count, 500);
    Ok(())
}

#[tokio::test]
async fn a_conversation_goes_to_and_fro_message_by_message() -> Outcome {
    let job = jobs::grpc("G").await?;
    let gateway = Setup::new([Service::grpc("echo").at(job.address())]).start().await?;
    let mut client = gateway.ingress.grpc("echo").await?;
    let (sender, receiver) = mpsc::channel(1);
    let mut replies =
        soon("the call", client.chat(with_token(ReceiverStream::new(receiver), ALICE)?)).await??.into_inner();
    for number in 0..200 {
        // The next question is not even made before the last answer is there.
        let said = format!("message {number}");
        sender.send(EchoRequest::new(&said)).await?;
        let reply = soon("an answer", replies.message()).await??;
        assert_eq!(reply.map(|reply| reply.message), Some(said));
    }
    drop(sender);
    assert_eq!(soon("the end", replies.message()).await??, None);
    Ok(())
}

#[tokio::test]
async fn the_jobs_own_errors_and_trailers_arrive() -> Outcome {
    let job = jobs::grpc("G").await?;
    let gateway = Setup::new([Service::grpc("echo").at(job.address())]).start().await?;
    let mut client = gateway.ingress.grpc("echo").await?;
    for messages in [0, 3] {
        // With messages first the status comes in trailers, without any in the head.
        let request = EchoRequest { message: "no more tea".to_owned(), repeat: messages, every_ms: 0 };
        let called = soon("the call", client.fail(with_token(request, ALICE)?)).await?;
        let mut count = 0;
        let status = match called {
            Err(status) => status,
            Ok(replies) => {
                let mut replies = replies.into_inner();
                loop {
                    match soon("a message", replies.message()).await? {
                        Ok(Some(_)) => count += 1,
                        Ok(None) => anyhow::bail!("the call ended well"),
                        Err(status) => break status,
                    }
                }
            }
        };
        assert_eq!((status.code(), status.message(), count), (Code::FailedPrecondition, "no more tea", messages));
        assert_eq!(status.metadata().get("x-own-trailer").map(|value| value.as_bytes()), Some(&b"no more tea"[..]));
        assert_eq!(status.metadata().get("x-taskgate-denial"), None);
    }
    Ok(())
}
