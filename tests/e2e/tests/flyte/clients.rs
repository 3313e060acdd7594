//! Other clients of the same service: gRPC, gRPC-Web and Connect in each of their forms.

use std::fs;

use super::site::{Catalog, Site, Store};
use crate::support::Outcome;
use crate::support::service::ALICE;

#[tokio::test]
async fn every_protocol_passes_the_gate() -> Outcome {
    let site = Site::start(Store::Local, Catalog::File).await?;
    fs::write(site.log_file("run"), "one\ntwo\n")?;
    let printed = site.user.run("protocols.py", &[&site.endpoint(), ALICE]).await?;
    assert_eq!(printed.trim(), "6 clients", "{printed}");
    site.assert_logs_are_clean().await?;
    Ok(())
}
