//! Whether a configuration of NGINX is safe: the rules, one by one.
//!
//! Two shapes are known: `auth_request`, where the sidecar is asked, and WasmX, where the filter runs in NGINX. What is
//! looked at are the places that send requests where the gate said ([`Guarded`]), and the places that ask; everything
//! else in the configuration is the operator's own. A rule that can't be shown to hold is broken.
//!
//! Read in this order: [`scope`] (what is in force where), [`variables`] (what values are made of), [`assigned`],
//! [`guarded`], [`request`], then [`asking`], [`failover`], [`wasm`] and [`beside`].

pub mod asking;
pub mod assigned;
pub mod beside;
pub mod failover;
pub mod guarded;
pub mod request;
pub mod scope;
pub mod variables;
pub mod wasm;

use std::fmt;

use crate::render::check::guarded::Guarded;
use crate::render::check::scope::{Scope, Site};
use crate::render::check::variables::Variables;
use crate::render::syntax::{Directive, Place};

/// A rule that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// Which rule.
    pub rule: &'static str,
    /// What is wrong, and what to do.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {} [{}]", self.place, self.text, self.rule)
    }
}

/// What was found so far.
#[derive(Debug, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// One more.
    pub fn add(&mut self, place: &Place, rule: &'static str, text: impl Into<String>) {
        self.0.push(Finding { place: place.clone(), rule, text: text.into() });
    }

    /// One more about a place as a whole.
    pub fn about(&mut self, scope: &Scope<'_>, rule: &'static str, text: impl fmt::Display) {
        self.add(scope.place, rule, format!("`{}`: {text}", scope.title));
    }
}

/// Looks at a whole configuration, or at what stands in `http`: every rule that does not hold, in order of place.
#[must_use]
pub fn check(directives: &[Directive]) -> Vec<Finding> {
    let site = Site::new(directives);
    let variables = Variables::new(&site);
    let mut findings = Findings::default();
    let mut is_used = false;
    let mut used = Vec::new();
    for server in &site.servers {
        let guarded: Vec<Guarded<'_>> =
            server.scopes.iter().filter_map(|scope| Guarded::new(server, scope, &variables)).collect();
        is_used |= !guarded.is_empty();
        for place in &guarded {
            guarded::check(place, &variables, &mut findings);
            if place.is_wasm() {
                wasm::check(place, &site, &mut findings);
            } else {
                asking::check_guarded(place, server, &variables, &mut findings);
            }
            failover::check(place, &guarded, &variables, &mut findings);
        }
        let is_ours = |scope: &&Scope<'_>| {
            asking::is_question(scope) || guarded.iter().any(|place| std::ptr::eq(place.scope, *scope))
        };
        used.extend(server.scopes.iter().filter(is_ours).flat_map(Scope::used));
        beside::check_server(server, &guarded, &site, &variables, &mut findings);
        asking::check_questions(server, &variables, &mut findings);
        wasm::check_server(server, &mut findings);
    }
    assigned::check(&site, &variables.made_of(used), &variables, &mut findings);
    if is_used {
        beside::check_site(&site, &mut findings);
    } else {
        let place =
            directives.first().map_or(Place { file: "standard input".into(), line: 1 }, |one| one.place.clone());
        findings.add(&place, "gate", "no location here sends requests where the gate says, as in `proxy_pass http://$tg_h1_upstream$tg_uri`: copy nginx-config/auth_request.conf");
    }
    let mut findings = findings.0;
    findings.sort();
    findings.dedup();
    findings
}

#[cfg(test)]
mod tests;
