//! Cookies that answers set: which of a job's may pass, and what ours look like.
//!
//! Jobs share a parent domain, so a cookie that a job sets for the parent would be sent to every other job (and could
//! take the place of what they set themselves). Only the job's own host is its own.

use core::time::Duration;

/// The longest list of attributes that is looked through; a cookie with more does not pass.
const MAX_ATTRIBUTES: usize = 32;

/// Whether a `Set-Cookie` line of a job may pass to its visitor. It may not where it is for a host that is not its
/// `own`, or where its name is one of `ours`.
#[must_use]
pub fn may_pass(line: &[u8], own: impl Fn(&[u8]) -> bool, ours: impl Fn(&[u8]) -> bool) -> bool {
    let mut parts = line.split(|byte| *byte == b';');
    let pair = parts.next().unwrap_or_default();
    // A cookie without a name is sent as its value alone, which may look like one with a name.
    let name = match pair.iter().position(|byte| *byte == b'=') {
        Some(0) => pair.get(1..).unwrap_or_default().split(|byte| *byte == b'=').next().unwrap_or_default(),
        Some(equals) => pair.get(..equals).unwrap_or_default(),
        None => pair,
    };
    if ours(name.trim_ascii()) {
        return false;
    }
    let is_own = |domain: &[u8]| {
        let domain = domain.strip_prefix(b".").unwrap_or(domain);
        domain.is_empty() || own(domain)
    };
    let mut count = 0_usize;
    parts.all(|attribute| {
        count = count.saturating_add(1);
        count <= MAX_ATTRIBUTES && domain(attribute).is_none_or(is_own)
    })
}

/// Whether a `Set-Cookie` line is for paths below `start` alone, which ends with `/` and which the request's path begins
/// with. Where it names none, browsers take the folder of that path.
#[must_use]
pub fn is_below(line: &[u8], start: &str) -> bool {
    let own = start.strip_suffix('/').unwrap_or(start).as_bytes();
    let is_own = |path: &[u8]| {
        // What does not begin with `/` is as good as nothing (RFC 6265, section 5.2.4).
        let rest = path.strip_prefix(own);
        !path.starts_with(b"/") || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    };
    let parts = line.split(|byte| *byte == b';').skip(1);
    parts.filter_map(|attribute| value(attribute, b"path")).all(is_own)
}

/// The value of an attribute `Domain` (RFC 6265, section 5.2.3).
fn domain(attribute: &[u8]) -> Option<&[u8]> {
    value(attribute, b"domain")
}

fn value<'a>(attribute: &'a [u8], called: &[u8]) -> Option<&'a [u8]> {
    let equals = attribute.iter().position(|byte| *byte == b'=')?;
    let (name, value) = attribute.split_at_checked(equals)?;
    let value = value.get(1..).unwrap_or_default().trim_ascii();
    name.trim_ascii().eq_ignore_ascii_case(called).then_some(value)
}

/// What our cookies look like: for one host, all of its paths, and no script; by TLS alone but in development.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CookieStyle {
    /// Browsers come over plain HTTP.
    pub plain_http: bool,
}

impl CookieStyle {
    /// A line that sets a cookie for so long.
    #[must_use]
    pub fn set(self, name: &str, value: &str, lifetime: Duration) -> String {
        let secure = if self.plain_http { "" } else { "; Secure" };
        format!("{name}={value}; Path=/; Max-Age={}{secure}; HttpOnly; SameSite=Lax", lifetime.as_secs())
    }

    /// A line that takes a cookie of that path away: one for the host, or one that was set for a domain.
    #[must_use]
    pub fn expire(self, name: &str, path: &str, domain: Option<&str>) -> String {
        let secure = if self.plain_http { "" } else { "; Secure" };
        let domain = domain.map(|domain| format!("; Domain={domain}")).unwrap_or_default();
        format!("{name}=; Path={path}{domain}; Max-Age=0{secure}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn passes(line: &str) -> bool {
        let own = |domain: &[u8]| domain.eq_ignore_ascii_case(b"app.tasks.example.test");
        may_pass(line.as_bytes(), own, |name| name == b"__Host-taskgate")
    }

    #[test]
    fn a_job_sets_cookies_for_its_own_host() {
        for line in [
            "a=1",
            "a=1; Path=/; HttpOnly",
            "a=1; domain=app.tasks.example.test",
            "a=1; Domain=.app.tasks.example.test; Secure",
            "a=1; Domain=",
            "a=1; Domain",
            "Domain=example.test",
            "a=domain=example.test",
            "",
        ] {
            assert!(passes(line), "{line}");
        }
    }

    #[test]
    fn none_for_its_neighbours() {
        for line in [
            "a=1; Domain=tasks.example.test",
            "a=1; DOMAIN = .example.test",
            "a=1; Path=/; domain=other.tasks.example.test; Secure",
            "a=1; Domain=app.tasks.example.test; Domain=example.test",
            "a=1; Domain=xapp.tasks.example.test",
            "a=1;\tdomain\t=\ttest",
        ] {
            assert!(!passes(line), "{line}");
        }
    }

    #[test]
    fn none_of_ours() {
        for line in ["__Host-taskgate=x", " __Host-taskgate =x; Secure", "=__Host-taskgate=x", "__Host-taskgate"] {
            assert!(!passes(line), "{line}");
        }
        assert!(passes("__Host-taskgate2=x") && passes("x=__Host-taskgate"));
    }

    #[test]
    fn where_services_share_a_host_each_has_its_own_path() {
        let is_below = |line: &str| is_below(line.as_bytes(), "/proxy/a/");
        for line in [
            "a=1",
            "a=1; Path=/proxy/a",
            "a=1; path=/proxy/a/",
            "a=1; PATH = /proxy/a/b; Secure",
            "a=1; Path",
            "a=1; Path=x",
        ] {
            assert!(is_below(line), "{line}");
        }
        for line in ["a=1; Path=/", "a=1; Path=/proxy", "a=1; Path=/proxy/ab", "a=1; Path=/proxy/a; path=/"] {
            assert!(!is_below(line), "{line}");
        }
    }

    #[test]
    fn ours_are_for_one_host_and_no_script() {
        let style = CookieStyle { plain_http: false };
        let line = style.set("__Host-taskgate", "v", Duration::from_secs(60));
        assert_eq!(line, "__Host-taskgate=v; Path=/; Max-Age=60; Secure; HttpOnly; SameSite=Lax");
        assert_eq!(style.expire("a", "/b", None), "a=; Path=/b; Max-Age=0; Secure");
        assert_eq!(style.expire("a", "/", Some("h")), "a=; Path=/; Domain=h; Max-Age=0; Secure");
        assert!(!CookieStyle { plain_http: true }.set("t", "v", Duration::ZERO).contains("Secure"));
    }

    proptest! {
        #[test]
        fn whatever_stands_around_it_a_parent_domain_never_passes(
            before in "(; ?(Path=/|Secure|x|Domain=app\\.tasks\\.example\\.test)){0,3}",
            name in "[dD][oO][mM][aA][iI][nN]",
            space in "[ \t]{0,2}",
        ) {
            let line = format!("a=1{before};{space}{name}{space}={space}.example.test{space}; Secure");
            prop_assert!(!passes(&line), "{}", line);
        }
    }
}
