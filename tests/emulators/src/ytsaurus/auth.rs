//! Who asks: tokens, the cookie, CSRF tokens, impersonation.

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use sha2::Sha256;

use super::access::ROOT;
use super::cluster::Cluster;
use super::error::{ClusterError, codes};
use super::time;
use crate::yson::Yson;

/// The cookie of the built-in authentication.
pub const COOKIE: &str = "YTCypressCookie";
/// How long a CSRF token is good.
const CSRF_TTL_SECS: i64 = 7 * 24 * 60 * 60;
const CSRF_SECRET: &[u8] = b"emulator";

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// The user.
    pub(super) login: String,
    /// What kind of user.
    realm: String,
}

// === impl Identity ===

impl Identity {
    fn new(login: &str, realm: &str) -> Self {
        Self { login: login.to_owned(), realm: realm.to_owned() }
    }

    /// The answer to `/auth/whoami`.
    pub(super) fn to_yson(&self) -> Yson {
        Yson::map([
            ("login", Yson::from(&self.login)),
            ("real_login", Yson::from(&self.login)),
            ("realm", Yson::from(&self.realm)),
            ("csrf_token", csrf_token(&self.login, time::now_micros() / 1_000_000).into()),
        ])
    }
}

/// Finds out who asks. CSRF tokens are looked at for cookies only, and not by every handler.
pub(super) fn authenticate(
    cluster: &Cluster,
    method: &Method,
    headers: &HeaderMap,
    is_csrf_checked: bool,
) -> Result<Identity, ClusterError> {
    let impersonated = text(headers, "x-yt-user-name");
    if !cluster.switches.is_authentication_required {
        return Ok(Identity::new(impersonated.unwrap_or(ROOT), "YT"));
    }
    if let Some(header) = headers.get(header::AUTHORIZATION) {
        let header = header.to_str().unwrap_or_default();
        let token = header.strip_prefix("OAuth ").or_else(|| header.strip_prefix("Bearer "));
        let token = token.ok_or_else(|| invalid("Malformed Authorization header"))?;
        if !token.is_empty() {
            return by_token(cluster, token, impersonated);
        }
    }
    if let Some(cookie) = cookie(headers) {
        let login = cluster.access.cookie_holder(cookie).ok_or_else(|| invalid("Invalid credentials"))?;
        if is_csrf_checked && method != Method::GET {
            let token = text(headers, "x-csrf-token").ok_or_else(|| invalid("CSRF token is missing"))?;
            check_csrf_token(login, token)?;
        }
        return Ok(Identity::new(login, "cypress_cookie"));
    }
    Err(invalid("Client is missing credentials"))
}

/// The status of an answer to somebody who can't be let in.
pub(super) fn status_of(error: &ClusterError) -> StatusCode {
    if error.contains(codes::INVALID_CREDENTIALS) || error.contains(codes::INVALID_CSRF_TOKEN) {
        StatusCode::UNAUTHORIZED
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

fn by_token(cluster: &Cluster, token: &str, impersonated: Option<&str>) -> Result<Identity, ClusterError> {
    let login = cluster.access.token_holder(token).ok_or_else(|| invalid("Token was not recognized"))?;
    let Some(other) = impersonated else { return Ok(Identity::new(login, "cypress_token")) };
    if cluster.access.is_superuser(login) && !cluster.access.is_banned(login) {
        return Ok(Identity::new(other, "cypress_token:impersonation"));
    }
    Err(invalid(&format!(
        "Client has provided X-YT-User-Name header but authenticated user {login} is not whitelisted, or a superuser \
         (or is banned)"
    )))
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';')).find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        (name.trim() == COOKIE).then_some(value.trim())
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(HeaderValue::to_str)?.ok().map(str::trim)
}

fn csrf_token(login: &str, moment_secs: i64) -> String {
    let signature = Hmac::<Sha256>::new_from_slice(CSRF_SECRET).map(|mut mac| {
        mac.update(format!("{login}:{moment_secs}").as_bytes());
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    });
    format!("{}:{moment_secs}", signature.unwrap_or_default())
}

fn check_csrf_token(login: &str, token: &str) -> Result<(), ClusterError> {
    let refused = |message: &str| ClusterError::new(codes::INVALID_CSRF_TOKEN, message);
    let moment = token.split_once(':').and_then(|(_, moment)| moment.parse::<i64>().ok());
    let moment_secs = moment.ok_or_else(|| refused("Malformed CSRF token"))?;
    if csrf_token(login, moment_secs) != token {
        return Err(refused("Invalid CSRF token signature"));
    }
    if moment_secs + CSRF_TTL_SECS < time::now_micros() / 1_000_000 {
        return Err(refused("CSRF token expired"));
    }
    Ok(())
}

fn invalid(message: &str) -> ClusterError {
    ClusterError::new(codes::INVALID_CREDENTIALS, message)
}
