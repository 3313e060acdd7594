use taskgate_core::reply::{Client, reply};

use super::*;

fn text<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

#[test]
fn nginx_is_told_of_two_statuses_and_others_of_all() {
    for (denial, status, squeezed) in
        [(Denial::UnknownService, 404, 403), (Denial::CredentialMissing, 401, 401), (Denial::TableLoading, 503, 403)]
    {
        let of = |dialect| {
            let reply = reply(denial, Client::Api);
            let audit = Audit { denial: Some(denial), ..Audit::default() };
            refuse(reply.audited(audit), dialect)
        };
        let nginx = of(Dialect::Nginx);
        assert_eq!(nginx.status(), squeezed, "{denial:?}");
        assert_eq!(text(&nginx, "x-taskgate-status"), Some(status.to_string().as_str()));
        assert_eq!(text(&nginx, DENIAL_HEADER), Some(denial.code()));
        for dialect in [Dialect::Caddy, Dialect::Envoy, Dialect::Generic, Dialect::Haproxy, Dialect::Traefik] {
            assert_eq!(of(dialect).status(), status, "{denial:?} {dialect:?}");
        }
    }
}

#[test]
fn grpc_clients_get_their_status_in_headers() {
    let whole = whole(reply(Denial::CredentialMissing, Client::Grpc));
    assert_eq!((whole.status().as_u16(), text(&whole, "grpc-status")), (200, Some("16")));
    assert!(text(&whole, "grpc-message").is_some_and(|message| message.starts_with("credential-missing: ")));
}

#[test]
fn no_refusal_is_a_yes_to_who_goes_by_the_status() {
    for denial in Denial::ALL {
        for client in [Client::Api, Client::Connect, Client::Grpc, Client::Page] {
            for dialect in [Dialect::Envoy, Dialect::Generic, Dialect::Nginx, Dialect::Traefik] {
                let refused = refuse(reply(denial, client), dialect);
                assert!(
                    refused.status().is_client_error() || refused.status().is_server_error(),
                    "{denial:?} {client:?} {dialect:?}"
                );
            }
            for dialect in [Dialect::Caddy, Dialect::Haproxy] {
                let refused = refuse(reply(denial, client), dialect);
                assert!(!refused.headers().contains_key("x-taskgate-upstream"), "{denial:?} {client:?} {dialect:?}");
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_no_answer() {
    let mut lines = Lines::default();
    assert_eq!(lines.add("x-taskgate-cookie", vec![b'a'; MAX_HEADERS]), Err(Denial::HeadersTooLarge));
    let mut lines = Lines::default();
    assert_eq!(lines.add("x-taskgate-cookie", b"a\nb"), Err(Denial::ProxyFailure));
}
