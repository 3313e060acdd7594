//! What gives variables their values: the gate's answers and maps, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use crate::render::check::Findings;
use crate::render::check::scope::Site;
use crate::render::check::variables::{Variables, name};
use crate::render::syntax::Directive;

/// What each variable of nginx-config/auth_request.conf has of the gate's answer.
const ANSWERS: [(&str, &str); 22] = [
    ("tg_upstream", "upstream_taskgate"),
    ("tg_next", "next_taskgate"),
    ("tg_third", "third_taskgate"),
    ("tg_protocol", "protocol_taskgate"),
    ("tg_uri", "uri_taskgate"),
    ("tg_edit_cookie", "edit_cookie_taskgate"),
    ("tg_new_cookie", "cookie_taskgate"),
    ("tg_edit_authorization", "edit_authorization_taskgate"),
    ("tg_new_authorization", "job_authorization_taskgate"),
    ("tg_user", "x_forwarded_user"),
    ("tg_email", "x_forwarded_email"),
    ("tg_groups", "x_forwarded_groups"),
    ("tg_uuid", "x_arvados_user_uuid"),
    ("tg_assertion", "assertion_taskgate"),
    ("tg_visitor", "visitor_taskgate"),
    ("tg_set_cookie_1", "set_cookie_1_taskgate"),
    ("tg_set_cookie_2", "set_cookie_2_taskgate"),
    ("tg_service", "service_taskgate"),
    ("tg_level", "level_taskgate"),
    ("tg_rule", "rule_taskgate"),
    ("tg_actor", "actor_taskgate"),
    ("tg_denial", "denial_taskgate"),
];
/// What the filter may leave as it is.
const KEPT: [(&str, &str); 2] = [("tg_cookie", "$http_cookie"), ("tg_authorization", "$http_authorization")];
/// The sidecar's paths, which `@tg_reply` has in a variable.
const QUESTIONS: [&str; 2] = ["/v1/reply?for=nginx", "/v1/decide?for=nginx"];

/// Looks at everything that gives one of these variables a value: those that a decision, or what a job gets, is made of.
pub fn check(site: &Site<'_>, used: &BTreeSet<String>, variables: &Variables<'_>, findings: &mut Findings) {
    let mut maps: BTreeMap<String, usize> = BTreeMap::new();
    let is_used = |name: &String| used.contains(name) || ANSWERS.iter().any(|(ours, _)| ours == name);
    site.walk(&mut |directive| {
        for captured in captures(directive).into_iter().filter(is_used) {
            say(directive, &captured, variables, findings);
        }
        let Some(target) = target(directive).and_then(name).filter(is_used) else { return };
        let is_fine = match directive.name.as_str() {
            "set" => is_default(&target, directive, variables),
            "auth_request_set" => is_expected(&target, directive.argument(1), variables),
            "map" => {
                let seen = maps.entry(target.clone()).or_default();
                *seen = seen.saturating_add(1);
                *seen == 1 && !variables.is_any_answer(&target)
            }
            _ => false,
        };
        if !is_fine {
            say(directive, &target, variables, findings);
        }
    });
}

fn say(directive: &Directive, variable: &str, variables: &Variables<'_>, findings: &mut Findings) {
    let text = format!("`{}` gives `${variable}` a value that is not the gate's", directive.name);
    if variables.is_address(variable) || variables.is_any_answer(variable) {
        findings.add(
            &directive.place,
            "set-address",
            format!("{text}, or has it before the gate has spoken: remove this"),
        );
    } else {
        findings.add(
            &directive.place,
            "set-variable",
            format!("{text}: leave it to the one line of nginx-config/auth_request.conf, and take another name here"),
        );
    }
}

/// The variable that a directive gives a value.
fn target(directive: &Directive) -> Option<&str> {
    let target = match directive.name.as_str() {
        "map" | "keyval" => directive.argument(1),
        "geo" | "split_clients" => directive.arguments.last()?,
        "set"
        | "auth_request_set"
        | "js_set"
        | "js_var"
        | "perl_set"
        | "auth_jwt_claim_set"
        | "auth_jwt_header_set"
        | "eval" => directive.argument(0),
        other if other.starts_with("set_") => directive.argument(0),
        // Entries of a block, as in `geoip2`.
        entry if entry.starts_with('$') => entry,
        _ => return None,
    };
    Some(target)
}

/// The variables that regular expressions give values by name: `(?<name>…)`.
fn captures(directive: &Directive) -> Vec<String> {
    let words = std::iter::once(&directive.name).chain(&directive.arguments);
    let is_map = matches!(directive.name.as_str(), "map" | "geo");
    let entries = directive.block.iter().flatten().filter(|_| is_map).map(|entry| &entry.name);
    let mut found = Vec::new();
    for word in words.chain(entries) {
        for rest in word.split("(?").skip(1) {
            let rest = rest.strip_prefix('P').unwrap_or(rest);
            let Some(rest) = rest.strip_prefix(['<', '\'']) else { continue };
            let name = rest.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_');
            found.push(name.collect::<String>().to_ascii_lowercase());
        }
    }
    found
}

/// Whether a `set` gives what is there before anything is decided.
fn is_default(target: &str, set: &Directive, variables: &Variables<'_>) -> bool {
    let value = set.argument(1);
    let is_map = variables.map(target).is_some();
    let is_answer = variables.is_any_answer(target);
    if value.is_empty() {
        return set.arguments.len() == 2 && !is_map;
    }
    !is_map && !is_answer && (KEPT.contains(&(target, value)) || QUESTIONS.contains(&value))
}

/// Whether an `auth_request_set` takes what it must take of the answer.
fn is_expected(target: &str, value: &str, variables: &Variables<'_>) -> bool {
    let header = name(value).and_then(|name| name.strip_prefix("upstream_http_").map(str::to_owned));
    let Some(header) = header else { return false };
    let expected = ANSWERS.iter().find(|(ours, _)| *ours == target);
    expected.map_or_else(|| variables.is_answer(target, &header), |(_, expected)| header == *expected)
}
