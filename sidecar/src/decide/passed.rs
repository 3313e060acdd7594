//! A permit for Envoy's `ext_authz` over HTTP: headers for the job under their own names.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use taskgate_core::denial::Denial;
use taskgate_core::edit::{FieldEdit, RequestEdits};
use taskgate_core::service::Protocol;

use crate::decide::answer::{identity, respond};

/// The headers that Envoy's configuration finds the addresses in, as it does with the filter.
const CANDIDATES: [&str; 3] = ["x-taskgate-up1", "x-taskgate-up2", "x-taskgate-up3"];
/// Says that the job speaks HTTP/2.
const PROTOCOL: &str = "x-taskgate-protocol";
/// What Envoy takes out of the request before it goes on.
const REMOVED: &str = "x-envoy-auth-headers-to-remove";

/// What is changed in a request: headers that are set, in place of all of that name, and names that go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderEdits {
    /// Headers that are set.
    pub set: Vec<(&'static str, Vec<u8>)>,
    /// Names of headers that go. None of them is set.
    pub remove: Vec<String>,
}

impl HeaderEdits {
    /// Those of a permitted request.
    #[must_use]
    pub fn of(edits: &RequestEdits) -> Self {
        let mut set: Vec<(&'static str, Vec<u8>)> = Vec::new();
        let mut remove = Vec::new();
        for (name, edit) in [("authorization", &edits.authorization), ("cookie", &edits.cookie)] {
            match edit {
                FieldEdit::Keep => {}
                FieldEdit::Remove => remove.push(name.to_owned()),
                FieldEdit::Set(value) => set.push((name, value.clone())),
            }
        }
        set.extend(edits.path.as_ref().map(|path| (":path", path.clone())));
        set.extend(identity(edits).into_iter().map(|(name, value)| (name, value.to_vec())));
        if edits.upstream.protocol == Protocol::Grpc {
            set.push((PROTOCOL, b"h2".to_vec()));
        }
        let candidates = CANDIDATES.into_iter().zip(edits.upstream.candidates);
        set.extend(candidates.map(|(name, address)| (name, address.to_string().into_bytes())));
        let is_set = |name: &str| set.iter().any(|(other, _)| name.eq_ignore_ascii_case(other));
        let reserved = edits.remove.iter().filter_map(|name| String::from_utf8(name.clone()).ok());
        remove.extend(reserved.filter(|name| !is_set(name)));
        Self { set, remove }
    }
}

/// The answer that permits a request.
///
/// # Errors
/// [`Denial::ProxyFailure`]: a value that no header can have.
pub fn permit(edits: &mut RequestEdits) -> Result<Response, Denial> {
    let HeaderEdits { set, remove } = HeaderEdits::of(edits);
    let mut headers = HeaderMap::new();
    let mut add = |name: &'static str, value: &[u8]| -> Result<(), Denial> {
        let value = HeaderValue::from_bytes(value).map_err(|_| Denial::ProxyFailure)?;
        headers.append(HeaderName::from_static(name), value);
        Ok(())
    };
    for (name, value) in &set {
        add(name, value)?;
    }
    for line in edits.standing.take_cookies() {
        add("set-cookie", line.as_bytes())?;
    }
    if !remove.is_empty() {
        add(REMOVED, remove.join(",").as_bytes())?;
    }
    Ok(respond(StatusCode::OK, headers, String::new()))
}
