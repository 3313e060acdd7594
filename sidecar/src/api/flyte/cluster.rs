//! Which cluster a client talks to: the one that it is talking to.

use http::HeaderMap;
use http::uri::Authority;

/// What a proxy in front says how the client came in.
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// The address that a client shall go on with, `scheme://host`. The SDK compares it with the one it has, letter by
/// letter, and opens another connection where they differ; empty means "the same", and so does a host that is none.
pub(super) fn endpoint(authority: &str, headers: &HeaderMap) -> String {
    let is_host = authority.parse::<Authority>().is_ok() && !authority.contains('@');
    if !is_host {
        return String::new();
    }
    let said = headers.get(FORWARDED_PROTO).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let first = said.split(',').next().unwrap_or_default().trim().to_ascii_lowercase();
    let scheme = if first == "https" { "https" } else { "http" };
    format!("{scheme}://{authority}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(host: &str, forwarded: Option<&str>) -> String {
        let mut headers = HeaderMap::new();
        if let Some(said) = forwarded {
            headers.insert(FORWARDED_PROTO, said.parse().expect("a value"));
        }
        endpoint(host, &headers)
    }

    #[test]
    fn the_scheme_is_the_first_that_a_proxy_names() {
        for (forwarded, scheme) in [
            (Some("https"), "https"),
            (None, "http"),
            (Some("http"), "http"),
            (Some("https, http"), "https"),
            (Some(" HTTPS ,http"), "https"),
            (Some("HTTPS"), "https"),
            (Some(""), "http"),
            (Some("  "), "http"),
            (Some("javascript"), "http"),
            (Some("ftp, https"), "http"),
        ] {
            assert_eq!(of("flyte.example:8443", forwarded), format!("{scheme}://flyte.example:8443"), "{forwarded:?}");
        }
    }

    #[test]
    fn what_is_no_host_is_no_cluster() {
        for host in ["", "a b", "user@evil.example", "evil/path", "a?b", "[::1"] {
            assert_eq!(of(host, Some("https")), "", "{host:?}");
        }
        assert_eq!(of("[::1]:80", None), "http://[::1]:80");
    }
}
