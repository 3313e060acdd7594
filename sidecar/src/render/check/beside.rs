//! What stands beside the gate's own locations, and would open a way past it.

use std::collections::BTreeSet;

use crate::render::check::Findings;
use crate::render::check::asking;
use crate::render::check::guarded::Guarded;
use crate::render::check::scope::{Scope, Server, Site};
use crate::render::check::variables::{Variables, names};
use crate::render::syntax::Directive;

/// Looks at the whole site. The head of a request is read as the default server of a port says, whichever that is,
/// until there is a `Host`: so it holds for all of them.
pub fn check_site(site: &Site<'_>, findings: &mut Findings) {
    site.walk(&mut |directive| {
        let is = |name: &str, value: &str| directive.name == name && directive.argument(0).eq_ignore_ascii_case(value);
        if is("underscores_in_headers", "on") {
            findings.add(&directive.place, "header-names", "`underscores_in_headers on` lets clients send `X_Forwarded_User`, which many jobs read like ours, to the gate too where this server is the port's default one: turn it off");
        }
        if is("ignore_invalid_headers", "off") {
            findings.add(&directive.place, "header-names", "`ignore_invalid_headers off` lets clients send names that jobs may read like ours, to the gate too where this server is the port's default one: turn it on");
        }
    });
}

/// Looks at a server in which requests are sent on by other directives than the gate's.
pub fn check_server(
    server: &Server<'_>,
    guarded: &[Guarded<'_>],
    site: &Site<'_>,
    variables: &Variables<'_>,
    findings: &mut Findings,
) {
    let groups = groups(site);
    for scope in &server.scopes {
        for pass in scope.own_block().iter().filter(|directive| directive.name.ends_with("_pass")) {
            let is_known = matches!(pass.name.as_str(), "proxy_pass" | "grpc_pass");
            let is_ours = names(pass.argument(0)).iter().any(|name| variables.is_address(name));
            if !is_known && is_ours {
                let text = format!(
                    "`{}` goes where the gate said without what makes that safe: use `proxy_pass` or `grpc_pass` as in nginx-config/auth_request.conf",
                    pass.name
                );
                findings.add(&pass.place, "guard", text);
            }
            let is_guarded = guarded.iter().any(|place| std::ptr::eq(place.scope, scope));
            if guarded.is_empty() || is_guarded || is_asked(scope) || asking::is_question(scope) {
                continue;
            }
            if let Some(group) = hosts(pass, variables).into_iter().find(|host| groups.contains(host)) {
                findings.about(scope, "guard", format!("whoever comes here reaches the jobs of `{group}` without being asked about: remove `{}`, or give these servers another `upstream` outside of this server", pass.name));
            }
        }
    }
}

/// The names of all groups of servers.
fn groups(site: &Site<'_>) -> BTreeSet<String> {
    let groups = site.http.iter().filter(|directive| directive.name == "upstream");
    groups.map(|group| group.argument(0).to_ascii_lowercase()).collect()
}

/// Whether somebody decides before a request goes on from there.
fn is_asked(scope: &Scope<'_>) -> bool {
    !matches!(scope.value("auth_request"), "" | "off") || scope.own("proxy_wasm").is_some()
}

/// The hosts that a request can go to from there.
fn hosts(pass: &Directive, variables: &Variables<'_>) -> Vec<String> {
    let mut texts = vec![pass.argument(0).to_owned()];
    texts.extend(names(pass.argument(0)).iter().flat_map(|name| variables.texts(name)).map(str::to_owned));
    let host = |text: &String| {
        let rest = text.split_once("://").map_or(text.as_str(), |(_, rest)| rest);
        rest.split(['/', ':', '$', '?']).next().unwrap_or_default().to_ascii_lowercase()
    };
    texts.iter().map(host).collect()
}
