//! Services that a path names: `/proxy/<workload>/…` and `/proxy/<workload>:<service>/…`.
//!
//! That is how Determined's master and its command line name what runs. The bytes count as they came, and whoever the
//! request goes to must read them alike: what could be read in two ways (an escape in the name, a segment that leads up)
//! is refused and not guessed.

use crate::denial::Denial;
use crate::naming::{PATH_SERVICE, PATH_TASK, ServiceDigest};
use crate::service::Service;
use crate::table::Table;

/// What paths begin with that name a service.
const PREFIX: &[u8] = b"/proxy/";
/// The longest name of a workload.
const MAX_WORKLOAD: usize = 128;

/// What a path names.
///
/// Invariant: `workload` is 1 to 128 letters, digits, `-`, `_` and `.`, not all of them dots; `service` is `default` or a
/// port without a zero at its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named<'a> {
    workload: &'a str,
    service: &'a str,
}

impl<'a> Named<'a> {
    /// Reads a path, with its query. None where it is not among those that name services.
    ///
    /// # Errors
    /// [`Denial::MalformedAddress`].
    pub fn read(path: &'a [u8]) -> Result<Option<Self>, Denial> {
        if !path.starts_with(b"/") {
            return Err(Denial::MalformedAddress);
        }
        let Some(rest) = without_query(path).strip_prefix(PREFIX) else { return Ok(None) };
        let slash = rest.iter().position(|byte| *byte == b'/').ok_or(Denial::MalformedAddress)?;
        let (name, rest) = rest.split_at_checked(slash).ok_or(Denial::MalformedAddress)?;
        if leads_up(rest) {
            return Err(Denial::MalformedAddress);
        }
        let name = core::str::from_utf8(name).map_err(|_| Denial::MalformedAddress)?;
        let (workload, service) = name.split_once(':').unwrap_or((name, PATH_SERVICE));
        let is_named = is_workload(workload) && (service == PATH_SERVICE && !name.contains(':') || is_port(service));
        if is_named { Ok(Some(Self { workload, service })) } else { Err(Denial::MalformedAddress) }
    }

    /// The service of that name.
    #[must_use]
    pub fn find(self, table: &Table) -> Option<Service<'_>> {
        let Self { workload, service } = self;
        let is_it = |row: &Service<'_>| row.operation == workload && row.task == PATH_TASK && row.answers_to(service);
        ServiceDigest::of(workload, PATH_TASK, service).ids().find_map(|id| table.service(id.as_str()).filter(&is_it))
    }
}

/// Whether a path, with its query, stays below `start`, which ends with `/`.
#[must_use]
pub fn is_below(path: &[u8], start: &str) -> bool {
    without_query(path).strip_prefix(start.as_bytes()).is_some_and(|rest| start.ends_with('/') && !leads_up(rest))
}

/// Whether a workload can be named in a path.
#[must_use]
pub fn is_workload(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=MAX_WORKLOAD).contains(&text.len()) && text.bytes().all(is_plain) && !text.bytes().all(|byte| byte == b'.')
}

fn is_port(text: &str) -> bool {
    !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

fn without_query(path: &[u8]) -> &[u8] {
    path.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default()
}

/// Whether a path has a segment `.` or `..`, as anybody on the way may read it: escaped, between backslashes or escaped
/// slashes, or with parameters.
fn leads_up(path: &[u8]) -> bool {
    /// A segment of dots alone, so many so far; none: another one.
    fn is_dots(dots: Option<u8>) -> bool {
        matches!(dots, Some(1 | 2))
    }
    let mut dots = Some(0_u8);
    let mut rest = path;
    while let Some((byte, after)) = rest.split_first() {
        let (byte, after) = match (byte, after) {
            (b'%', [b'2', b'e' | b'E', after @ ..]) => (b'.', after),
            (
                b'%',
                [b'2', b'f' | b'F', after @ ..] | [b'5', b'c' | b'C', after @ ..] | [b'3', b'b' | b'B', after @ ..],
            ) => (b'/', after),
            (byte, after) => (*byte, after),
        };
        rest = after;
        match byte {
            b'/' | b'\\' | b';' if is_dots(dots) => return true,
            b'/' | b'\\' | b';' => dots = Some(0),
            b'.' => dots = dots.map(|count| count.saturating_add(1)),
            _ => dots = None,
        }
    }
    is_dots(dots)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(path: &str) -> Result<Option<(String, String)>, Denial> {
        let named = Named::read(path.as_bytes())?;
        Ok(named.map(|named| (named.workload.to_owned(), named.service.to_owned())))
    }

    fn named(workload: &str, service: &str) -> Result<Option<(String, String)>, Denial> {
        Ok(Some((workload.into(), service.into())))
    }

    #[test]
    fn a_path_names_a_workload_and_a_port_or_none() {
        assert_eq!(read("/proxy/1f2e-3d/lab?x=/../"), named("1f2e-3d", "default"));
        assert_eq!(read("/proxy/1.9a:8265/"), named("1.9a", "8265"));
        assert_eq!(read("/proxy/a:1/enc%2Fpath/%252e%252e/..a/a../...;x"), named("a", "1"));
        for path in
            ["/", "/proxy", "/proxyx/a/", "//proxy/a/", "/det/proxy/a/", "/PROXY/a/", "/%70roxy/a/", "/./proxy/a/"]
        {
            assert_eq!(read(path), Ok(None), "{path}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for path in [
            "*",
            "",
            "http://h/proxy/a/",
            "/proxy/",
            "/proxy//",
            "/proxy/a",
            "/proxy/a?b/",
            "/proxy/../a/",
            "/proxy/./a/",
            "/proxy/a%3a80/",
            "/proxy/a%2Fb/",
            "/proxy/%61/",
            "/proxy/a;b/",
            "/proxy/a:/",
            "/proxy/a:0/",
            "/proxy/a:080/",
            "/proxy/a:65536/",
            "/proxy/a:+1/",
            "/proxy/a:default/",
            "/proxy/a:1:2/",
            "/proxy/a b/",
            "/proxy/a\\b/",
            "/proxy/\u{e9}/",
            "/proxy/a/../b/",
            "/proxy/a/..",
            "/proxy/a/./b",
            "/proxy/a/%2e%2E/b/",
            "/proxy/a/.%2e/b/",
            "/proxy/a/x%2f..%2Fb/",
            "/proxy/a/x\\..\\b",
            "/proxy/a/x%5c..%5Cb",
            "/proxy/a/..;/b/",
            "/proxy/a/..%3b/b/",
        ] {
            assert_eq!(read(path), Err(Denial::MalformedAddress), "{path}");
        }
    }

    #[test]
    fn below_is_below() {
        assert!(is_below(b"/proxy/a/", "/proxy/a/") && is_below(b"/proxy/a/b?c=/..", "/proxy/a/"));
        for path in ["/proxy/a", "/proxy/ab/", "/", "/proxy/a/../b", "/proxy/b/?/proxy/a/"] {
            assert!(!is_below(path.as_bytes(), "/proxy/a/"), "{path}");
        }
        assert!(!is_below(b"/proxy/ab", "/proxy/a"));
    }

    proptest! {
        #[test]
        fn whatever_is_read_stays_below_itself(rest in "[a./%2eEfF5cC;\\\\?#]{0,16}") {
            let path = format!("/proxy/a:1/{rest}");
            let is_read = read(&path).is_ok();
            prop_assert_eq!(is_read, is_below(path.as_bytes(), "/proxy/a:1/"));
            if is_read {
                let plain = without_query(path.as_bytes()).to_ascii_lowercase();
                let text = String::from_utf8(plain).expect("text");
                let text = text.replace("%2e", ".").replace("%2f", "/").replace("%5c", "/").replace('\\', "/");
                prop_assert!(text.split('/').all(|segment| segment != "." && segment != ".."), "{}", path);
            }
        }

        #[test]
        fn any_bytes_at_all(path in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(Some(named)) = Named::read(&path) {
                prop_assert!(is_workload(named.workload));
            }
        }
    }
}
