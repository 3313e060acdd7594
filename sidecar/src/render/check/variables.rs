//! What the values of variables are made of: headers of the gate's answers, maps, assignments.

use std::collections::{BTreeMap, BTreeSet};

use crate::render::check::scope::Site;
use crate::render::syntax::Directive;

/// How many maps may be made of each other.
const MAX_STEPS: usize = 8;
/// Headers of an answer that have an address in them.
const ADDRESSES: [&str; 3] = ["upstream_taskgate", "next_taskgate", "third_taskgate"];
/// Variables that the filter puts addresses into.
const OF_THE_FILTER: [&str; 3] = ["tg_upstream", "tg_next", "tg_third"];

/// A variable that is looked up by the value of others.
#[derive(Debug)]
pub struct Map<'a> {
    /// What is looked up.
    pub source: &'a str,
    /// What can come of it.
    values: Vec<&'a str>,
    /// What comes of everything that is not listed.
    pub default: &'a str,
    /// Whether it is looked up anew each time.
    pub is_volatile: bool,
    /// The directive.
    pub directive: &'a Directive,
}

/// All that have a value from the configuration.
#[derive(Debug, Default)]
pub struct Variables<'a> {
    /// Which header of an answer they have.
    answers: BTreeMap<String, String>,
    maps: BTreeMap<String, Map<'a>>,
}

impl<'a> Variables<'a> {
    /// Those of a site.
    #[must_use]
    pub fn new(site: &Site<'a>) -> Self {
        let mut variables = Self::default();
        site.walk(&mut |directive| match directive.name.as_str() {
            "auth_request_set" => {
                let header = directive.argument(1).strip_prefix("$upstream_http_");
                variables.answers.extend(
                    name(directive.argument(0)).zip(header).map(|(name, header)| (name, header.to_lowercase())),
                );
            }
            "map" => variables.maps.extend(name(directive.argument(1)).map(|name| (name, Map::new(directive)))),
            _ => {}
        });
        variables
    }

    /// Whether it can have an address that the gate gave.
    #[must_use]
    pub fn is_address(&self, variable: &str) -> bool {
        ADDRESSES.iter().any(|header| self.has(variable, header))
            || self.any(variable, &|name| OF_THE_FILTER.contains(&name))
    }

    /// Whether it can have the first address.
    #[must_use]
    pub fn is_first(&self, variable: &str) -> bool {
        self.has(variable, "upstream_taskgate") || self.any(variable, &|name| name == "tg_upstream")
    }

    /// Whether its value can be that header of the gate's answer.
    #[must_use]
    pub fn has(&self, variable: &str, header: &str) -> bool {
        self.any(variable, &|name| self.answers.get(name).is_some_and(|found| found == header))
    }

    /// Whether its very value is that header of the gate's answer.
    #[must_use]
    pub fn is_answer(&self, variable: &str, header: &str) -> bool {
        self.answers.get(variable).is_some_and(|found| found == header)
    }

    /// Whether it is any header of the gate's answer.
    #[must_use]
    pub fn is_any_answer(&self, variable: &str) -> bool {
        self.answers.contains_key(variable) || OF_THE_FILTER.contains(&variable)
    }

    /// Whether it has an address that the gate gave, or nothing: there is no other value that it can have.
    #[must_use]
    pub fn is_only_address(&self, variable: &str, of_the_filter: bool) -> bool {
        self.only_address(variable, of_the_filter, MAX_STEPS)
    }

    fn only_address(&self, variable: &str, of_the_filter: bool, steps: usize) -> bool {
        let Some(left) = steps.checked_sub(1) else { return false };
        match self.map(variable) {
            Some(map) => map.entries().all(|(_, value)| {
                value.is_empty() || name(value).is_some_and(|name| self.only_address(&name, of_the_filter, left))
            }),
            None if of_the_filter => OF_THE_FILTER.contains(&variable),
            None => ADDRESSES.iter().any(|header| self.is_answer(variable, header)),
        }
    }

    /// These and all variables that they are made of.
    #[must_use]
    pub fn made_of(&self, variables: impl IntoIterator<Item = String>) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut left: Vec<String> = variables.into_iter().collect();
        while let Some(name) = left.pop() {
            left.extend(self.map(&name).into_iter().flat_map(names_of).filter(|inner| !found.contains(inner)));
            found.insert(name);
        }
        found
    }

    /// The texts that it can have, through maps.
    #[must_use]
    pub fn texts(&self, variable: &str) -> Vec<&'a str> {
        let all = self.made_of([variable.to_owned()]);
        all.iter().filter_map(|name| self.map(name)).flat_map(|map| map.values.iter().copied()).collect()
    }

    /// The map that it comes of.
    #[must_use]
    pub fn map(&self, variable: &str) -> Option<&Map<'a>> {
        self.maps.get(variable)
    }

    /// Whether its value can be that of another variable, through maps.
    fn any(&self, variable: &str, is_meant: &dyn Fn(&str) -> bool) -> bool {
        self.walk(variable, false, MAX_STEPS, is_meant)
    }

    /// Whether other variables have a say in which value it has.
    #[must_use]
    pub fn depends_on(&self, variable: &str, others: &[&str]) -> bool {
        self.walk(variable, true, MAX_STEPS, &|name| others.contains(&name))
    }

    fn walk(&self, variable: &str, with_sources: bool, steps: usize, is_meant: &dyn Fn(&str) -> bool) -> bool {
        if is_meant(variable) {
            return true;
        }
        let Some(left) = steps.checked_sub(1) else { return false };
        self.map(variable).is_some_and(|map| {
            let sources = Some(map.source).filter(|_| with_sources);
            let texts = map.values.iter().copied().chain(sources);
            texts.flat_map(names).any(|name| self.walk(&name, with_sources, left, is_meant))
        })
    }

    /// The maps that a variable comes of and that are looked up only once.
    #[must_use]
    pub fn lasting(&self, variable: &str, about: &[&str]) -> Vec<&Map<'a>> {
        let mut found = Vec::new();
        let mut names = vec![variable.to_owned()];
        for _ in 0..MAX_STEPS {
            let maps = names.iter().filter_map(|name| self.map(name));
            let maps: Vec<&Map<'a>> = maps.collect();
            names = maps.iter().flat_map(|map| names_of(map)).filter(|name| self.depends_on(name, about)).collect();
            found.extend(
                maps.into_iter()
                    .filter(|map| !map.is_volatile && names_of(map).iter().any(|name| self.depends_on(name, about))),
            );
        }
        found
    }
}

fn names_of(map: &Map<'_>) -> Vec<String> {
    map.values.iter().copied().chain([map.source]).flat_map(names).collect()
}

impl<'a> Map<'a> {
    /// What is compared, and what comes of it; the default too.
    pub fn entries(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let entries = self.directive.block.as_deref().unwrap_or_default().iter();
        entries.filter(|entry| !entry.arguments.is_empty()).map(|entry| (entry.name.as_str(), entry.argument(0)))
    }

    fn new(directive: &'a Directive) -> Self {
        let entries = directive.block.as_deref().unwrap_or_default();
        let default = entries.iter().find(|entry| entry.name == "default").map(|entry| entry.argument(0));
        Self {
            source: directive.argument(0),
            values: entries.iter().map(|entry| entry.argument(0)).collect(),
            default: default.unwrap_or_default(),
            is_volatile: entries.iter().any(|entry| entry.name == "volatile" && entry.arguments.is_empty()),
            directive,
        }
    }
}

/// The name of a text that is one variable.
#[must_use]
pub fn name(text: &str) -> Option<String> {
    let mut names = names(text);
    let name = names.pop().filter(|_| names.is_empty())?;
    (text == format!("${name}") || text == format!("${{{name}}}") || text.eq_ignore_ascii_case(&format!("${name}")))
        .then_some(name)
}

/// The names of all variables in a text, in lower case as NGINX compares them.
#[must_use]
pub fn names(text: &str) -> Vec<String> {
    let is_part = |letter: &char| letter.is_ascii_alphanumeric() || *letter == '_';
    let after = text.split('$').skip(1);
    let names =
        after.map(|rest| rest.strip_prefix('{').unwrap_or(rest).chars().take_while(is_part).collect::<String>());
    names.filter(|name| !name.is_empty()).map(|name| name.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_names() {
        assert_eq!(names("http://$a${B_1}/x$c-d$"), ["a", "b_1", "c"]);
        assert_eq!(
            (name("$a"), name("${a}"), name("x$a"), name("$a$b")),
            (Some("a".into()), Some("a".into()), None, None)
        );
    }
}
