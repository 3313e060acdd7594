//! Jobs in the test's own process, which can die in a moment that the test picks.

use std::net::SocketAddr;

use taskgate_jobs::{JobHandle, JobOptions, grpc, http, listen, websocket};
use tokio::net::TcpListener;

pub(crate) async fn http(name: &str) -> anyhow::Result<JobHandle> {
    Ok(http::serve(listener().await?, options(name))?)
}

/// The same on an address of its own, `127.0.0.NODE`, as if on another machine.
pub(crate) async fn http_on(node: u8, name: &str) -> anyhow::Result<JobHandle> {
    Ok(http::serve(listen(SocketAddr::from(([127, 0, 0, node], 0))).await?, options(name))?)
}

/// The same at that address.
pub(crate) async fn http_at(address: SocketAddr, name: &str) -> anyhow::Result<JobHandle> {
    Ok(http::serve(listen(address).await?, options(name))?)
}

pub(crate) async fn grpc(name: &str) -> anyhow::Result<JobHandle> {
    Ok(grpc::serve(listener().await?, options(name))?)
}

pub(crate) async fn websocket(name: &str) -> anyhow::Result<JobHandle> {
    Ok(websocket::serve(listener().await?, options(name))?)
}

async fn listener() -> anyhow::Result<TcpListener> {
    Ok(listen(SocketAddr::from(([127, 0, 0, 1], 0))).await?)
}

fn options(name: &str) -> JobOptions {
    JobOptions { name: name.to_owned() }
}
