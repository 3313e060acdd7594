//! A request's headers, read once, sorted by what the gate needs of them.
//!
//! Everything borrows from the proxy's own bytes. Values are bytes, never text: a cookie that is not
//! UTF-8 is an input like any other. Nothing is decided here.

use crate::edit::is_reserved;

/// The longest header name that has a meaning here.
const LONGEST_NAME: usize = 40;

/// A header that may come once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Field<'a> {
    /// Not there.
    #[default]
    Absent,
    /// There once.
    One(&'a [u8]),
    /// There more than once.
    Repeated,
}

impl<'a> Field<'a> {
    fn add(&mut self, value: &'a [u8]) {
        *self = match self {
            Self::Absent => Self::One(value.trim_ascii()),
            Self::One(_) | Self::Repeated => Self::Repeated,
        };
    }

    /// The value, where there is exactly one.
    #[must_use]
    pub fn one(self) -> Option<&'a [u8]> {
        match self {
            Self::One(value) => Some(value),
            Self::Absent | Self::Repeated => None,
        }
    }
}

/// What the gate looks at in a request.
#[derive(Clone, Debug, Default)]
pub struct Request<'a> {
    /// `:method`.
    pub method: Field<'a>,
    /// `:path`.
    pub path: Field<'a>,
    /// `:authority`.
    pub authority: Field<'a>,
    /// `Host`, where the proxy shows it beside `:authority`.
    pub host: Field<'a>,
    /// `x-yt-taskproxy-id`.
    pub id: Field<'a>,
    /// `x-yt-taskproxy-operation-id`.
    pub operation_id: Field<'a>,
    /// `x-yt-taskproxy-operation-alias`.
    pub operation_alias: Field<'a>,
    /// `x-yt-taskproxy-task-name`.
    pub task_name: Field<'a>,
    /// `x-yt-taskproxy-service`.
    pub service: Field<'a>,
    /// `Authorization`.
    pub authorization: Field<'a>,
    /// `x-taskgate-authorization`: carries a credential where `Authorization` belongs to the job.
    pub own_authorization: Field<'a>,
    /// Every `Cookie` line.
    pub cookies: Vec<&'a [u8]>,
    /// `Accept`.
    pub accept: Field<'a>,
    /// `Content-Type`.
    pub content_type: Field<'a>,
    /// `Sec-Fetch-Mode`.
    pub fetch_mode: Field<'a>,
    /// `Upgrade`: the request wants to be a WebSocket.
    pub upgrade: Field<'a>,
    /// `Origin`: whose page asks.
    pub origin: Field<'a>,
    /// `Sec-Fetch-Site`: how that page is related to what it asks.
    pub fetch_site: Field<'a>,
    /// `Connect-Protocol-Version`.
    pub connect: Field<'a>,
    /// Names, as they came, of headers that no client may set.
    pub reserved: Vec<&'a [u8]>,
}

impl<'a> Request<'a> {
    /// Sorts the headers, pseudo headers included.
    #[must_use]
    pub fn read(headers: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let mut request = Self::default();
        let mut buffer = [0; LONGEST_NAME];
        for (name, value) in headers {
            if name.len() > LONGEST_NAME {
                if is_reserved(fold(name, &mut [0; 256])) {
                    request.reserved.push(name);
                }
                continue;
            }
            let folded = fold(name, &mut buffer);
            if is_reserved(folded) {
                request.reserved.push(name);
            }
            // `_` forms are removed with their `-` twins, but they never mean what those mean.
            if !name.contains(&b'_') {
                request.sort(folded, value);
            }
        }
        request
    }

    fn sort(&mut self, name: &[u8], value: &'a [u8]) {
        let field = match name {
            b"cookie" => return self.cookies.push(value),
            b":method" => &mut self.method,
            b":path" => &mut self.path,
            b":authority" => &mut self.authority,
            b"host" => &mut self.host,
            b"upgrade" => &mut self.upgrade,
            b"origin" => &mut self.origin,
            b"sec-fetch-site" => &mut self.fetch_site,
            b"authorization" => &mut self.authorization,
            b"accept" => &mut self.accept,
            b"content-type" => &mut self.content_type,
            b"sec-fetch-mode" => &mut self.fetch_mode,
            b"connect-protocol-version" => &mut self.connect,
            b"x-taskgate-authorization" => &mut self.own_authorization,
            b"x-yt-taskproxy-id" => &mut self.id,
            b"x-yt-taskproxy-operation-id" => &mut self.operation_id,
            b"x-yt-taskproxy-operation-alias" => &mut self.operation_alias,
            b"x-yt-taskproxy-task-name" => &mut self.task_name,
            b"x-yt-taskproxy-service" => &mut self.service,
            _ => return,
        };
        field.add(value);
    }
}

/// The name in lower case with `-` for `_`, as far as the buffer reaches.
fn fold<'b>(name: &[u8], buffer: &'b mut [u8]) -> &'b [u8] {
    let mut length = 0_usize;
    for (to, from) in buffer.iter_mut().zip(name) {
        *to = if *from == b'_' { b'-' } else { from.to_ascii_lowercase() };
        length = length.saturating_add(1);
    }
    buffer.get(..length).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_by_name_whatever_its_case() {
        let request = Request::read([
            (&b":Authority"[..], &b"a.b"[..]),
            (b"COOKIE", b"x=1"),
            (b"cookie", b"y=\xff"),
            (b"Authorization", b" Bearer t "),
            (b"x-unknown", b"z"),
        ]);
        assert_eq!(request.authority, Field::One(b"a.b"));
        assert_eq!(request.cookies, [&b"x=1"[..], b"y=\xff"]);
        assert_eq!(request.authorization, Field::One(b"Bearer t"));
        assert!(request.reserved.is_empty());
    }

    #[test]
    fn marks_what_comes_twice() {
        let request = Request::read([(&b"host"[..], &b"a"[..]), (b"host", b"a")]);
        assert_eq!(request.host, Field::Repeated);
        assert_eq!(request.host.one(), None);
    }

    #[test]
    fn finds_reserved_names_in_every_spelling() {
        let names: [&[u8]; 6] = [
            b"X-Taskgate-Up1",
            b"x_forwarded_user",
            b"X-Forwarded_Email",
            b"x-yt-taskproxy-id",
            b"x_yt_taskproxy_id",
            b"x-taskgate-a-name-that-is-longer-than-any-that-has-a-meaning",
        ];
        let request = Request::read(names.iter().map(|name| (*name, &b"v"[..])));
        assert_eq!(request.reserved, names);
        assert_eq!(request.id, Field::One(b"v"), "only the spelling with `-` selects a service");
    }
}
