//! Where somebody goes after signing in: a path of the same host, and nothing else.

pub use taskgate_core::gate::MAX_RETURN;
use thiserror::Error;

/// A path with its query, of the host that it is used on.
///
/// Invariant: begins with `/`, not with `//` or `/\`; visible ASCII characters without `#`, at most [`MAX_RETURN`];
/// leads to no step of a sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnPath(String);

/// Text that is no path to return to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must be a path on this host")]
pub struct InvalidReturn;

impl ReturnPath {
    /// The front page.
    #[must_use]
    pub fn front() -> Self {
        Self("/".into())
    }

    /// Reads a path.
    ///
    /// # Errors
    /// [`InvalidReturn`].
    pub fn parse(text: &str) -> Result<Self, InvalidReturn> {
        let rest = text.strip_prefix('/').ok_or(InvalidReturn)?;
        let leads_away = rest.starts_with(['/', '\\']);
        let is_plain = text.len() <= MAX_RETURN && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        let path = text.split('?').next().unwrap_or_default();
        // It would go round and round. The page that asks whether to sign out does nothing by itself.
        let is_step = ["sign-in", "callback"].iter().any(|step| path == format!("/.taskgate/{step}"));
        if leads_away || !is_plain || is_step { Err(InvalidReturn) } else { Ok(Self(text.into())) }
    }

    /// A path as a query has it; the front page where it is none, or too long to be kept.
    #[must_use]
    pub fn wanted(text: Option<&str>) -> Self {
        text.and_then(|text| Self::parse(text).ok()).unwrap_or_else(Self::front)
    }

    /// Whether it is the page of a share link: who goes there need not have access otherwise.
    #[must_use]
    pub fn is_share(&self) -> bool {
        let path = self.0.split('?').next().unwrap_or_default();
        path == "/.taskgate/share" || path.starts_with("/.taskgate/share/")
    }

    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_on_the_host() {
        for text in ["/", "/a/b?c=d&e=%2F", "/a//b", "/%2F%2Fevil.test", "/.taskgate/share/x?to=/a", "/?x=//evil.test"]
        {
            assert_eq!(ReturnPath::parse(text).map(|path| path.0), Ok(text.to_owned()));
        }
        for text in [
            "",
            "a",
            "//evil.test",
            "/\\evil.test",
            "\\\\evil.test",
            "https://evil.test/",
            "javascript:alert(1)",
            "/a\r\nset-cookie: x=y",
            "/a b",
            "/a#b",
            "/\u{e9}",
            "/\t/evil.test",
            "/.taskgate/sign-in?to=/",
            "/.taskgate/callback?code=x",
            &format!("/{}", "a".repeat(MAX_RETURN)),
        ] {
            assert_eq!(ReturnPath::parse(text), Err(InvalidReturn), "{text:?}");
            assert_eq!(ReturnPath::wanted(Some(text)), ReturnPath::front());
        }
    }
}
