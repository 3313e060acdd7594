//! Whether something takes connections at a port, tried as a client does: at the host that is told to people.
//!
//! Who programs a data plane says that it listens; a firewall, a load balancer or a wrong `gateway_ip` in between it
//! does not know of. An address that nobody reaches is never told.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::gateway::settings::GatewayHost;

/// How long one connection may take to be there.
const CONNECT: Duration = Duration::from_secs(2);
/// How long it rests after the first failure; then twice as long each time, up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(20);
/// The longest rest.
const LONGEST: Duration = Duration::from_millis(500);
/// The most addresses of a name that are tried.
const MAX_ADDRESSES: usize = 8;

/// Tries whether something takes connections at a port.
#[async_trait]
pub trait Probe: fmt::Debug + Send + Sync + 'static {
    /// Returns when it does, or says at the end of the time why not.
    async fn answers(&self, port: u16, until: Instant) -> Result<(), String>;
}

/// Tries it with connections to the gateway's host.
#[derive(Clone, Debug)]
pub struct HostProbe {
    host: GatewayHost,
}

impl HostProbe {
    /// Tries it at that host.
    #[must_use]
    pub const fn new(host: GatewayHost) -> Self {
        Self { host }
    }

    async fn connect(&self, port: u16) -> Result<(), String> {
        let addresses: Vec<_> = match &self.host {
            GatewayHost::Address(address) => vec![(*address, port).into()],
            GatewayHost::Name(name) => {
                let found = tokio::net::lookup_host((name.as_str(), port)).await;
                found.map_err(|error| format!("`{name}` has no address: {error}"))?.take(MAX_ADDRESSES).collect()
            }
        };
        let mut last = format!("`{}` has no address", self.host);
        for address in addresses {
            match timeout(CONNECT, TcpStream::connect(address)).await {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(error)) => last = format!("can't connect to {address}: {error}"),
                Err(_) => last = format!("can't connect to {address} in {} s", CONNECT.as_secs()),
            }
        }
        Err(last)
    }
}

#[async_trait]
impl Probe for HostProbe {
    async fn answers(&self, port: u16, until: Instant) -> Result<(), String> {
        let (mut rest, mut last) = (FIRST, "there was no time to try".to_owned());
        loop {
            match timeout_at(until, self.connect(port)).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(reason)) => last = reason,
                Err(_) => return Err(last),
            }
            if Instant::now() + rest >= until {
                return Err(last);
            }
            sleep(rest).await;
            rest = (rest * 2).min(LONGEST);
        }
    }
}

#[cfg(test)]
mod tests {
    use taskgate_test_kit::ReservedAddress;

    use super::*;

    #[tokio::test]
    async fn a_port_answers_once_something_listens_and_not_before() {
        let probe = |host: &str| HostProbe::new(GatewayHost::parse(host).expect("a host"));
        let within = |secs| Instant::now() + Duration::from_secs(secs);
        // Nobody else gets the port while nobody listens here.
        let reserved = ReservedAddress::new().expect("a port");
        let port = reserved.address().port();
        let listener = tokio::net::TcpListener::bind(reserved.address()).await.expect("listens");
        assert_eq!(probe("127.0.0.1").answers(port, within(10)).await, Ok(()));
        assert_eq!(probe("localhost").answers(port, within(10)).await, Ok(()));
        drop(listener);
        let refused = probe("127.0.0.1").answers(port, within(2)).await.expect_err("nobody listens");
        assert!(refused.contains(&format!("127.0.0.1:{port}")), "{refused}");
        let unknown = probe("gateway.invalid").answers(port, within(1)).await;
        assert!(unknown.is_err(), "{unknown:?}");
        // It is there before the time is over.
        let listens = async { tokio::net::TcpListener::bind(reserved.address()).await.expect("listens") };
        let probe = probe("127.0.0.1");
        let both = tokio::join!(probe.answers(port, within(10)), listens);
        assert_eq!(both.0, Ok(()));
    }
}
