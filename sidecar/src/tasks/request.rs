//! What a client asks for: an operation, its sources, arguments and destinations.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::digest::Digest;
use crate::hsds::domain::DomainName;

/// The most sources or destinations of a task.
pub const MAX_LOCATIONS: usize = 64;
/// The longest name of a domain, bucket, path or selection, in bytes: HSDS takes no longer request line.
pub const MAX_TEXT: usize = 2048;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The operation's name.
    pub operation: String,
    /// What is read.
    #[serde(default)]
    pub src: Vec<Location>,
    /// The operation's arguments. Keys are in order, so equal arguments are equal text.
    #[serde(default)]
    pub args: Map<String, Value>,
    /// What is written.
    #[serde(default)]
    pub des: Vec<Location>,
}

/// An object of a domain, or part of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "WireLocation", into = "WireLocation")]
pub struct Location {
    /// The domain's path, from `/`.
    pub domain: String,
    /// Its bucket; none is the server's own.
    pub bucket: Option<String>,
    /// The object.
    pub object: ObjectName,
    /// Part of a dataset as `[start:stop:step,…]`; none is all of it.
    pub select: Option<String>,
}

/// How an object is named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectName {
    /// By its path in the domain, from `/`.
    Path(String),
    /// By its id.
    Id(String),
}

/// What is wrong with a location.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidLocation {
    /// The domain is no absolute path.
    #[error("`domain` must be an absolute path like `/home/alice/data.h5`, optionally behind `hdf5:/` or a bucket")]
    Domain,
    /// A bucket's name twice.
    #[error("`domain` and `bucket` name two buckets")]
    TwoBuckets,
    /// No bucket's name.
    #[error("`bucket` must be a name of a bucket: letters, digits, `.`, `-` and `_`")]
    Bucket,
    /// No object, or two.
    #[error("an object is named by either `h5path` or `uuid`")]
    Object,
    /// No id.
    #[error("`uuid` must be the id of a group, dataset or datatype")]
    Id,
    /// Text that is too long or has control characters.
    #[error("`{0}` is longer than {MAX_TEXT} bytes or has control characters")]
    Text(&'static str),
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct WireLocation {
    domain: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bucket: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    h5path: Option<String>,
    #[serde(default, alias = "id", skip_serializing_if = "Option::is_none")]
    uuid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    select: Option<String>,
}

impl Request {
    /// What makes two requests of one owner the same: everything that is asked for.
    #[must_use]
    pub fn digest(&self, owner: &str) -> Digest {
        let text = serde_json::to_vec(self).unwrap_or_default();
        Digest::of_parts(&[b"taskgate/v1/task", owner.as_bytes(), &text])
    }
}

impl TryFrom<WireLocation> for Location {
    type Error = InvalidLocation;

    fn try_from(wire: WireLocation) -> Result<Self, InvalidLocation> {
        let texts = [
            ("domain", Some(&wire.domain)),
            ("bucket", wire.bucket.as_ref()),
            ("h5path", wire.h5path.as_ref()),
            ("uuid", wire.uuid.as_ref()),
            ("select", wire.select.as_ref()),
        ];
        for (key, text) in texts {
            if text.is_some_and(|text| !is_text(text)) {
                return Err(InvalidLocation::Text(key));
            }
        }
        let (bucket, domain) = domain(&wire.domain)?;
        let bucket = match (bucket, wire.bucket.filter(|bucket| !bucket.is_empty())) {
            (Some(one), Some(other)) if one != other => return Err(InvalidLocation::TwoBuckets),
            (one, other) => one.or(other),
        };
        if bucket.as_deref().is_some_and(|bucket| !is_bucket(bucket)) {
            return Err(InvalidLocation::Bucket);
        }
        let object = match (wire.h5path, wire.uuid) {
            // Of what is kept the length counts too: it is read again.
            (Some(path), None) => match absolute(&path) {
                path if is_text(&path) => ObjectName::Path(path),
                _ => return Err(InvalidLocation::Text("h5path")),
            },
            (None, Some(id)) if is_id(&id) => ObjectName::Id(id.to_ascii_lowercase()),
            (None, Some(_)) => return Err(InvalidLocation::Id),
            (Some(_), Some(_)) | (None, None) => return Err(InvalidLocation::Object),
        };
        Ok(Self { domain, bucket, object, select: wire.select.filter(|select| !select.is_empty()) })
    }
}

impl From<Location> for WireLocation {
    fn from(Location { domain, bucket, object, select }: Location) -> Self {
        let (h5path, uuid) = match object {
            ObjectName::Path(path) => (Some(path), None),
            ObjectName::Id(id) => (None, Some(id)),
        };
        Self { domain, bucket, h5path, uuid, select }
    }
}

impl From<&Location> for DomainName {
    fn from(location: &Location) -> Self {
        Self::new(&location.domain).in_bucket(location.bucket.clone())
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ObjectName::Path(object) | ObjectName::Id(object)) = &self.object;
        let bucket = self.bucket.as_deref().unwrap_or_default();
        write!(formatter, "{bucket}{} {object}", self.domain)
    }
}

/// A domain without its scheme, and the bucket where one is in front of it: `hdf5://home/a.h5` and
/// `hdf5:/home/a.h5` are `/home/a.h5`, and `bucket/home/a.h5` names a bucket.
fn domain(text: &str) -> Result<(Option<String>, String), InvalidLocation> {
    let (bucket, path) = match text.strip_prefix("hdf5:/") {
        Some(path) => (None, path),
        None => match text.split_once('/') {
            Some(("", path)) => (None, path),
            Some((bucket, path)) => (Some(bucket.to_owned()), path),
            None => return Err(InvalidLocation::Domain),
        },
    };
    let path = path.trim_matches('/');
    let is_path = !path.is_empty() && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if is_path { Ok((bucket, format!("/{path}"))) } else { Err(InvalidLocation::Domain) }
}

fn is_text(text: &str) -> bool {
    text.len() <= MAX_TEXT && !text.chars().any(char::is_control)
}

fn absolute(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    format!("/{}", parts.join("/"))
}

fn is_bucket(text: &str) -> bool {
    text.len() <= 255 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

/// `g-`, `d-` or `t-`, and a UUID with HSDS's own grouping or the common one.
fn is_id(text: &str) -> bool {
    let Some((kind, rest)) = text.split_once('-') else { return false };
    let digits = rest.bytes().filter(|byte| *byte != b'-');
    matches!(kind, "g" | "d" | "t" | "G" | "D" | "T")
        && digits.clone().count() == 32
        && digits.clone().all(|byte| byte.is_ascii_hexdigit())
        && rest.len() <= 37
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn location(value: Value) -> Result<Location, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn one_location_has_one_form() {
        let plain = location(json!({"domain": "/home/a.h5", "bucket": "b", "h5path": "/g/x"}));
        for same in [
            json!({"domain": "b/home/a.h5", "h5path": "g//x/"}),
            json!({"domain": "hdf5://home/a.h5/", "bucket": "b", "h5path": "/g/./x"}),
            json!({"domain": "hdf5:/home/a.h5", "bucket": "b", "h5path": "/g/x", "select": ""}),
        ] {
            assert_eq!(location(same.clone()), plain, "{same}");
        }
        assert_eq!(plain.expect("a location").to_string(), "b/home/a.h5 /g/x");
        let id = "d-1234abcd-1234abcd-1234-123456-abcdef";
        let by_id = location(json!({"domain": "/a", "id": id})).expect("a location");
        assert_eq!(serde_json::to_value(by_id).expect("JSON"), json!({"domain": "/a", "uuid": id}));
    }

    #[test]
    fn what_is_no_location_says_why() {
        for (value, reason) in [
            (json!({"domain": "a.h5", "h5path": "/"}), "absolute path"),
            (json!({"domain": "/", "h5path": "/"}), "absolute path"),
            (json!({"domain": "/home/../etc", "h5path": "/"}), "absolute path"),
            (json!({"domain": "b/x", "bucket": "c", "h5path": "/"}), "two buckets"),
            (json!({"domain": "b ad/x", "h5path": "/"}), "name of a bucket"),
            (json!({"domain": "/x"}), "either"),
            (json!({"domain": "/x", "h5path": "/", "uuid": "g-1"}), "either"),
            (json!({"domain": "/x", "uuid": "d-../../x"}), "the id of"),
            (json!({"domain": "/x\n", "h5path": "/"}), "control"),
            (json!({"domain": "/x", "h5path": "y".repeat(MAX_TEXT + 1)}), "longer"),
            (json!({"domain": "/x", "h5path": "y".repeat(MAX_TEXT)}), "longer"),
            (json!({"domain": "/x", "h5path": "/", "code": "rm"}), "unknown field"),
        ] {
            let error = location(value.clone()).expect_err("no location");
            assert!(error.contains(reason), "{value}: {error}");
        }
    }

    #[test]
    fn equal_requests_of_one_owner_have_one_digest() {
        let read = |text: &str| serde_json::from_str::<Request>(text).expect("a request");
        let one =
            read(r#"{"operation": "copy", "args": {"b": 1, "a": [2]}, "des": [{"domain": "/x", "h5path": "y"}]}"#);
        let same =
            read(r#"{"des":[{"h5path":"/y","domain":"/x"}],"args":{"a":[2],"b":1},"src":[],"operation":"copy"}"#);
        assert_eq!(one.digest("alice"), same.digest("alice"));
        assert_ne!(one.digest("alice"), one.digest("bob"));
        let other =
            read(r#"{"operation": "copy", "args": {"b": 2, "a": [2]}, "des": [{"domain": "/x", "h5path": "y"}]}"#);
        assert_ne!(one.digest("alice"), other.digest("alice"));
    }
}
