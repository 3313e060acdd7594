//! Paths into the tree: `//sys/@id`, `#1-2-3-4/name`, and what may stand before them.

use crate::yson::{self, Yson, YsonMap};
use crate::ytsaurus::error::ClusterError;
use crate::ytsaurus::guid::Guid;

/// A path that was read.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::ytsaurus) struct Path {
    /// As it was written, without attributes.
    pub(in crate::ytsaurus) text: String,
    /// What stands before it, as in `<append=%true>//tmp/t`.
    pub(in crate::ytsaurus) options: YsonMap,
    /// The object that it starts at, unless it is the root of the tree.
    pub(in crate::ytsaurus) object: Option<Guid>,
    /// Names, from there down.
    pub(in crate::ytsaurus) names: Vec<String>,
    /// What follows `@`, if that is there.
    pub(in crate::ytsaurus) attribute: Option<Vec<String>>,
}

// === impl Path ===

impl Path {
    /// Reads a path as a parameter has it: a string, with attributes on it or in it.
    pub(in crate::ytsaurus) fn parse(value: &Yson) -> Result<Self, ClusterError> {
        let bytes = value.as_bytes().ok_or_else(|| ClusterError::generic("Error parsing path: not a string"))?;
        let (mut options, rest) = if bytes.trim_ascii_start().starts_with(b"<") {
            yson::read_attributes(bytes).map_err(|error| malformed(&error.to_string()))?
        } else {
            (YsonMap::new(), bytes)
        };
        options.extend(value.attributes.clone());
        let text = std::str::from_utf8(rest).map_err(|_| malformed("not UTF-8"))?;
        let mut path = Self::parse_text(text)?;
        path.options = options;
        Ok(path)
    }

    /// Reads a path without attributes before it.
    pub(in crate::ytsaurus) fn parse_text(text: &str) -> Result<Self, ClusterError> {
        let (object, rest) = match text.as_bytes().first() {
            Some(b'/') => (None, &text[1..]),
            Some(b'#') => {
                let end = text.find('/').unwrap_or(text.len());
                let id = text[1..end].parse().map_err(|_| malformed(&format!("bad object id in {text}")))?;
                (Some(id), &text[end..])
            }
            _ => return Err(malformed(&format!("\"{text}\" does not start with a valid root-designator"))),
        };
        let mut path =
            Self { text: text.to_owned(), options: YsonMap::new(), object, names: Vec::new(), attribute: None };
        let mut letters = Letters { rest };
        while !letters.rest.is_empty() {
            letters.slash()?;
            if path.attribute.is_none() && letters.rest.starts_with('@') {
                letters.rest = &letters.rest[1..];
                path.attribute = Some(Vec::new());
                if letters.rest.is_empty() || letters.rest.starts_with('/') {
                    continue;
                }
            }
            let name = letters.name()?;
            path.attribute.as_mut().unwrap_or(&mut path.names).push(name);
        }
        Ok(path)
    }

    /// The option before the path, if it is set to true.
    pub(in crate::ytsaurus) fn has_option(&self, name: &str) -> bool {
        self.options.get(name.as_bytes()).and_then(Yson::as_bool) == Some(true)
    }
}

struct Letters<'a> {
    rest: &'a str,
}

// === impl Letters ===

impl Letters<'_> {
    fn slash(&mut self) -> Result<(), ClusterError> {
        self.rest = self.rest.strip_prefix('/').ok_or_else(|| malformed(&format!("no slash before {}", self.rest)))?;
        Ok(())
    }

    fn name(&mut self) -> Result<String, ClusterError> {
        let mut name = String::new();
        let mut letters = self.rest.chars();
        loop {
            self.rest = letters.as_str();
            match letters.next() {
                None | Some('/') => break,
                Some('\\') => name.push(escaped(&mut letters)?),
                Some(letter @ ('@' | '&' | '*' | '[' | '{')) => {
                    return Err(malformed(&format!("'{letter}' in paths is not emulated")));
                }
                Some(letter) => name.push(letter),
            }
        }
        if name.is_empty() { Err(malformed("an empty name")) } else { Ok(name) }
    }
}

fn escaped(letters: &mut std::str::Chars<'_>) -> Result<char, ClusterError> {
    match letters.next() {
        Some('x') => {
            let mut digit = || letters.next().and_then(|digit| digit.to_digit(16));
            let code = digit().zip(digit()).and_then(|(high, low)| char::from_u32(high * 16 + low));
            code.ok_or_else(|| malformed("a bad escape"))
        }
        Some(letter) => Ok(letter),
        None => Err(malformed("an escape at its end")),
    }
}

fn malformed(what: &str) -> ClusterError {
    ClusterError::generic(format!("Error parsing path: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Path {
        Path::parse(&text.into()).unwrap()
    }

    #[test]
    fn reads_paths() {
        let path = parse("//sys/exec_nodes/n1:9012/orchid");
        assert_eq!(path.names, ["sys", "exec_nodes", "n1:9012", "orchid"]);
        assert_eq!((path.object, path.attribute), (None, None));
        assert_eq!(parse("/").names, Vec::<String>::new());
        assert_eq!(parse("//a/@").attribute, Some(vec![]));
        assert_eq!(parse("//a/@b/c").attribute, Some(vec!["b".to_owned(), "c".to_owned()]));
        assert_eq!(parse("//a\\/b/c\\@d/\\x41").names, ["a/b", "c@d", "A"]);
        let path = parse("#1-2-3-4/x/@id");
        assert_eq!(path.object, "1-2-3-4".parse().ok());
        assert_eq!(path.names, ["x"]);
    }

    #[test]
    fn reads_options_in_both_spellings() {
        assert!(parse("<append=%true>//a").has_option("append"));
        let typed = Yson::from("//a").with_attribute("append", true);
        assert!(Path::parse(&typed).unwrap().has_option("append"));
        assert!(!parse("//a").has_option("append"));
    }

    #[test]
    fn refuses_what_is_no_path() {
        for bad in ["", "a/b", "///", "//a//b", "//a/", "#x", "//t[#0:#1]"] {
            assert!(Path::parse(&bad.into()).is_err(), "{bad}");
        }
    }
}
