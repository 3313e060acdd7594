//! Ports with TLS, which are of use with the secrets alone.

use super::*;
use crate::xds::ports::board::EXPECTED;

#[tokio::test(start_paused = true)]
async fn a_port_with_tls_is_there_when_every_proxy_has_the_secrets() {
    let plane = plane(Some(files()));
    let (mut one, mut other) = (Proxy::connect(&plane, &[]), Proxy::connect(&plane, &[]));
    other.refuses_secrets = Some("Invalid path: /c");
    let (open, closed) = (wish_of("ffff0000", AccessLevel::Public, 80, 1), wish(AccessLevel::CanRead, 80, 1));
    assert_eq!(program(&plane, &open, &mut [&mut one, &mut other]).await, Ok(()));
    assert_eq!((one.secrets.len(), other.secrets.len()), (0, 0), "what is public needs none");
    for _ in 0..2 {
        let refused = program(&plane, &closed, &mut [&mut one, &mut other]).await;
        let Err(PlaneError::Refused(reason)) = &refused else { panic!("{refused:?}") };
        assert!(reason.contains("taskgate-tcp/") && reason.ends_with("Invalid path: /c"), "{reason}");
        assert!(!other.asks_for_secrets, "nothing listens that ends every connection");
    }
    other.refuses_secrets = None;
    assert_eq!(program(&plane, &closed, &mut [&mut one, &mut other]).await, Ok(()));
    let both = SecretName::ALL.map(SecretName::as_str);
    assert_eq!(one.secrets[one.secrets.len() - 2..], both);
    assert_eq!(other.secrets[other.secrets.len() - 2..], both);
}

#[tokio::test(start_paused = true)]
async fn secrets_that_were_refused_are_offered_to_who_asks_still() {
    let plane = plane(Some(files()));
    let mut proxy = Proxy::connect(&plane, &[]);
    proxy.refuses_secrets = Some("Invalid path: /c");
    let wish = wish(AccessLevel::CanRead, 80, 1);
    let mut refused = None;
    for _ in 0..2 {
        assert!(matches!(program(&plane, &wish, &mut [&mut proxy]).await, Err(PlaneError::Refused(_))));
        // Its listener drains, as with Envoy, and still refers to them.
        let names = SecretName::ALL.map(|name| name.as_str().to_owned()).to_vec();
        proxy.say_of_secrets(DeltaDiscoveryRequest { resource_names_subscribe: names, ..Default::default() });
        proxy.asks_for_secrets = true;
        proxy.take();
        let now = plane.board.refused_secrets().expect("refused").attempt();
        assert_ne!(refused.replace(now), Some(now), "another attempt each time");
    }
    proxy.refuses_secrets = None;
    assert_eq!(program(&plane, &wish, &mut [&mut proxy]).await, Ok(()));
    assert_eq!(plane.board.refused_secrets(), None);
}

#[tokio::test(start_paused = true)]
async fn what_listens_without_the_secrets_serves_nobody() {
    let plane = plane(Some(files()));
    let (mut one, mut other) = (Proxy::connect(&plane, &[]), Proxy::connect(&plane, &[]));
    let wish = wish(AccessLevel::CanRead, 80, 1);
    assert_eq!(program(&plane, &wish, &mut [&mut one, &mut other]).await, Ok(()));
    // One starts again while the files are wrong: it takes the listener. The other one goes on.
    drop(other);
    let mut other = Proxy::connect(&plane, &[]);
    other.refuses_secrets = Some("Invalid path: /c");
    for _ in 0..2 {
        let refused = program(&plane, &wish, &mut [&mut one, &mut other]).await;
        assert!(is_in_part(&refused), "{refused:?}");
        assert_eq!((one.listeners.len(), other.listeners.len()), (1, 1));
    }
    // Then that one as well: nobody gets in anywhere.
    drop(one);
    let mut one = Proxy::connect(&plane, &[]);
    one.refuses_secrets = Some("Invalid path: /c");
    one.take();
    for listening in [1, 0] {
        let refused = program(&plane, &wish, &mut [&mut one, &mut other]).await;
        assert!(matches!(refused, Err(PlaneError::Refused(_))), "{refused:?}");
        assert_eq!((one.listeners.len(), other.listeners.len()), (listening, listening));
        // Until then the one that served may be back.
        tokio::time::advance(EXPECTED).await;
    }
    (one.refuses_secrets, other.refuses_secrets) = (None, None);
    assert_eq!(program(&plane, &wish, &mut [&mut one, &mut other]).await, Ok(()));
}
