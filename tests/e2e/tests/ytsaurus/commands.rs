//! The commands of the documentation of Task proxy, as people have them in scripts and in their heads.

use taskgate_jobs::grpc::{EchoClient, EchoRequest};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::support::cluster::{ALICE_COOKIE, Name, gateway_host, host};
use crate::support::curl::curl;
use crate::support::service::{ALICE, BASE_DOMAIN};
use crate::support::site::Site;
use crate::support::{Outcome, soon};

/// A message of the gRPC job, "hi", in its frame.
const HI: [u8; 9] = [0, 0, 0, 0, 4, 10, 2, b'h', b'i'];

/// The credentials of Alice, as a header each.
fn credentials() -> Vec<String> {
    let tokens = ["Bearer", "OAuth", "bearer", "OAUTH"].map(|scheme| format!("Authorization: {scheme} {ALICE}"));
    let cookies = ["Cookie: YTCypressCookie=", "Cookie: YTCypressCookie ", "Cookie: theirs=1; YTCypressCookie="]
        .map(|cookie| format!("{cookie}{ALICE_COOKIE}"));
    tokens.into_iter().chain(cookies).collect()
}

impl Site {
    /// The arguments that make a host name lead to the gateway, as DNS would.
    fn resolve(&self, host: &str) -> String {
        let address = self.gateway.ingress.address;
        format!("{host}:{}:{}", address.port(), address.ip())
    }

    /// The URL of a host, with the gateway's port in it.
    fn url(&self, host: &str) -> String {
        format!("http://{host}:{}", self.gateway.ingress.address.port())
    }

    /// The answer to that request for a host that DNS knows, with these headers.
    async fn through_dns(&self, host: &str, headers: &[String]) -> anyhow::Result<String> {
        let (resolve, url) = (self.resolve(host), self.url(host));
        let headers = headers.iter().flat_map(|header| ["-H", header.as_str()]);
        let arguments: Vec<&str> = headers.chain(["--resolve", &resolve, &url]).collect();
        curl(&arguments).await
    }

    /// The answer to a request to the gateway's own address, with these headers.
    async fn directly(&self, headers: &[String]) -> anyhow::Result<String> {
        let url = format!("http://{}", self.gateway.ingress.address);
        let headers = headers.iter().flat_map(|header| ["-H", header.as_str()]);
        let arguments: Vec<&str> = headers.chain([url.as_str()]).collect();
        curl(&arguments).await
    }
}

fn assert_greets(answer: &str, how: &str) {
    assert!(matches!(answer, "hello from A\n" | "hello from B\n"), "{how}: {answer}");
}

#[tokio::test]
async fn a_service_is_reached_with_every_credential() -> Outcome {
    let site = Site::start().await?;
    for credential in credentials() {
        let answer = site.through_dns(&site.web.host(), std::slice::from_ref(&credential)).await?;
        assert_greets(&answer, &credential);
        let direct = [format!("Host: {}", site.web.host()), credential.clone()];
        assert_greets(&site.directly(&direct).await?, &credential);
    }
    // A browser, and whatever keeps cookies in a jar.
    let (resolve, url) = (site.resolve(&site.web.host()), site.url(&site.web.host()));
    let cookie = format!("YTCypressCookie={ALICE_COOKIE}");
    assert_greets(&curl(&["--cookie", &cookie, "--resolve", &resolve, &url]).await?, "a jar");
    Ok(())
}

#[tokio::test]
async fn a_service_is_reached_by_every_name() -> Outcome {
    let site = Site::start().await?;
    assert_eq!((site.web.id().as_str(), site.greeter.id().as_str()), ("b6846137", "ae5cf6f5"));
    let token = || format!("Authorization: Bearer {ALICE}");
    let other = Name { service: "port0".into(), ..site.web.clone() };
    let (id, alias) = (site.web.id(), "demo-example_http_server-port_0");
    for label in [&id, &other.id(), alias, "demo-example_http_server-port0", &id.to_uppercase()] {
        assert_greets(&site.through_dns(&host(label), &[token()]).await?, label);
        let headers = [token(), format!("x-yt-taskproxy-id: {label}")];
        for elsewhere in [gateway_host(), BASE_DOMAIN.to_owned(), "127.0.0.1".to_owned()] {
            assert_greets(&site.through_dns(&elsewhere, &headers).await?, &format!("{label} at {elsewhere}"));
        }
        // The host as well, as long as it is the same service.
        let same = [token(), format!("x-yt-taskproxy-id: {label}"), format!("Host: {}", site.web.host())];
        assert_greets(&site.directly(&same).await?, label);
    }
    for service in ["port_0", "port0"] {
        let rest = ["x-yt-taskproxy-task-name: example_http_server", &format!("x-yt-taskproxy-service: {service}")]
            .map(str::to_owned);
        for operation in [
            format!("x-yt-taskproxy-operation-id: {}", site.web.operation),
            "x-yt-taskproxy-operation-alias: demo".to_owned(),
            "x-yt-taskproxy-operation-alias: *demo".to_owned(),
        ] {
            let headers = [rest.as_slice(), &[token(), operation.clone()]].concat();
            assert_greets(&site.directly(&headers).await?, &format!("{operation}, {service}"));
        }
    }
    // The port of an ingress for gRPC, of one for TLS, and a dot that browsers leave where it is.
    for tail in [":9090", ":443", ".", ".:80"] {
        assert_greets(&site.directly(&[token(), format!("Host: {}{tail}", site.web.host())]).await?, tail);
    }
    Ok(())
}

#[tokio::test]
async fn a_grpc_service_is_reached_through_the_same_ingress() -> Outcome {
    let site = Site::start().await?;
    let ingress = &site.gateway.ingress;
    let directory = tempfile::tempdir()?;
    let body = directory.path().join("hi");
    std::fs::write(&body, HI)?;
    let body = format!("@{}", body.display());
    let (resolve, path) = (site.resolve(&site.greeter.host()), "/taskgate.demo.Echo/Unary");
    let url = site.url(&site.greeter.host()) + path;
    for credential in credentials() {
        // `curl` in place of `grpcurl`, which sends the same.
        let grpc = ["--http2-prior-knowledge", "-H", "content-type: application/grpc", "-H", "te: trailers"];
        let call =
            ["--data-binary", &body, "-H", &credential, "--resolve", &resolve, "-D", "-", "-o", "/dev/null", &url];
        let heads = curl(&[&grpc[..], &call[..]].concat()).await?;
        assert!(heads.starts_with("HTTP/2 200") && heads.contains("grpc-status: 0"), "{credential}: {heads}");

        let (name, value) = credential.split_once(": ").unwrap_or_default();
        for authority in [site.greeter.host(), format!("{}:9090", site.greeter.host())] {
            let mut client = EchoClient::connect(ingress.address, Some(&authority)).await?;
            let mut request = tonic::Request::new(EchoRequest::new("hi"));
            let key: tonic::metadata::AsciiMetadataKey = name.to_ascii_lowercase().parse()?;
            request.metadata_mut().insert(key, value.parse()?);
            let reply = soon("a reply", client.unary(request)).await??.into_inner();
            assert_eq!((reply.name.as_str(), reply.message.as_str()), ("G", "hi"), "{credential} {authority}");
            let names = &reply.metadata_names;
            assert!(names.iter().any(|name| name == "x-forwarded-user"), "{names:?}");
            assert!(!names.iter().any(|name| name == "authorization"), "{names:?}");
        }
    }
    // By headers, where there is no wildcard DNS.
    let mut client = EchoClient::connect(ingress.address, Some(&gateway_host())).await?;
    let named_by_id = vec![("x-yt-taskproxy-id", site.greeter.id())];
    for names in [named_by_id, site.greeter.triple().to_vec()] {
        let mut request = crate::support::ingress::message("hi", ALICE)?;
        for (name, value) in &names {
            request.metadata_mut().insert(*name, value.parse()?);
        }
        assert_eq!(soon("a reply", client.unary(request)).await??.into_inner().name, "G", "{names:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_websocket_opens_with_every_credential() -> Outcome {
    let site = Site::start().await?;
    let by_host = vec![("host", site.socket.host())];
    let by_id = vec![("host", gateway_host()), ("x-yt-taskproxy-id", site.socket.id())];
    for names in [by_host, by_id] {
        for credential in credentials() {
            // A page of the same job, and then the socket.
            let page: Vec<String> = names.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            let page = site.directly(&[page, vec![credential.clone()]].concat()).await?;
            assert_eq!(page, "hello from W\n", "{credential}");
            let (name, value) = credential.split_once(": ").unwrap_or_default();
            let mut request = "ws://gateway/ws".into_client_request()?;
            for (name, value) in &names {
                request.headers_mut().insert(*name, value.parse()?);
            }
            let name: http::HeaderName = name.parse()?;
            request.headers_mut().insert(name, value.parse()?);
            let mut socket = soon("a WebSocket", site.gateway.ingress.websocket_with(request)).await??;
            assert_eq!(socket.say("hi").await?, "W: hi", "{credential}");
        }
    }
    Ok(())
}
