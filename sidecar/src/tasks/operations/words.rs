//! What others said, fit for a log, a terminal and a task's row.

/// The most characters of what others said that are kept.
pub const MAX_WORDS: usize = 1_000;

/// One line of at most `most` characters: no control characters, and nothing that turns the direction of writing.
#[must_use]
pub fn line(text: &str, most: usize) -> String {
    let mut line = String::new();
    let mut is_gap = false;
    for letter in text.chars() {
        if is_hidden(letter) {
            is_gap = !line.is_empty();
            continue;
        }
        if is_gap && letter == ' ' {
            continue;
        }
        if std::mem::take(&mut is_gap) && !line.ends_with(' ') {
            line.push(' ');
        }
        line.push(letter);
        // A character has four bytes at the most; a long text is not read to its end.
        if line.len() > most.saturating_mul(4) {
            break;
        }
    }
    let kept: String = line.chars().take(most).collect();
    kept.trim_end().to_owned()
}

/// The same without a secret, where it is in there.
#[must_use]
pub fn line_without(text: &str, secret: Option<&str>, most: usize) -> String {
    let Some(secret) = secret else { return line(text, most) };
    // The scheme in front of a credential is none.
    let bare = secret.split_once(' ').map_or(secret, |(_, bare)| bare);
    let hidden = if bare.is_empty() { text.to_owned() } else { text.replace(bare, "****") };
    line(&hidden, most)
}

fn is_hidden(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_one_line_that_does_nothing() {
        assert_eq!(line("a\r\n\u{1b}[31mb\u{202e}c\u{9b}d\n", 100), "a [31mb c d");
        assert_eq!(line("ünï", 2), "ün");
        assert_eq!(line(&"x".repeat(1 << 20), 5), "xxxxx");
        assert_eq!(line("\n\n", 5), "");
        assert_eq!(line("a \u{7} b  c", 100), "a b  c");
    }

    #[test]
    fn a_secret_is_not_repeated() {
        assert_eq!(line_without("401 for Basic YTpi!", Some("Basic YTpi"), 100), "401 for Basic ****!");
        assert_eq!(line_without("no", Some("Basic "), 100), "no");
    }
}
