//! What a refused client is told: the one place where a [`Denial`] becomes a reply.
//!
//! The reply fits the client: a person gets a page, a gRPC client a gRPC status, a Connect client Connect's JSON,
//! everything else RFC 9457 problem JSON. No text of the request is ever repeated.

use crate::audit::Audit;
use crate::denial::Denial;
use crate::request::Request;

/// The header that names the denial.
pub const DENIAL_HEADER: &str = "x-taskgate-denial";

/// Who waits for the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// A program: fetch, a WebSocket, a script.
    Api,
    /// A Connect client, or a gRPC-Web one, which also goes by the HTTP status. Of a problem's `code` it would make
    /// "unavailable", and ask again instead of signing in.
    Connect,
    /// A gRPC client.
    Grpc,
    /// A person, in a browser's top-level navigation.
    Page,
}

impl Client {
    /// Who sent the request: by `Sec-Fetch-Mode` where a browser gives it, else by `Accept`.
    #[must_use]
    pub fn of(request: &Request<'_>) -> Self {
        let content_type = request.content_type.one().unwrap_or_default();
        if content_type == b"application/grpc" || content_type.starts_with(b"application/grpc+") {
            return Self::Grpc;
        }
        if request.connect.one().is_some()
            || content_type == b"application/proto"
            || content_type.starts_with(b"application/connect+")
            || content_type.starts_with(b"application/grpc-web")
        {
            return Self::Connect;
        }
        let page = match request.fetch_mode.one() {
            Some(mode) => mode == b"navigate",
            None => request.accept.one().is_some_and(|accept| accept.windows(9).any(|part| part == b"text/html")),
        };
        if page { Self::Page } else { Self::Api }
    }
}

/// A reply in place of the job's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// gRPC status, for gRPC clients (the code numbers of grpc/doc/statuscodes.md).
    pub grpc_status: Option<u8>,
    /// Headers beside the status.
    pub headers: Vec<(&'static str, String)>,
    /// The body; for gRPC the status message.
    pub body: String,
    /// What the log is told.
    pub audit: Audit,
}

impl Reply {
    /// A redirect (303, RFC 9110, section 15.4.4) with these headers.
    #[must_use]
    pub fn redirect(headers: Vec<(&'static str, String)>) -> Self {
        Self { status: 303, grpc_status: None, headers, body: String::new(), audit: Audit::default() }
    }

    /// The same with what the log is told.
    #[must_use]
    pub fn audited(self, audit: Audit) -> Self {
        Self { audit, ..self }
    }
}

/// A code of gRPC, which Connect has by name.
type Code = (u8, &'static str);

/// Codes that are used.
mod code {
    use super::Code;

    pub(super) const INVALID_ARGUMENT: Code = (3, "invalid_argument");
    pub(super) const NOT_FOUND: Code = (5, "not_found");
    pub(super) const PERMISSION_DENIED: Code = (7, "permission_denied");
    pub(super) const RESOURCE_EXHAUSTED: Code = (8, "resource_exhausted");
    pub(super) const UNAVAILABLE: Code = (14, "unavailable");
    pub(super) const UNAUTHENTICATED: Code = (16, "unauthenticated");
}

/// What a denial means to a client.
struct Meaning {
    status: u16,
    code: Code,
    title: &'static str,
    /// What to do about it.
    detail: &'static str,
    retry_after_secs: Option<u32>,
    challenge: Option<&'static str>,
}

const CHALLENGE: &str = "Bearer realm=\"taskgate\"";
const CHALLENGE_INVALID: &str = "Bearer realm=\"taskgate\", error=\"invalid_token\"";

impl Meaning {
    const fn bad_request(title: &'static str, detail: &'static str) -> Self {
        Self { status: 400, code: code::INVALID_ARGUMENT, title, detail, retry_after_secs: None, challenge: None }
    }

    const fn forbidden(title: &'static str, detail: &'static str) -> Self {
        Self { status: 403, code: code::PERMISSION_DENIED, title, detail, retry_after_secs: None, challenge: None }
    }

    const fn gone(title: &'static str, detail: &'static str) -> Self {
        Self { status: 410, code: code::NOT_FOUND, title, detail, retry_after_secs: None, challenge: None }
    }

    const fn unauthenticated(title: &'static str, detail: &'static str, challenge: &'static str) -> Self {
        let challenge = Some(challenge);
        Self { status: 401, code: code::UNAUTHENTICATED, title, detail, retry_after_secs: None, challenge }
    }

    const fn not_found(title: &'static str, detail: &'static str) -> Self {
        Self { status: 404, code: code::NOT_FOUND, title, detail, retry_after_secs: None, challenge: None }
    }

    const fn unavailable(title: &'static str, detail: &'static str, retry_after_secs: u32) -> Self {
        let retry_after_secs = Some(retry_after_secs);
        Self { status: 503, code: code::UNAVAILABLE, title, detail, retry_after_secs, challenge: None }
    }

    const fn of(denial: Denial) -> &'static Self {
        match denial {
            Denial::AccessDenied => {
                const {
                    &Self::forbidden(
                        "Access denied",
                        "You are signed in but may not use this service. Ask its owner for access.",
                    )
                }
            }
            Denial::AddressMissing => {
                const {
                    &Self::not_found(
                        "No service named",
                        "Name a service: by its host name, or by the header x-yt-taskproxy-id.",
                    )
                }
            }
            Denial::ConflictingAddress => {
                const {
                    &Self::bad_request(
                        "Conflicting address",
                        "Host and headers name different services. Name it in one way only.",
                    )
                }
            }
            Denial::CredentialMissing => {
                const {
                    &Self::unauthenticated(
                        "Sign-in required",
                        "Send a Bearer token in the header Authorization, or sign in to the platform first.",
                        CHALLENGE,
                    )
                }
            }
            Denial::CredentialRejected => {
                const {
                    &Self::unauthenticated(
                        "Credential rejected",
                        "The token is wrong, expired or revoked. Get a new one.",
                        CHALLENGE_INVALID,
                    )
                }
            }
            Denial::CrossOrigin => {
                const {
                    &Self::forbidden(
                        "Asked by a page of another origin",
                        "Cookies count for the service's own pages alone. Send a token, or ask the operator to trust the origin.",
                    )
                }
            }
            Denial::DuplicateAddress => {
                const {
                    &Self::bad_request(
                        "Duplicate address",
                        "A header that names the service comes more than once. Send it once.",
                    )
                }
            }
            Denial::HeadersTooLarge => {
                const {
                    &Self {
                        status: 431,
                        code: code::RESOURCE_EXHAUSTED,
                        title: "Headers too large",
                        detail: "The cookies or the credential are too long for this ingress. Clear the cookies of this site, and try again.",
                        retry_after_secs: None,
                        challenge: None,
                    }
                }
            }
            Denial::IncompleteAddress => {
                const {
                    &Self::bad_request(
                        "Incomplete address",
                        "Send operation id or alias, task name and service together.",
                    )
                }
            }
            Denial::MalformedAddress => {
                const {
                    &Self::bad_request(
                        "Malformed address",
                        "The host, the path or a header that names the service can't be read.",
                    )
                }
            }
            Denial::MalformedCredential => {
                const {
                    &Self::bad_request(
                        "Malformed credential",
                        "A header that carries a credential comes more than once. Send it once.",
                    )
                }
            }
            Denial::NameMoved => {
                const {
                    &Self::gone(
                        "The name belongs to somebody else now",
                        "What was sent was meant for the service that had this name before. Open the page anew.",
                    )
                }
            }
            Denial::NoEndpoint => {
                const {
                    &Self::unavailable(
                        "No running job",
                        "The service is starting, or none of its jobs is running now. Try again in a while.",
                        5,
                    )
                }
            }
            Denial::OutsideShare => {
                const {
                    &Self::forbidden(
                        "Not part of what was shared",
                        "The link that you came by is for other pages of this service. Ask who sent it for another one.",
                    )
                }
            }
            Denial::Overloaded => {
                const {
                    &Self::unavailable(
                        "Too many requests waiting",
                        "Too many requests wait for a verdict. Try again.",
                        1,
                    )
                }
            }
            Denial::ProtocolMismatch => {
                const {
                    &Self::bad_request(
                        "Not an HTTP service",
                        "This service speaks raw TCP. It is reached by a tunnel (taskgate tunnel, or a WebSocket), where the operator has those.",
                    )
                }
            }
            Denial::ProxyFailure => {
                const {
                    &Self::unavailable(
                        "Proxy failure",
                        "The proxy did not hand over or change the headers of the request.",
                        1,
                    )
                }
            }
            Denial::SessionEnded => {
                const { &Self::unauthenticated("Session ended", "The session is over. Sign in again.", CHALLENGE_INVALID) }
            }
            Denial::ShareEnded => {
                const {
                    &Self::forbidden(
                        "Share link ended",
                        "The link is over, was taken back, or is not for this service. Ask who sent it for a new one.",
                    )
                }
            }
            Denial::TableExpired => {
                const {
                    &Self::unavailable(
                        "Service table expired",
                        "The gateway lost its source of services. Its operator has to look.",
                        5,
                    )
                }
            }
            Denial::TableLoading => {
                const {
                    &Self::unavailable(
                        "Service table loading",
                        "The gateway has just started and does not know all services yet.",
                        1,
                    )
                }
            }
            Denial::UnknownService => {
                const {
                    &Self::not_found(
                        "No such service",
                        "No running service has this name. Check the name, and whether the workload runs.",
                    )
                }
            }
            Denial::UnsupportedCredential => {
                const {
                    &Self::bad_request(
                        "Unsupported credential",
                        "This ingress takes no credential in the query. Send it in the header Authorization.",
                    )
                }
            }
            // With the words by which Flyte's SDK knows that it should ask for another URL.
            Denial::UrlExpired => {
                const { &Self::forbidden("Signed URL expired", "The request has expired. Ask for a new URL.") }
            }
            Denial::UrlRefused => {
                const {
                    &Self::forbidden(
                        "Signed URL refused",
                        "The URL is not as it was signed here, or is for another method.",
                    )
                }
            }
            Denial::VerdictUnavailable => {
                const {
                    &Self::unavailable(
                        "Access can't be checked now",
                        "The platform that decides on access did not answer. Try again.",
                        2,
                    )
                }
            }
        }
    }
}

/// The reply to a person who can sign in at `location` (which has only characters that need no escaping).
#[must_use]
pub fn to_person(denial: Denial, location: &str) -> Reply {
    let mut reply = reply(denial, Client::Page);
    match denial {
        Denial::CredentialMissing | Denial::SessionEnded => {
            reply.status = 303;
            reply.headers.retain(|(name, _)| *name != "www-authenticate");
            reply.headers.push(("location", location.to_owned()));
        }
        Denial::AccessDenied
        | Denial::CredentialRejected
        | Denial::OutsideShare
        | Denial::ShareEnded
        | Denial::UnknownService => {
            let link = format!("<p><a href=\"{location}\">Sign in as somebody who may use it</a></p>");
            if let Some(end) = reply.body.find("<footer>") {
                reply.body.insert_str(end, &link);
            }
        }
        _ => {}
    }
    reply
}

/// The reply to a denied request.
#[must_use]
pub fn reply(denial: Denial, client: Client) -> Reply {
    let meaning = Meaning::of(denial);
    let code = denial.code();
    let mut headers = vec![(DENIAL_HEADER, code.to_owned()), ("cache-control", "no-store".to_owned())];
    headers.extend(meaning.retry_after_secs.map(|secs| ("retry-after", secs.to_string())));
    headers.extend(meaning.challenge.map(|challenge| ("www-authenticate", challenge.to_owned())));
    let (status, title, detail) = (meaning.status, meaning.title, meaning.detail);
    let body = match client {
        Client::Api => {
            headers.push(("content-type", "application/problem+json".to_owned()));
            // Built of constants without `"` or `\`, as a test proves.
            format!(
                "{{\"type\":\"about:blank\",\"title\":\"{title}\",\"status\":{status},\"detail\":\"{detail}\",\"code\":\"{code}\"}}\n"
            )
        }
        Client::Connect => {
            headers.push(("content-type", "application/json".to_owned()));
            format!("{{\"code\":\"{}\",\"message\":\"{code}: {detail}\"}}\n", meaning.code.1)
        }
        Client::Grpc => format!("{code}: {detail}"),
        Client::Page => {
            headers.push(("content-type", "text/html; charset=utf-8".to_owned()));
            headers.push(("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'".to_owned()));
            headers.push(("x-content-type-options", "nosniff".to_owned()));
            page(meaning, code)
        }
    };
    let grpc_status = (client == Client::Grpc).then_some(meaning.code.0);
    Reply { status, grpc_status, headers, body, audit: Audit { denial: Some(denial), ..Audit::default() } }
}

/// A page that says what is wrong and what to do; one that waits for something asks again by itself.
fn page(meaning: &Meaning, code: &str) -> String {
    let Meaning { status, title, detail, .. } = meaning;
    let refresh = meaning.retry_after_secs.map(|secs| format!("<meta http-equiv=\"refresh\" content=\"{secs}\">"));
    let waiting = if refresh.is_some() { "<p role=\"status\">This page asks again by itself.</p>" } else { "" };
    let refresh = refresh.unwrap_or_default();
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\">{refresh}<title>{title}</title><style>:root{{color-scheme:light dark}}\
         body{{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem}}\
         h1{{font-size:1.4rem}}footer{{font-size:.85rem;opacity:.8}}</style></head><body><main><h1>{title}</h1>\
         <p>{detail}</p>{waiting}<footer>{status} <code>{code}</code></footer></main></body></html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_denial_has_a_reply_for_every_client() {
        for denial in Denial::ALL {
            for client in [Client::Api, Client::Connect, Client::Grpc, Client::Page] {
                let reply = reply(denial, client);
                assert!((400..=599).contains(&reply.status), "{denial:?}");
                assert_eq!(reply.headers.first(), Some(&(DENIAL_HEADER, denial.code().to_owned())));
                assert_eq!(reply.grpc_status.is_some(), client == Client::Grpc);
                assert_eq!(reply.status == 503, reply.headers.iter().any(|(name, _)| *name == "retry-after"));
                assert_eq!(reply.status == 401, reply.headers.iter().any(|(name, _)| *name == "www-authenticate"));
            }
        }
    }

    #[test]
    fn problem_bodies_are_json() {
        for denial in Denial::ALL {
            let body: serde_json::Value = serde_json::from_str(&reply(denial, Client::Api).body).expect("JSON");
            assert_eq!(body["code"], denial.code());
        }
    }

    #[test]
    fn connect_bodies_are_errors_of_connect() {
        for denial in Denial::ALL {
            let body: serde_json::Value = serde_json::from_str(&reply(denial, Client::Connect).body).expect("JSON");
            assert_eq!(body["code"], Meaning::of(denial).code.1);
            assert!(body["message"].as_str().is_some_and(|text| text.starts_with(denial.code())), "{body}");
        }
        let missing = reply(Denial::CredentialMissing, Client::Connect);
        assert!(missing.body.starts_with(r#"{"code":"unauthenticated","message":"credential-missing: "#));
    }

    #[test]
    fn pages_need_no_escaping() {
        for denial in Denial::ALL {
            let meaning = Meaning::of(denial);
            let texts = format!("{}{}", meaning.title, meaning.detail);
            assert!(!texts.contains(['"', '\\', '&', '<', '>', '\n']), "{denial:?}");
        }
    }

    #[test]
    fn knows_its_clients() {
        let client = |headers: &[(&str, &str)]| {
            Client::of(&Request::read(headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()))))
        };
        assert_eq!(client(&[("sec-fetch-mode", "navigate"), ("accept", "*/*")]), Client::Page);
        assert_eq!(client(&[("sec-fetch-mode", "cors"), ("accept", "text/html")]), Client::Api);
        assert_eq!(client(&[("accept", "text/html,application/xhtml+xml")]), Client::Page);
        assert_eq!(client(&[("accept", "*/*")]), Client::Api);
        assert_eq!(client(&[("content-type", "application/grpc+proto"), ("accept", "text/html")]), Client::Grpc);
        for kind in ["application/proto", "application/connect+json", "application/grpc-web+proto"] {
            assert_eq!(client(&[("content-type", kind), ("accept", "*/*")]), Client::Connect, "{kind}");
        }
        let connect = ("connect-protocol-version", "1");
        assert_eq!(client(&[("content-type", "application/json"), connect]), Client::Connect);
        assert_eq!(client(&[("content-type", "application/json")]), Client::Api);
    }
}
