//! Shared access signatures of Azure Blob Storage, for one blob.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::data::store::sign::encode;
use crate::data::store::sign::stamp::{Span, extended};
use crate::data::store::sign::v4::hmac;

/// The version of the service whose form this is.
const VERSION: &str = "2022-11-02";

/// What whoever has the signature may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// Make the blob, but not replace it.
    Create,
    /// Make it or replace it.
    Write,
    /// Put blocks of it. No right is only that: whoever has it may write the blob.
    Block,
    /// Read it.
    Read,
}

/// A signature that is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Blob<'a> {
    /// The account.
    pub(crate) account: &'a str,
    /// The container.
    pub(crate) container: &'a str,
    /// The blob's name, not encoded.
    pub(crate) name: &'a str,
    /// What for.
    pub(crate) right: Right,
    /// How long.
    pub(crate) span: Span,
    /// Whether it may be used without TLS too.
    pub(crate) plain: bool,
    /// The `Content-Disposition` of the answer, or nothing.
    pub(crate) content_disposition: &'a str,
    /// The `Content-Type` of the answer, or nothing.
    pub(crate) content_type: &'a str,
}

impl Right {
    fn letters(self) -> &'static str {
        match self {
            Self::Create => "c",
            Self::Block => "w",
            Self::Write => "cw",
            Self::Read => "r",
        }
    }
}

impl Blob<'_> {
    /// The query that a key of the account signs.
    pub(crate) fn query(&self, account_key: &[u8]) -> String {
        let (rights, end) = (self.right.letters(), extended(self.span.end()));
        let resource = format!("/blob/{}/{}/{}", self.account, self.container, self.name);
        let protocol = if self.plain { "https,http" } else { "https" };
        // Rights, start, end, resource, identifier, address, protocol, version, kind, snapshot, encryption scope, and
        // what the answer says: caching, disposition, encoding, language, type.
        let fields = [
            rights,
            "",
            &end,
            &resource,
            "",
            "",
            protocol,
            VERSION,
            "b",
            "",
            "",
            "",
            self.content_disposition,
            "",
            "",
            self.content_type,
        ];
        let signature = STANDARD.encode(hmac(account_key, fields.join("\n").as_bytes()));
        let pairs = [
            ("sv", VERSION),
            ("spr", protocol),
            ("se", &end),
            ("sr", "b"),
            ("sp", rights),
            ("rscd", self.content_disposition),
            ("rsct", self.content_type),
            ("sig", &signature),
        ];
        encode::query(pairs.into_iter().filter(|(_, value)| !value.is_empty()))
    }
}
