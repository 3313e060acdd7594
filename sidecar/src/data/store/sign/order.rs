//! What a bucket is asked to sign.

use std::time::Duration;

/// Who will send the request: from there the service has an address of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// A client.
    Client,
    /// The sidecar.
    Sidecar,
}

/// A request that is to be signed.
#[derive(Clone, Debug)]
pub(crate) struct Order<'a> {
    /// Who will send it.
    pub(crate) sender: Sender,
    /// Its method.
    pub(crate) method: &'a str,
    /// What the bucket calls the object; none: it is about the bucket.
    pub(crate) name: Option<&'a str>,
    /// How long it can be used.
    pub(crate) expires_in: Duration,
    /// What the query has besides the signature; not encoded.
    pub(crate) parameters: &'a [(&'a str, &'a str)],
    /// The headers that must be sent so.
    pub(crate) headers: Vec<(String, String)>,
    /// The body's length, where it is signed: every client sends that header by itself, and may break where it is
    /// told to.
    pub(crate) content_length: Option<u64>,
}

impl<'a> Order<'a> {
    /// A client's request about an object, without parameters and headers.
    pub(crate) fn of_client(method: &'a str, name: &'a str, expires_in: Duration) -> Self {
        Self {
            sender: Sender::Client,
            method,
            name: Some(name),
            expires_in,
            parameters: &[],
            headers: Vec::new(),
            content_length: None,
        }
    }

    /// The path of what it is about, where those of objects start so: `/` or `/bucket/`.
    pub(crate) fn path(&self, root: &str) -> String {
        match self.name {
            Some(name) => format!("{root}{name}"),
            None if root.len() > 1 => root.trim_end_matches('/').to_owned(),
            None => root.to_owned(),
        }
    }
}
