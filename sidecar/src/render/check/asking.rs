//! `auth_request`: that the sidecar is asked, about the right request, and that its word counts.

use crate::render::check::Findings;
use crate::render::check::guarded::Guarded;
use crate::render::check::scope::{Scope, Server};
use crate::render::check::variables::{Variables, name, names};

/// What the sidecar is asked for.
const DECIDE: &str = "/v1/decide";
const REPLY: &str = "/v1/reply";
/// How a pattern ends that two equal paths match.
const SAME: &str = " ([^ ]+) \\1$";
/// How many locations may lead to each other.
const MAX_STEPS: usize = 8;
/// The least size for the head of an answer.
const HEAD_BYTES: u64 = 8 << 10;
/// What a decision that is used again must have in its key: each input that decides.
const INPUTS: [&str; 18] = [
    "http_host",
    "request_uri",
    "http_authorization",
    "http_x_taskgate_authorization",
    "http_cookie",
    "http_origin",
    "http_sec_fetch_site",
    "http_sec_fetch_mode",
    "http_sec_websocket_key",
    "http_sec_websocket_version",
    "http_accept",
    "http_content_type",
    "http_connect_protocol_version",
    "http_x_yt_taskproxy_id",
    "http_x_yt_taskproxy_operation_id",
    "http_x_yt_taskproxy_operation_alias",
    "http_x_yt_taskproxy_task_name",
    "http_x_yt_taskproxy_service",
];

/// Looks at a place that sends requests on.
pub fn check_guarded(guarded: &Guarded<'_>, server: &Server<'_>, variables: &Variables<'_>, findings: &mut Findings) {
    let scope = guarded.scope;
    // Nothing but NGINX itself leads to a named location, and what is not asked has no address.
    let is_asked = !matches!(scope.value("auth_request"), "" | "off");
    if !is_asked && !scope.is_named() {
        findings.about(scope, "guard", "the sidecar is not asked: write `auth_request /_taskgate/decide;`");
    }
    check_path(guarded, variables, findings);
    if !is_asked {
        return;
    }
    for status in ["401", "403"] {
        let page = scope.error_page(status);
        let target = page.as_ref().and_then(|page| server.location(page.target));
        if !target.is_some_and(|target| asks(target, REPLY)) {
            findings.about(scope, "reply", format!("a client that is refused is not told why: write `error_page {status} = /_taskgate/reply;` and that location"));
        }
        if let Some(page) = page.filter(|page| page.status.is_some()) {
            findings.add(
                &page.directive.place,
                "reply",
                format!("a refusal becomes another status: write `error_page {status} = {};`", page.target),
            );
        }
    }
    if !has_end(scope, server, MAX_STEPS) {
        findings.about(scope, "unavailable", "without an answer of the sidecar clients get 500 and not 503: write `error_page 500 = @tg_unavailable;` and that location");
    }
}

/// Whether what has no address comes to a location that says so.
fn has_end(scope: &Scope<'_>, server: &Server<'_>, steps: usize) -> bool {
    let Some(left) = steps.checked_sub(1) else { return false };
    let target = scope.error_page("500").and_then(|page| server.location(page.target));
    let passes = |scope: &Scope<'_>| scope.own("proxy_pass").or_else(|| scope.own("grpc_pass")).is_some();
    target.is_some_and(|target| target.is_named() && (!passes(target) || has_end(target, server, left)))
}

/// Jobs must get the path that the gate decided on, without what was a credential in it.
fn check_path(guarded: &Guarded<'_>, variables: &Variables<'_>, findings: &mut Findings) {
    let scope = guarded.scope;
    let used = names(guarded.pass.argument(0));
    let is_given = used.iter().any(|name| variables.is_answer(name, "uri_taskgate"));
    if guarded.is_grpc() {
        // `grpc_pass` takes no path: where the client's own is not what the job should get there must be no address.
        let is_compared = variables.map(&guarded.address).is_some_and(|map| {
            let sources = names(map.directive.argument(0));
            map.default.is_empty()
                && sources.iter().any(|name| name == "request_uri")
                && sources.iter().any(|name| variables.is_answer(name, "uri_taskgate"))
                && map.entries().all(|(key, value)| value.is_empty() || key.ends_with(SAME))
        });
        if !is_compared {
            findings.about(scope, "path", "a credential in the query would reach the job: write `grpc_pass grpc://$tg_h2_upstream;` with the map of nginx-config/auth_request.conf");
        }
    } else if !is_given {
        findings.about(scope, "path", "the job must get the answer's path: write `$tg_uri` right behind the address");
    }
}

/// Looks at the places that ask.
pub fn check_questions(server: &Server<'_>, variables: &Variables<'_>, findings: &mut Findings) {
    let mut asked: Vec<&str> = Vec::new();
    for scope in server.scopes.iter().chain([&server.scope]) {
        let Some(directive) = scope.own("auth_request").filter(|found| found.argument(0) != "off") else { continue };
        let target = directive.argument(0);
        if asked.contains(&target) {
            continue;
        }
        asked.push(target);
        match server.location(target) {
            Some(question) if asks(question, DECIDE) => check_decide(question, findings),
            // Another service's own `auth_request`, in a location that is not the gate's.
            _ if !is_ours(server, target, variables) => {}
            _ => findings.add(
                &directive.place,
                "question",
                format!(
                    "`{target}` must be `location = {target}` with `proxy_pass` to the sidecar's {DECIDE}?for=nginx"
                ),
            ),
        }
    }
    for scope in &server.scopes {
        let is_question = asks(scope, DECIDE);
        if !is_question && !asks(scope, REPLY) {
            continue;
        }
        if scope.own("internal").is_none() && !scope.is_named() {
            findings.about(scope, "internal", "clients could ask the sidecar themselves: write `internal;`");
        }
        check_asked(scope, variables, findings);
    }
}

/// Whether a place that sends requests where the gate said asks there.
fn is_ours(server: &Server<'_>, target: &str, variables: &Variables<'_>) -> bool {
    let mut guarded = server.scopes.iter().filter_map(|scope| Guarded::new(server, scope, variables));
    guarded.any(|guarded| guarded.scope.value("auth_request") == target)
}

/// Whether requests go from there to the sidecar.
#[must_use]
pub fn is_question(scope: &Scope<'_>) -> bool {
    asks(scope, DECIDE) || asks(scope, REPLY)
}

/// Whether requests go from there to that path of the sidecar.
fn asks(scope: &Scope<'_>, path: &str) -> bool {
    let Some(pass) = scope.own("proxy_pass") else { return false };
    let sets = scope.own_block().iter().filter(|directive| directive.name == "set");
    let used = names(pass.argument(0));
    let mut sets = sets.filter(|set| name(set.argument(0)).is_some_and(|name| used.contains(&name)));
    pass.argument(0).contains(path) || sets.any(|set| set.argument(1).starts_with(path))
}

/// What the sidecar must be told, in both questions.
fn check_asked(scope: &Scope<'_>, variables: &Variables<'_>, findings: &mut Findings) {
    let mut say = |rule, text: &str| findings.about(scope, rule, text);
    let field = |name: &str| scope.field("proxy_set_header", name).unwrap_or("$");
    if !scope.own("proxy_pass").is_some_and(|pass| pass.argument(0).contains("for=nginx"))
        && !scope.own_block().iter().any(|set| set.name == "set" && set.argument(1).contains("for=nginx"))
    {
        say("question", "the sidecar answers each ingress as that one needs it: add `?for=nginx`");
    }
    let method = name(field("X-Forwarded-Method")).unwrap_or_default();
    if !variables.depends_on(&method, &["request", "request_method"]) {
        say(
            "original",
            "write `proxy_set_header X-Forwarded-Method $tg_method;` with the map of nginx-config/auth_request.conf",
        );
    }
    if field("X-Forwarded-Host") != "$http_host" {
        say(
            "original",
            "what is decided on must be what jobs get: write `proxy_set_header X-Forwarded-Host $http_host;`",
        );
    }
    if field("X-Forwarded-Uri") != "$request_uri" {
        say(
            "original",
            "what is decided on must be what clients sent: write `proxy_set_header X-Forwarded-Uri $request_uri;`",
        );
    }
    if scope.value("proxy_pass_request_headers") == "off" {
        say("original", "the sidecar must see the client's headers: remove `proxy_pass_request_headers off`");
    }
    if scope.value("proxy_pass_request_body") != "off" || !field("Content-Length").is_empty() {
        say(
            "body",
            "the sidecar waits for a body that never comes: write `proxy_pass_request_body off;` and `proxy_set_header Content-Length \"\";`",
        );
    }
    if names(field("X-Taskgate-Internal")).iter().any(|name| name.starts_with("http_"))
        || field("X-Taskgate-Internal") == "$"
    {
        say(
            "internal-secret",
            "clients could guess the sidecar's secret: write `proxy_set_header X-Taskgate-Internal \"\";`, or the secret",
        );
    }
    let head = scope.value("proxy_buffer_size");
    if size(head).is_none_or(|bytes| bytes < HEAD_BYTES) {
        say("head", "an answer's head has up to 8 kB: write `proxy_buffer_size 16k;`");
    }
}

fn check_decide(scope: &Scope<'_>, findings: &mut Findings) {
    for status in ["401", "403", "500", "502", "503", "504"] {
        if let Some(page) = scope.error_page(status) {
            findings.about(scope, "decide-error-page", format!("`error_page {status}` ({}) could make a yes of no answer: write an `error_page` of its own here, as in nginx-config/auth_request.conf", page.directive.place));
            break;
        }
    }
    if scope.is_on("proxy_intercept_errors") {
        findings.about(scope, "decide-error-page", "`proxy_intercept_errors on` could make a yes of a no: turn it off");
    }
    check_memory(scope, findings);
}

/// Decisions that are used again.
fn check_memory(scope: &Scope<'_>, findings: &mut Findings) {
    if matches!(scope.value("proxy_cache"), "" | "off") {
        return;
    }
    let mut say = |text: String| findings.about(scope, "cache", text);
    let key = scope.all("proxy_cache_key");
    let key: Vec<String> = key.iter().flat_map(|key| &key.arguments).flat_map(|text| names(text)).collect();
    let mut missing: Vec<&str> = INPUTS.into_iter().filter(|input| !key.iter().any(|name| name == input)).collect();
    if !key.iter().any(|name| matches!(name.as_str(), "request_method" | "tg_method")) {
        missing.push("tg_method");
    }
    if !missing.is_empty() {
        say(format!("somebody gets in by another one's decision: add ${} to `proxy_cache_key`", missing.join(", $")));
    }
    if scope.all("proxy_cache_use_stale").iter().any(|directive| directive.argument(0) != "off")
        || scope.is_on("proxy_cache_background_update")
    {
        say("a yes that is over would count once more: remove `proxy_cache_use_stale` and `proxy_cache_background_update`".to_owned());
    }
    let ignored = scope.all("proxy_ignore_headers");
    let mut ignored = ignored.iter().flat_map(|directive| &directive.arguments);
    if ignored.any(|header| header.eq_ignore_ascii_case("x-accel-expires"))
        || !scope.all("proxy_cache_valid").is_empty()
    {
        say("the sidecar says for how long: write `proxy_ignore_headers X-Accel-Redirect;` here, and no `proxy_cache_valid`".to_owned());
    }
}

fn size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit: u64 = match text.get(digits.len()..)?.to_ascii_lowercase().as_str() {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}
