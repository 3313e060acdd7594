//! The pages that people see below `/.taskgate/`: plain, without scripts, in either colour scheme.
//!
//! Whatever stands in them is escaped by its type. Programs get problem details or JSON instead.

use askama::Template;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use taskgate_core::reply::DENIAL_HEADER;

use crate::access::notice::{Notice, Offer};
use crate::access::return_path::ReturnPath;
use crate::api::problem::Problem;

/// No script, nothing from elsewhere, in no frame; a form goes to its own host.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
/// What stays as it is in a query.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Who asks for a page, and where.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asker<'a> {
    /// The host, where it is one of ours.
    pub host: Option<&'a str>,
    /// Where they wanted to go.
    pub to: Option<&'a ReturnPath>,
    /// Who they are, as far as that is known.
    pub actor: Option<&'a str>,
    /// Whether a program asks.
    pub is_program: bool,
}

/// A button that is a link.
struct Action {
    label: &'static str,
    href: String,
}

#[derive(Template)]
#[template(path = "access/notice.html")]
struct NoticePage<'a> {
    title: &'a str,
    text: &'a str,
    actor: Option<&'a str>,
    actions: Vec<Action>,
    host: Option<&'a str>,
    code: &'a str,
}

/// Whether a program asks: it takes JSON and no HTML.
#[must_use]
pub fn is_program(headers: &HeaderMap) -> bool {
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let (mut json, mut html) = (false, false);
    for line in accept {
        json |= line.contains("application/json") || line.contains("application/problem+json");
        html |= line.contains("text/html");
    }
    json && !html
}

/// Where signing in begins, with a path to come back to.
#[must_use]
pub fn sign_in_path(to: Option<&ReturnPath>, as_another: bool) -> String {
    let mut path = "/.taskgate/sign-in".to_owned();
    let mut separator = '?';
    if let Some(to) = to.filter(|to| **to != ReturnPath::front()) {
        path.push_str(&format!("{separator}to={}", utf8_percent_encode(to.as_str(), PLAIN)));
        separator = '&';
    }
    if as_another {
        path.push_str(&format!("{separator}as=another"));
    }
    path
}

/// What somebody is told who can't go on.
#[must_use]
pub fn notice(notice: Notice, asker: Asker<'_>) -> Response {
    let meaning = notice.meaning();
    let mut response = if asker.is_program {
        Problem::new(meaning.status, meaning.code, meaning.text).into_response()
    } else {
        let again = |label, as_another| Action { label, href: sign_in_path(asker.to, as_another) };
        let actions = match meaning.offer {
            // Coming again by oneself is no going round and round.
            Offer::Again if notice == Notice::RoundAndRound => {
                let href =
                    format!("{}{}again=1", sign_in_path(asker.to, false), if has_query(asker.to) { '&' } else { '?' });
                vec![Action { label: "Sign in again", href }]
            }
            Offer::Again => vec![again("Sign in again", false)],
            Offer::AsAnother => vec![again("Sign in as somebody else", true)],
            Offer::Nothing => Vec::new(),
        };
        let actions = if asker.host.is_some() { actions } else { Vec::new() };
        let (title, text, code) = (meaning.title, meaning.text, meaning.code);
        let page = NoticePage { title, text, actor: asker.actor, actions, host: asker.host, code };
        html(meaning.status, &page)
    };
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static(DENIAL_HEADER), HeaderValue::from_static(meaning.code));
    if let Some(secs) = meaning.retry_after_secs {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
    }
    response
}

fn has_query(to: Option<&ReturnPath>) -> bool {
    to.is_some_and(|to| *to != ReturnPath::front())
}

/// A page with the headers that all of them have.
#[must_use]
pub fn html(status: StatusCode, page: &impl Template) -> Response {
    let Ok(text) = page.render() else { return Problem::internal().into_response() };
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // With `no-referrer` a browser would send forms with the origin `null`.
        (header::REFERRER_POLICY, "same-origin"),
        (header::VARY, "accept, cookie"),
    ];
    (status, headers, text).into_response()
}

/// Sends a browser on (303, RFC 9110, section 15.4.4). An address that can't be in a header is a bug.
#[must_use]
pub fn redirect(to: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(to) else { return Problem::internal().into_response() };
    let headers = [
        (header::LOCATION, location),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// Adds a `Set-Cookie` line. One that can't be a header is left out, which can't happen.
pub fn add_cookie(response: &mut Response, line: &str) {
    if let Ok(line) = HeaderValue::from_str(line) {
        response.headers_mut().append(header::SET_COOKIE, line);
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    async fn text(response: Response) -> String {
        let bytes = response.into_body().collect().await.expect("a body").to_bytes();
        String::from_utf8(bytes.to_vec()).expect("text")
    }

    #[tokio::test]
    async fn nothing_of_a_request_gets_into_a_page_unescaped() {
        let to = ReturnPath::parse("/<script>\"'&?a=1").expect("a path");
        let asker = Asker { host: Some("x.test"), to: Some(&to), actor: Some("<b>\"'&"), is_program: false };
        for notice_kind in [Notice::AccessDenied, Notice::RoundAndRound, Notice::UnknownService] {
            let response = notice(notice_kind, asker);
            assert!(response.headers()["content-security-policy"].to_str().expect("text").contains("'none'"));
            let text = text(response).await;
            assert!(!text.contains("<b>") && !text.contains("<script>"), "{text}");
            assert!(text.contains("&#60;b&#62;") && text.contains("to=/%3Cscript%3E%22%27%26%3Fa%3D1"), "{text}");
        }
    }

    #[tokio::test]
    async fn pages_are_plain_and_say_what_to_do() {
        let response = notice(Notice::ProviderDown, Asker { host: Some("x.test"), ..Asker::default() });
        assert_eq!(
            (response.status(), &response.headers()["retry-after"]),
            (StatusCode::SERVICE_UNAVAILABLE, &HeaderValue::from(10))
        );
        assert_eq!(response.headers()[DENIAL_HEADER], "sign-in-unavailable");
        let text = text(response).await;
        assert_eq!(text.matches("<h1>").count(), 1);
        for part in ["<html lang=\"en\">", "<main>", "href=\"/.taskgate/sign-in\"", "sign-in-unavailable"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("<script"));
    }

    #[tokio::test]
    async fn programs_get_problems() {
        let mut headers = HeaderMap::new();
        assert!(!is_program(&headers));
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/html,application/json"));
        assert!(!is_program(&headers));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        assert!(is_program(&headers));
        let response = notice(Notice::SignInOff, Asker { is_program: true, ..Asker::default() });
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert!(text(response).await.contains("\"code\":\"sign-in-off\""));
    }
}
