//! Paths in Cypress (YPath).

/// A literal in the form in which it can stand between two slashes of a path.
#[must_use]
pub fn escape(literal: &str) -> String {
    let mut escaped = String::with_capacity(literal.len());
    for character in literal.chars() {
        if matches!(character, '\\' | '/' | '@' | '&' | '*' | '[' | '{' | '(' | '<' | ']' | '}' | ')' | '>') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// The directory and the name of a node.
#[must_use]
pub fn split(path: &str) -> Option<(&str, &str)> {
    path.rsplit_once('/').filter(|(directory, name)| directory.len() > 2 && !name.is_empty())
}

/// Whether text can be the absolute path of a node: `//`, names, and none of the signs that would make
/// it mean something else (attributes, ranges, wildcards, objects).
#[must_use]
pub fn is_plain(path: &str) -> bool {
    let Some(rest) = path.strip_prefix("//") else { return false };
    let is_name = |name: &str| {
        let plain = |character: char| !character.is_control() && !"\\@&*[]{}()<>".contains(character);
        !name.is_empty() && name.chars().all(plain)
    };
    path.len() <= 1_000 && rest.split('/').all(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_stay_literals() {
        assert_eq!(escape("node-1.example.test:9012"), "node-1.example.test:9012");
        assert_eq!(escape("[::1]:9012"), "\\[::1\\]:9012");
        assert_eq!(escape("a/../@b"), "a\\/..\\/\\@b");
    }

    #[test]
    fn plain_paths() {
        assert!(is_plain("//sys/task_proxies/services"));
        assert!(is_plain("//home/some one/spark é"));
        for path in ["", "/sys", "//", "//a//b", "//a/", "#1-2-3-4", "//a/@acl", "//a[#1]", "//a/*", "//a\u{0}", "//a&"]
        {
            assert!(!is_plain(path), "{path}");
        }
        assert_eq!(split("//sys/task_proxies/services"), Some(("//sys/task_proxies", "services")));
        assert_eq!(split("//sys"), None);
    }
}
