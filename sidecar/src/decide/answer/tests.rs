use taskgate_core::reply::{Client, reply};

use super::*;
use crate::render::nginx::AUTH_REQUEST;

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
        assert_eq!(text(&nginx, "status-taskgate"), Some(status.to_string().as_str()));
        assert_eq!(text(&nginx, "denial-taskgate"), Some(denial.code()));
        for dialect in [Dialect::Caddy, Dialect::Envoy, Dialect::Generic, Dialect::Haproxy, Dialect::Traefik] {
            assert_eq!(of(dialect).status(), status, "{denial:?} {dialect:?}");
        }
    }
}

#[test]
fn no_two_headers_that_nginx_looks_up_are_one() {
    // What it takes of an answer is in the file that operators copy; the names there are those that are sent.
    let taken: Vec<String> = AUTH_REQUEST
        .lines()
        .filter(|line| line.trim_start().starts_with("auth_request_set "))
        .filter_map(|line| Some(line.split_once("$upstream_http_")?.1.trim_end_matches(';').replace('_', "-")))
        .collect();
    let sent = [
        "actor",
        "assertion",
        "cookie",
        "denial",
        "edit-authorization",
        "edit-cookie",
        "job-authorization",
        "level",
        "next",
        "protocol",
        "rule",
        "service",
        "set-cookie-1",
        "set-cookie-2",
        "third",
        "upstream",
        "uri",
        "visitor",
    ];
    for name in sent {
        let generic = format!("x-taskgate-{name}");
        assert!(taken.iter().any(|taken| taken == Dialect::Nginx.header(&generic)), "{generic}");
        assert_eq!(Dialect::Generic.header(&generic), generic);
    }
    for name in ["x-forwarded-user", "x-forwarded-email", "x-forwarded-groups", "x-arvados-user-uuid"] {
        assert!(taken.iter().any(|taken| taken == Dialect::Nginx.header(name)), "{name}");
    }
    assert_eq!(taken.len(), sent.len() + 4, "{taken:?}");
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
    let mut lines = Lines::new(Dialect::Generic);
    assert_eq!(lines.add("x-taskgate-cookie", vec![b'a'; MAX_HEADERS]), Err(Denial::HeadersTooLarge));
    let mut lines = Lines::new(Dialect::Generic);
    assert_eq!(lines.add("x-taskgate-cookie", b"a\nb"), Err(Denial::ProxyFailure));
}
