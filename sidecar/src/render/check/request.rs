//! What jobs get: who the visitor is, from the gate alone, and no credential.

use crate::decide::dialect::Dialect;
use crate::render::check::Findings;
use crate::render::check::guarded::Guarded;
use crate::render::check::variables::{Map, Variables, name};

/// Headers by which jobs know who the visitor is, the gate's alone, and the filter's variables for them.
const IDENTITY: [(&str, &str); 6] = [
    ("X-Forwarded-User", "tg_user"),
    ("X-Forwarded-Email", "tg_email"),
    ("X-Forwarded-Groups", "tg_groups"),
    ("X-Arvados-User-Uuid", "tg_uuid"),
    ("X-Taskgate-Assertion", "tg_assertion"),
    ("X-Taskgate-Visitor", "tg_visitor"),
];

/// Headers that no client may send to a job. Those with `_` are what many jobs read like ours.
const REMOVED: [&str; 38] = [
    "X-Taskgate-Authorization",
    "X-Taskgate-Internal",
    "X-Taskgate-Up1",
    "X-Taskgate-Up2",
    "X-Taskgate-Up3",
    "X-Taskgate-Protocol",
    "X-Taskgate-Actor",
    "X-Taskgate-Cookie",
    "X-Taskgate-Job-Authorization",
    "X-Taskgate-Upstream",
    "X-Taskgate-Next",
    "X-Taskgate-Third",
    "X-Taskgate-Uri",
    "X-Taskgate-Service",
    "X-Taskgate-Level",
    "X-Taskgate-Rule",
    "X-Taskgate-Remove",
    "X-Taskgate-Edit-Cookie",
    "X-Taskgate-Edit-Authorization",
    "X-Taskgate-Set-Cookie-1",
    "X-Taskgate-Set-Cookie-2",
    "X-Taskgate-Denial",
    "X-Taskgate-Status",
    "X-Yt-User-Name",
    "X-Yt-Taskproxy-Id",
    "X-Yt-Taskproxy-Operation-Id",
    "X-Yt-Taskproxy-Operation-Alias",
    "X-Yt-Taskproxy-Task-Name",
    "X-Yt-Taskproxy-Service",
    "X_Forwarded_User",
    "X_Forwarded_Email",
    "X_Forwarded_Groups",
    "X_Arvados_User_Uuid",
    "X_Taskgate_Assertion",
    "X_Taskgate_Visitor",
    "X_Yt_User_Name",
    "X-Forwarded-Uri",
    "X-Forwarded-Method",
];

/// A header with a credential of the visitor's.
struct Credential {
    header: &'static str,
    /// The client's own.
    sent: &'static str,
    /// The answer's header that says what becomes of it.
    edit: &'static str,
    /// The answer's header with another value.
    new: &'static str,
    /// The filter's variable.
    of_the_filter: &'static str,
}

const CREDENTIALS: [Credential; 2] = [
    Credential {
        header: "Cookie",
        sent: "http_cookie",
        edit: "edit_cookie_taskgate",
        new: "cookie_taskgate",
        of_the_filter: "tg_cookie",
    },
    Credential {
        header: "Authorization",
        sent: "http_authorization",
        edit: "edit_authorization_taskgate",
        new: "job_authorization_taskgate",
        of_the_filter: "tg_authorization",
    },
];

/// Looks at what the job gets from there.
pub fn check(guarded: &Guarded<'_>, variables: &Variables<'_>, findings: &mut Findings) {
    let scope = guarded.scope;
    let set = guarded.directive("set_header");
    let mut say = |rule, text: String| findings.about(scope, rule, text);
    if scope.field(&set, "Host") != Some("$http_host") {
        say("host", format!("the job must get the host that was decided on: write `{set} Host $http_host;`"));
    }
    if scope.field(&set, "X-Forwarded-Host").is_none_or(|value| !matches!(value, "$http_host" | "")) {
        say(
            "reserved-header",
            format!("a client's own would reach the job: write `{set} X-Forwarded-Host $http_host;`"),
        );
    }
    for header in REMOVED {
        if scope.field(&set, header) != Some("") {
            say("reserved-header", format!("a client's `{header}` would reach the job: write `{set} {header} \"\";`"));
        }
    }
    for (header, of_the_filter) in IDENTITY {
        let answer = Dialect::Nginx.header(&header.to_lowercase()).replace('-', "_");
        let is_ours = |name: String| {
            if guarded.is_wasm() { name == of_the_filter } else { variables.is_answer(&name, &answer) }
        };
        if !scope.field(&set, header).is_some_and(|value| value.is_empty() || name(value).is_some_and(is_ours)) {
            say(
                "identity",
                format!(
                    "a client's `{header}` would reach the job: write `{set} {header}` with the variable that `auth_request_set` gives the answer's, or \"\""
                ),
            );
        }
    }
    for credential in &CREDENTIALS {
        let is_edited = |name: String| {
            if guarded.is_wasm() { name == credential.of_the_filter } else { credential.is_edited(&name, variables) }
        };
        if !scope.field(&set, credential.header).and_then(name).is_some_and(is_edited) {
            say(
                "credential",
                format!(
                    "the visitor's own credential would reach the job: write `{set} {}` with the map of nginx-config/auth_request.conf, no value of it changed",
                    credential.header
                ),
            );
        }
    }
    if guarded.is_grpc() {
        return;
    }
    for (header, allowed) in
        [("Upgrade", ["", "websocket"].as_slice()), ("Connection", &["", "upgrade", "close", "keep-alive"])]
    {
        if !scope.field(&set, header).is_none_or(|value| is_one_of(value, allowed, variables)) {
            say(
                "upgrade",
                format!(
                    "a client could choose any protocol, and speak it past the gate: write `proxy_set_header {header} $tg_{};` with the map of nginx-config/auth_request.conf",
                    header.to_lowercase()
                ),
            );
        }
    }
}

impl Credential {
    /// Whether the variable has what the gate's answer says, and the client's own only where that says `keep`.
    fn is_edited(&self, variable: &str, variables: &Variables<'_>) -> bool {
        let Some(map) = variables.map(variable) else { return false };
        let is_value = |(key, value): (&str, &str)| {
            value.is_empty()
                || name(value).is_some_and(|name| match key.to_ascii_lowercase().as_str() {
                    "keep" => name == self.sent,
                    "set" => variables.is_answer(&name, self.new),
                    _ => false,
                })
        };
        name(map.source).is_some_and(|source| variables.is_answer(&source, self.edit)) && map.entries().all(is_value)
    }
}

/// Whether a value can be nothing but one of those texts.
fn is_one_of(value: &str, allowed: &[&str], variables: &Variables<'_>) -> bool {
    let is_allowed = |value: &str| allowed.iter().any(|text| text.eq_ignore_ascii_case(value));
    let of_map = |map: &Map<'_>| map.entries().all(|(_, value)| is_allowed(value));
    is_allowed(value) || name(value).and_then(|name| variables.map(&name)).is_some_and(of_map)
}
