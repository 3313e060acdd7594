//! A whole configuration of NGINX: a file with all that it includes, or what `nginx -T` prints.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::file::{self, FileError};
use crate::render::syntax::{self, Directive, InvalidSyntax, Place};

/// The largest file.
const MAX_FILE_BYTES: u64 = 8 << 20;
/// How many files a configuration may have.
const MAX_FILES: usize = 2_000;
/// How long a chain of includes may be.
const MAX_CHAIN: usize = 16;
/// What `nginx -T` prints before each file.
const DUMPED: &str = "# configuration file ";

/// Why there is no configuration to look at.
#[derive(Debug, Error)]
pub enum InvalidSource {
    /// A file can't be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A folder that is looked through can't be read.
    #[error("{0}: can't read `{1}`: {2}")]
    Folder(Place, String, #[source] std::io::Error),
    /// A file that is included is not there.
    #[error("{0}: there is no `{1}`")]
    Missing(Place, String),
    /// Not written as NGINX reads it.
    #[error(transparent)]
    Syntax(#[from] InvalidSyntax),
    /// Includes that go round in a circle, or files without end.
    #[error("{0}: more than {MAX_CHAIN} files include each other, or there are more than {MAX_FILES}")]
    TooMany(Place),
}

/// Where files come from.
enum Files {
    Disk,
    Dump(BTreeMap<String, String>),
}

/// A reading under way.
struct Reading {
    files: Files,
    /// What relative names are relative to.
    directory: PathBuf,
    count: usize,
}

/// Reads a file, or `nginx.conf` of a folder, and all that it includes.
///
/// # Errors
/// [`InvalidSource`].
pub fn open(path: &Path) -> Result<Vec<Directive>, InvalidSource> {
    let path = if path.is_dir() { path.join("nginx.conf") } else { path.to_owned() };
    let text = file::read_text(&path, MAX_FILE_BYTES)?;
    let directory = path.parent().unwrap_or(Path::new("")).to_owned();
    let mut reading = Reading { files: Files::Disk, directory, count: 0 };
    let read = syntax::parse(&path.display().to_string(), &text)?;
    reading.follow(read, 0)
}

/// Reads what `nginx -T` printed; a text without its marks is one file.
///
/// # Errors
/// [`InvalidSource`].
pub fn dumped(text: &str) -> Result<Vec<Directive>, InvalidSource> {
    let mut files = BTreeMap::new();
    let mut main: Option<String> = None;
    let mut current: Option<(String, String)> = None;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix(DUMPED).and_then(|rest| rest.strip_suffix(':')) {
            files.extend(current.replace((name.to_owned(), String::new())));
            main.get_or_insert_with(|| name.to_owned());
        } else if let Some((_, text)) = &mut current {
            text.push_str(line);
            text.push('\n');
        }
    }
    files.extend(current);
    let Some(main) = main else { return Ok(syntax::parse("standard input", text)?) };
    let read = syntax::parse(&main, files.get(&main).map(String::as_str).unwrap_or_default())?;
    let directory = Path::new(&main).parent().unwrap_or(Path::new("")).to_owned();
    Reading { files: Files::Dump(files), directory, count: 0 }.follow(read, 0)
}

impl Reading {
    /// The same directives, with those of the files in place of each `include`.
    fn follow(&mut self, directives: Vec<Directive>, chain: usize) -> Result<Vec<Directive>, InvalidSource> {
        let mut followed = Vec::with_capacity(directives.len());
        for mut directive in directives {
            if let Some(block) = directive.block.take() {
                directive.block = Some(self.follow(block, chain)?);
            } else if directive.name == "include" {
                for name in self.named(&directive)? {
                    self.count = self.count.saturating_add(1);
                    if chain >= MAX_CHAIN || self.count > MAX_FILES {
                        return Err(InvalidSource::TooMany(directive.place));
                    }
                    let read = syntax::parse(&name, &self.text(&name, &directive.place)?)?;
                    followed.extend(self.follow(read, chain.saturating_add(1))?);
                }
                continue;
            }
            followed.push(directive);
        }
        Ok(followed)
    }

    /// The files that an `include` means, in NGINX's order.
    fn named(&self, include: &Directive) -> Result<Vec<String>, InvalidSource> {
        let wanted = self.directory.join(include.argument(0));
        let text = wanted.display().to_string();
        if !is_pattern(&text) {
            return Ok(vec![text]);
        }
        match &self.files {
            Files::Dump(files) => Ok(files.keys().filter(|name| matches(&text, name)).cloned().collect()),
            Files::Disk => found(&wanted, &include.place),
        }
    }

    fn text(&self, name: &str, place: &Place) -> Result<String, InvalidSource> {
        match &self.files {
            Files::Disk => Ok(file::read_text(Path::new(name), MAX_FILE_BYTES)?),
            Files::Dump(files) => {
                files.get(name).cloned().ok_or_else(|| InvalidSource::Missing(place.clone(), name.to_owned()))
            }
        }
    }
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// The files that match a pattern, which may have patterns in each of its parts.
fn found(wanted: &Path, place: &Place) -> Result<Vec<String>, InvalidSource> {
    let mut found = vec![PathBuf::new()];
    for part in wanted.components() {
        let part = Path::new(part.as_os_str());
        if !is_pattern(&part.display().to_string()) {
            found.iter_mut().for_each(|path| path.push(part));
            continue;
        }
        let mut next = Vec::new();
        for directory in &found {
            let here = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
            let unreadable = |source| InvalidSource::Folder(place.clone(), here.display().to_string(), source);
            let entries = match std::fs::read_dir(here) {
                Ok(entries) => entries,
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => continue,
                Err(error) => return Err(unreadable(error)),
            };
            for entry in entries {
                let path = directory.join(entry.map_err(unreadable)?.file_name());
                if matches(&directory.join(part).display().to_string(), &path.display().to_string()) {
                    next.push(path);
                }
                if next.len() > MAX_FILES {
                    return Err(InvalidSource::TooMany(place.clone()));
                }
            }
        }
        found = next;
    }
    // Below a pattern there may be folders without what comes after it.
    let mut names = Vec::new();
    for path in found {
        match path.symlink_metadata() {
            Ok(_) => names.push(path.display().to_string()),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(error) => return Err(InvalidSource::Folder(place.clone(), path.display().to_string(), error)),
        }
    }
    names.sort();
    Ok(names)
}

/// Whether a name matches a pattern with `*` and `?`, neither of which stands for a slash. What is in brackets is any
/// one letter: that may read a file too many, which is looked at like the others.
fn matches(pattern: &str, name: &str) -> bool {
    let mut pattern: Vec<char> = pattern.chars().collect();
    while let Some(open) = pattern.iter().position(|letter| *letter == '[') {
        let end = pattern
            .iter()
            .skip(open)
            .position(|letter| *letter == ']')
            .map_or(open, |length| open.saturating_add(length));
        pattern.splice(open..=end, ['?']);
    }
    let name: Vec<char> = name.chars().collect();
    // The places in the pattern where the name read so far may be.
    let mut places = closure(&pattern, vec![0]);
    for letter in name {
        let next = places.iter().filter_map(|place| match pattern.get(*place)? {
            '*' if letter != '/' => Some(*place),
            '?' if letter != '/' => Some(place.saturating_add(1)),
            other if *other == letter && letter != '*' => Some(place.saturating_add(1)),
            _ => None,
        });
        places = closure(&pattern, next.collect());
    }
    places.contains(&pattern.len())
}

/// With the places beyond each `*`, which may stand for nothing.
fn closure(pattern: &[char], mut places: Vec<usize>) -> Vec<usize> {
    let mut index = 0;
    while let Some(place) = places.get(index).copied() {
        let beyond = place.saturating_add(1);
        if pattern.get(place) == Some(&'*') && !places.contains(&beyond) {
            places.push(beyond);
        }
        index = index.saturating_add(1);
    }
    places.sort_unstable();
    places.dedup();
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directives: &[Directive]) -> Vec<(String, String)> {
        directives.iter().map(|directive| (directive.name.clone(), directive.place.to_string())).collect()
    }

    #[test]
    fn patterns_are_those_of_a_shell() {
        for (pattern, name, is_one) in [
            ("/a/*.conf", "/a/b.conf", true),
            ("/a/*.conf", "/a/b/c.conf", false),
            ("/a/*.conf", "/a/.conf", true),
            ("/a/?.conf", "/a/bb.conf", false),
            ("/a/[0-9]x", "/a/1x", true),
            ("/a/*", "/a/anything.at.all", true),
            ("/*/n*.c", "/a/nx.c", true),
            ("/a/b", "/a/b", true),
        ] {
            assert_eq!(matches(pattern, name), is_one, "{pattern} {name}");
        }
    }

    #[test]
    fn follows_includes_of_a_folder_and_of_a_dump() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("writes");
        std::fs::create_dir(folder.path().join("conf.d")).expect("makes");
        write("nginx.conf", "a;\nhttp { include conf.d/*.conf; c; }\n");
        write("conf.d/1.conf", "b1;\n");
        write("conf.d/2.conf", "\nb2;\n");
        write("conf.d/3.off", "no;\n");
        let read = open(folder.path()).expect("reads");
        let inner = names(read[1].block.as_ref().expect("a block"));
        assert_eq!(inner.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["b1", "b2", "c"]);
        assert!(inner[1].1.ends_with("conf.d/2.conf:2"), "{inner:?}");
        let dump = "nginx: ok\n# configuration file /e/n.conf:\na;\nhttp { include d/*.c; }\n\n# configuration file /e/d/x.c:\n# x\nb;\n";
        let read = dumped(dump).expect("reads");
        assert_eq!(names(&read[..1]), [("a".to_owned(), "/e/n.conf:1".to_owned())]);
        assert_eq!(names(read[1].block.as_ref().expect("a block")), [("b".to_owned(), "/e/d/x.c:2".to_owned())]);
        assert_eq!(names(&dumped("x;").expect("reads")), [("x".to_owned(), "standard input:1".to_owned())]);
    }

    #[test]
    fn folders_are_looked_through_part_by_part() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["sites/b/x.conf", "sites/a/x.conf", "sites/a/y.conf", "sites/c/other", "sites/d/in/x.conf"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("makes");
            std::fs::write(path, format!("{};", name.replace('/', "_"))).expect("writes");
        }
        std::fs::write(folder.path().join("sites/file"), "no;").expect("writes");
        for (pattern, wanted) in [
            ("sites/*/x.conf", vec!["sites_a_x.conf", "sites_b_x.conf"]),
            ("sites/[ab]/?.conf", vec!["sites_a_x.conf", "sites_a_y.conf", "sites_b_x.conf"]),
            ("s*/*/in/*.conf", vec!["sites_d_in_x.conf"]),
            ("none/*/x.conf", vec![]),
        ] {
            std::fs::write(folder.path().join("nginx.conf"), format!("include {pattern};")).expect("writes");
            let read = open(folder.path()).expect("reads");
            assert_eq!(read.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), wanted, "{pattern}");
        }
        // A folder in the place of a file can't be read, and is not passed over.
        std::fs::write(folder.path().join("nginx.conf"), "include sites/*/i*;").expect("writes");
        assert!(matches!(open(folder.path()), Err(InvalidSource::File(_))));
    }

    #[test]
    fn what_is_missing_or_goes_round_is_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("nginx.conf");
        std::fs::write(&path, "include nginx.conf;").expect("writes");
        assert!(matches!(open(&path), Err(InvalidSource::TooMany(_))));
        std::fs::write(&path, "include absent.conf;").expect("writes");
        assert!(matches!(open(&path), Err(InvalidSource::File(_))));
        assert!(matches!(dumped("# configuration file /a:\ninclude b;\n"), Err(InvalidSource::Missing(..))));
    }
}
