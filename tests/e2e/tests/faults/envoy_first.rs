//! Envoy runs before the sidecar does.

use tonic::Code;

use crate::support::ask::Ask;
use crate::support::ingress::message;
use crate::support::service::{ALICE, Service, host};
use crate::support::setup::Setup;
use crate::support::{Outcome, jobs, soon};

#[tokio::test]
async fn requests_are_told_to_come_again_until_the_table_is_there() -> Outcome {
    let (job, echo) = (jobs::http("A").await?, jobs::grpc("G").await?);
    let services = [
        Service::http("web").at(job.address()),
        Service::http("open").at(job.address()).access("public"),
        Service::grpc("echo").at(echo.address()),
    ];
    let setup = Setup::new(services);
    let home = setup.home()?;
    let ingress = setup.start_envoy(home.internal_address()).await?;
    let mut client = ingress.grpc("echo").await?;
    for _ in 0..10 {
        for ask in [Ask::get(&host("web"), "/").token(ALICE), Ask::get(&host("open"), "/")] {
            let answer = ingress.send(ask).await?;
            assert_eq!((answer.denial(), answer.header("retry-after")), ((503, "table-loading"), "1"));
        }
        let call = soon("an answer", client.unary(message("hi", ALICE)?)).await?;
        assert_eq!(call.err().map(|status| status.code()), Some(Code::Unavailable));
    }
    assert_eq!((job.connections(), echo.connections()), (0, 0));

    let _sidecar = home.start(&setup.config().to_string()).await?;
    ingress.wait_for_table().await?;
    for _ in 0..10 {
        assert_eq!(ingress.visit("web", ALICE).await?.text(), "hello from A\n");
        assert_eq!(ingress.send(Ask::get(&host("open"), "/")).await?.text(), "hello from A\n");
        assert_eq!(soon("a reply", client.unary(message("hi", ALICE)?)).await??.into_inner().name, "G");
    }
    Ok(())
}
