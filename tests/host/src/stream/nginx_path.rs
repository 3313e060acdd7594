//! A request's target as NGINX shows it to a filter: decoded, and put in order.
//!
//! Why: what the job gets is the target as it was sent. A filter that decides by the one and forwards
//! the other lets requests past it.

/// The path and query of a target: an absolute form loses its scheme and host.
pub(crate) fn relative(target: &[u8]) -> &[u8] {
    let Some(end) = target.windows(3).position(|part| part == b"://").filter(|_| !target.starts_with(b"/")) else {
        return target;
    };
    let rest = target.get(end + 3..).unwrap_or_default();
    let start = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
    rest.get(start..).filter(|path| !path.is_empty()).unwrap_or(b"/")
}

/// The path decoded, without empty and dot segments; the query as it is.
pub(crate) fn decoded(target: &[u8]) -> Vec<u8> {
    let end = target.iter().position(|byte| *byte == b'?').unwrap_or(target.len());
    let (path, query) = target.split_at(end);
    let path = percent_decoded(path);
    let mut segments: Vec<&[u8]> = Vec::new();
    let mut parts = path.split(|byte| *byte == b'/').peekable();
    let mut ends_open = false;
    while let Some(part) = parts.next() {
        ends_open = parts.peek().is_none() && matches!(part, b"" | b"." | b"..");
        match part {
            b"" | b"." => {}
            b".." => {
                segments.pop();
            }
            name => segments.push(name),
        }
    }
    let mut shown = Vec::new();
    for segment in &segments {
        shown.push(b'/');
        shown.extend_from_slice(segment);
    }
    if ends_open || shown.is_empty() {
        shown.push(b'/');
    }
    shown.extend_from_slice(query);
    shown
}

fn percent_decoded(path: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| *first == b'%').and_then(|digits| str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                decoded.push(*first);
                rest = after;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::{decoded, relative};

    #[test]
    fn decodes_and_orders_the_path_alone() {
        for (sent, shown) in [
            ("/", "/"),
            ("/a%2Fb//c/../d?q=%20//", "/a/b/d?q=%20//"),
            ("/%2e%2E/.taskgate/x/", "/.taskgate/x/"),
            ("/a/.", "/a/"),
            ("/a%zz", "/a%zz"),
        ] {
            assert_eq!(String::from_utf8_lossy(&decoded(sent.as_bytes())), shown, "{sent}");
        }
        assert_eq!(relative(b"http://h/x?y://z"), b"/x?y://z");
        assert_eq!(relative(b"/x?http://h/"), b"/x?http://h/");
    }
}
