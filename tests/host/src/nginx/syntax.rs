//! The syntax of NGINX's configuration: words, `;`, and blocks.
//!
//! Never knows what a directive means.

/// One directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Directive {
    pub(super) name: String,
    pub(super) values: Vec<String>,
    /// Those inside, where it has any.
    pub(super) block: Vec<Directive>,
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Begin,
    End,
    Semicolon,
    Word(String),
}

/// The directives of a text.
pub(super) fn parse(text: &str) -> Result<Vec<Directive>, String> {
    let mut tokens = tokens(text)?.into_iter();
    let (directives, ended) = directives(&mut tokens)?;
    if ended { Err("a `}` too many".into()) } else { Ok(directives) }
}

/// The block of the first directive of that name with these values.
pub(super) fn block<'d>(directives: &'d [Directive], name: &str, values: &[&str]) -> Option<&'d [Directive]> {
    directives.iter().find(|found| found.name == name && found.values == values).map(|found| found.block.as_slice())
}

/// The values of every directive of that name.
pub(super) fn values<'d>(directives: &'d [Directive], name: &str) -> Vec<&'d [String]> {
    directives.iter().filter(|found| found.name == name).map(|found| found.values.as_slice()).collect()
}

/// The same of directives that give a name a value; a variable's name without its dollar sign.
pub(super) fn pairs(directives: &[Directive], name: &str) -> Vec<(String, String)> {
    let pair = |values: &[String]| match values {
        [name, value, ..] => Some((name.trim_start_matches('$').to_owned(), value.clone())),
        _ => None,
    };
    values(directives, name).into_iter().filter_map(pair).collect()
}

/// Those up to the end of the block, and whether it ended.
fn directives(tokens: &mut impl Iterator<Item = Token>) -> Result<(Vec<Directive>, bool), String> {
    let (mut found, mut words) = (Vec::new(), Vec::new());
    let directive = |words: &mut Vec<String>, block| {
        let mut words = std::mem::take(words).into_iter();
        let name = words.next().ok_or("a directive without a name")?;
        Ok::<_, String>(Directive { name, values: words.collect(), block })
    };
    while let Some(token) = tokens.next() {
        match token {
            Token::Word(word) => words.push(word),
            Token::Semicolon => found.push(directive(&mut words, Vec::new())?),
            Token::Begin => {
                let (block, ended) = directives(tokens)?;
                if !ended {
                    return Err("a `}` is missing".into());
                }
                found.push(directive(&mut words, block)?);
            }
            Token::End => return Ok((found, true)),
        }
    }
    if words.is_empty() { Ok((found, false)) } else { Err(format!("a `;` is missing after {words:?}")) }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '#' => while letters.next_if(|letter| *letter != '\n').is_some() {},
            '{' => found.push(Token::Begin),
            '}' => found.push(Token::End),
            ';' => found.push(Token::Semicolon),
            '"' | '\'' => {
                let mut word = String::new();
                loop {
                    match letters.next().ok_or("a quote is missing")? {
                        '\\' => word.extend(letters.next()),
                        end if end == letter => break,
                        inner => word.push(inner),
                    }
                }
                found.push(Token::Word(word));
            }
            space if space.is_whitespace() => {}
            first => {
                let mut word = String::from(first);
                while let Some(next) = letters.next_if(|next| !next.is_whitespace() && !matches!(next, ';' | '{')) {
                    word.push(next);
                }
                found.push(Token::Word(word));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{block, pairs, parse, values};

    #[test]
    fn reads_blocks_quotes_and_comments() {
        let main =
            parse("a 1; # b 2;\nhttp { set $x \"y;}\\\"\"; server { location / { p 'q r'; } } }").expect("valid");
        let http = block(&main, "http", &[]).expect("there");
        assert_eq!(pairs(http, "set"), [("x".to_owned(), "y;}\"".to_owned())]);
        let location = block(block(http, "server", &[]).expect("there"), "location", &["/"]).expect("there");
        assert_eq!(values(location, "p"), [["q r"]]);
    }

    #[test]
    fn refuses_what_is_not_whole() {
        for text in ["a", "a {", "a { b; }}", "a \"b;", "{ }"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
