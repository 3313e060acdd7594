//! The syntax of NGINX's configuration: directives, some of them with a block.
//!
//! What a directive means is known elsewhere. Includes are directives like all others here; [`crate::render::source`]
//! follows them.

use std::fmt;
use std::iter::Peekable;
use std::str::Chars;
use std::sync::Arc;

use thiserror::Error;

/// How deep blocks may lie in each other.
const MAX_DEPTH: usize = 32;

/// Where something stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file's name, as it was opened.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.file, self.line)
    }
}

/// A directive, or an entry of a block that has entries.
#[derive(Clone, Debug)]
pub struct Directive {
    /// Its name; of an entry of `map`, what is compared.
    pub name: String,
    /// What follows the name, without quotes.
    pub arguments: Vec<String>,
    /// Where it begins.
    pub place: Place,
    /// What it has between braces.
    pub block: Option<Vec<Self>>,
}

impl Directive {
    /// The argument at that place; empty where there is none.
    #[must_use]
    pub fn argument(&self, index: usize) -> &str {
        self.arguments.get(index).map(String::as_str).unwrap_or_default()
    }
}

/// What is no configuration.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidSyntax {
    /// A brace or a semicolon at a place where there is nothing to end.
    #[error("{0}: `{1}` ends nothing")]
    EndsNothing(Place, char),
    /// The file ends within something.
    #[error("{0}: this has no end")]
    NoEnd(Place),
    /// Blocks in blocks in blocks.
    #[error("{0}: blocks lie more than {MAX_DEPTH} deep in each other")]
    TooDeep(Place),
}

#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    Semicolon,
    Open,
    Close,
}

struct Lexer<'a> {
    file: Arc<str>,
    text: Peekable<Chars<'a>>,
    line: usize,
}

/// Reads the text of a file.
///
/// # Errors
/// [`InvalidSyntax`].
pub fn parse(file: &str, text: &str) -> Result<Vec<Directive>, InvalidSyntax> {
    let mut lexer = Lexer { file: file.into(), text: text.chars().peekable(), line: 1 };
    // The directives of each block that is open, and the directive that the innermost one belongs to.
    let mut open: Vec<(Directive, Vec<Directive>)> = Vec::new();
    let mut done = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut place = lexer.place();
    while let Some((at, token)) = lexer.next()? {
        let is_first = words.is_empty();
        if is_first {
            place = at.clone();
        }
        match token {
            Token::Word(word) => words.push(word),
            Token::Semicolon if is_first => return Err(InvalidSyntax::EndsNothing(at, ';')),
            Token::Semicolon => done.push(directive(&mut words, &place)),
            Token::Open if is_first => return Err(InvalidSyntax::EndsNothing(at, '{')),
            Token::Open if open.len() >= MAX_DEPTH => return Err(InvalidSyntax::TooDeep(at)),
            Token::Open => {
                let opened = directive(&mut words, &place);
                if opened.name.ends_with("_by_lua_block") {
                    lexer.skip_block(&opened.place)?;
                    done.push(opened);
                } else {
                    open.push((opened, std::mem::take(&mut done)));
                }
            }
            Token::Close if !is_first => return Err(InvalidSyntax::NoEnd(place)),
            Token::Close => {
                let (mut closed, outer) = open.pop().ok_or(InvalidSyntax::EndsNothing(at, '}'))?;
                closed.block = Some(std::mem::replace(&mut done, outer));
                done.push(closed);
            }
        }
    }
    match open.pop() {
        Some((unclosed, _)) => Err(InvalidSyntax::NoEnd(unclosed.place)),
        None if words.is_empty() => Ok(done),
        None => Err(InvalidSyntax::NoEnd(place)),
    }
}

fn directive(words: &mut Vec<String>, place: &Place) -> Directive {
    let mut words = std::mem::take(words).into_iter();
    Directive { name: words.next().unwrap_or_default(), arguments: words.collect(), place: place.clone(), block: None }
}

impl Lexer<'_> {
    fn place(&self) -> Place {
        Place { file: Arc::clone(&self.file), line: self.line }
    }

    fn take(&mut self) -> Option<char> {
        let letter = self.text.next()?;
        if letter == '\n' {
            self.line = self.line.saturating_add(1);
        }
        Some(letter)
    }

    fn next(&mut self) -> Result<Option<(Place, Token)>, InvalidSyntax> {
        loop {
            let place = self.place();
            let Some(letter) = self.take() else { return Ok(None) };
            let token = match letter {
                _ if letter.is_whitespace() => continue,
                '#' => {
                    while self.take().is_some_and(|letter| letter != '\n') {}
                    continue;
                }
                ';' => Token::Semicolon,
                '{' => Token::Open,
                '}' => Token::Close,
                '"' | '\'' => Token::Word(self.quoted(letter, &place)?),
                _ => Token::Word(self.word(letter)),
            };
            return Ok(Some((place, token)));
        }
    }

    /// The rest of a word in quotes.
    fn quoted(&mut self, quote: char, place: &Place) -> Result<String, InvalidSyntax> {
        let mut word = String::new();
        loop {
            match self.take().ok_or_else(|| InvalidSyntax::NoEnd(place.clone()))? {
                letter if letter == quote => return Ok(word),
                '\\' => self.escaped(&mut word),
                letter => word.push(letter),
            }
        }
    }

    /// The rest of a word without quotes; `${name}` belongs to it.
    fn word(&mut self, first: char) -> String {
        let mut word = String::new();
        let mut letter = first;
        loop {
            match letter {
                '\\' => self.escaped(&mut word),
                _ => word.push(letter),
            }
            let is_name = letter == '$' && self.text.peek() == Some(&'{');
            match self.text.peek() {
                Some(next) if is_name || !(next.is_whitespace() || matches!(next, ';' | '{')) => {}
                _ => return word,
            }
            match self.take() {
                Some(next) => letter = next,
                None => return word,
            }
        }
    }

    fn escaped(&mut self, word: &mut String) {
        match self.take() {
            Some(letter @ ('"' | '\'' | '\\')) => word.push(letter),
            Some('t') => word.push('\t'),
            Some('r') => word.push('\r'),
            Some('n') => word.push('\n'),
            Some(letter) => word.extend(['\\', letter]),
            None => word.push('\\'),
        }
    }

    /// Reads over a block in another language.
    fn skip_block(&mut self, place: &Place) -> Result<(), InvalidSyntax> {
        let mut depth = 1_usize;
        while depth > 0 {
            match self.take().ok_or_else(|| InvalidSyntax::NoEnd(place.clone()))? {
                '{' => depth = depth.saturating_add(1),
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(directive: &Directive) -> Vec<&str> {
        std::iter::once(&directive.name).chain(&directive.arguments).map(String::as_str).collect()
    }

    #[test]
    fn reads_words_quotes_comments_and_blocks() {
        let text = "a 1;# x { ;\nmap \"$b c\" $d { '~^\\d{2}$' \"e f\"; default \"\"; }\nif ($x = \"\") { return 500 'y;'; }\n\
                    p http://${h}y$z; q \\\"r;";
        let read = parse("f", text).expect("reads");
        assert_eq!(
            read.iter().map(words).collect::<Vec<_>>(),
            [
                vec!["a", "1"],
                vec!["map", "$b c", "$d"],
                vec!["if", "($x", "=", "", ")"],
                vec!["p", "http://${h}y$z"],
                vec!["q", "\"r"],
            ]
        );
        let map = read[1].block.as_ref().expect("a block");
        assert_eq!(map.iter().map(words).collect::<Vec<_>>(), [vec!["~^\\d{2}$", "e f"], vec!["default", ""]]);
        assert_eq!(read[2].block.as_ref().map(|block| words(&block[0])), Some(vec!["return", "500", "y;"]));
        assert_eq!((read[1].place.line, read[2].place.line, read[3].place.to_string()), (2, 3, "f:4".to_owned()));
    }

    #[test]
    fn says_where_something_has_no_end() {
        for (text, line) in
            [("a;\nb {\n c;", 2), ("a;\nb", 2), ("a \"\n\n", 1), ("\n}", 2), ("\n;", 2), ("x {\na }", 2)]
        {
            let error = parse("f", text).expect_err(text);
            assert!(error.to_string().starts_with(&format!("f:{line}: ")), "{text}: {error}");
        }
        let deep = "a {".repeat(100);
        assert!(matches!(parse("f", &deep), Err(InvalidSyntax::TooDeep(_))));
    }

    #[test]
    fn reads_over_what_is_lua() {
        let read = parse("f", "content_by_lua_block { local t = { \"';\" } } b;").expect("reads");
        assert_eq!(
            read.iter().map(|directive| directive.name.as_str()).collect::<Vec<_>>(),
            ["content_by_lua_block", "b"]
        );
    }
}
