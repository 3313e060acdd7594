//! What must hold wherever a request goes where the gate said, whoever was asked.

use crate::render::check::Findings;
use crate::render::check::request;
use crate::render::check::scope::{Scope, Server};
use crate::render::check::variables::{Variables, name, names};
use crate::render::syntax::Directive;

/// How much NGINX's own log of errors may say: what is less grave has the request line in it, and credentials in its query.
const GRAVE: [&str; 3] = ["crit", "alert", "emerg"];

/// A location that sends requests where the gate said.
#[derive(Debug)]
pub struct Guarded<'a> {
    /// The location, or an `if` in one.
    pub scope: &'a Scope<'a>,
    /// `proxy_pass` or `grpc_pass`.
    pub pass: &'a Directive,
    /// The variable with the address.
    pub address: String,
    /// Whether it goes to the first address; else to another one, after that failed.
    pub is_first: bool,
    is_wasm: bool,
}

impl<'a> Guarded<'a> {
    /// That scope of the server, where it is one.
    #[must_use]
    pub fn new(server: &Server<'_>, scope: &'a Scope<'a>, variables: &Variables<'_>) -> Option<Self> {
        let passes = scope.own_block().iter().filter(|found| matches!(found.name.as_str(), "proxy_pass" | "grpc_pass"));
        let pass = passes.into_iter().next_back()?;
        let used = names(pass.argument(0));
        let has_path = used.iter().any(|name| variables.is_answer(name, "uri_taskgate"));
        let address = used.iter().find(|name| variables.is_address(name));
        // Who sends the gate's path somewhere means to send it where the gate said.
        let address = address.or_else(|| used.first().filter(|_| has_path))?.clone();
        let is_first = variables.is_first(&address);
        let has_filter = server.scopes.iter().any(|scope| !scope.all("proxy_wasm").is_empty());
        let is_wasm = has_filter && scope.all("auth_request_set").is_empty();
        Some(Self { scope, pass, address, is_first, is_wasm })
    }

    /// Whether it speaks HTTP/2 to the job.
    #[must_use]
    pub fn is_grpc(&self) -> bool {
        self.pass.name == "grpc_pass"
    }

    /// Whether the filter decides there, and nobody is asked.
    #[must_use]
    pub fn is_wasm(&self) -> bool {
        self.is_wasm
    }

    /// The name of one of the directives that exist for both protocols.
    #[must_use]
    pub fn directive(&self, rest: &str) -> String {
        format!("{}_{rest}", if self.is_grpc() { "grpc" } else { "proxy" })
    }
}

/// Looks at one.
pub fn check(guarded: &Guarded<'_>, variables: &Variables<'_>, findings: &mut Findings) {
    request::check(guarded, variables, findings);
    check_address(guarded, variables, findings);
    check_answer(guarded, findings);
    check_steps(guarded, findings);
    let scope = guarded.scope;
    if scope.value("satisfy") == "any" {
        findings.about(scope, "satisfy", "`satisfy any` lets requests in that the gate refused: remove it");
    }
    let logs = scope.all("error_log");
    if logs.is_empty() || !logs.iter().all(|log| GRAVE.contains(&log.argument(1))) {
        findings.about(scope, "logged-credentials", "NGINX's log of errors would have request lines in it, with credentials in the query: write `error_log /var/log/nginx/taskgate.error.log crit;` in `server`");
    }
    let again = guarded.directive("next_upstream");
    if scope.all(&again).iter().any(|directive| directive.arguments.iter().any(|when| when == "non_idempotent")) {
        findings.about(
            scope,
            "twice",
            format!(
                "`{again} … non_idempotent` does a request twice that a job may have begun: remove `non_idempotent`"
            ),
        );
    }
}

/// Where requests go: to what the gate said and nowhere else.
fn check_address(guarded: &Guarded<'_>, variables: &Variables<'_>, findings: &mut Findings) {
    let scope = guarded.scope;
    let pass = guarded.pass.argument(0);
    let rest = ["http://", "https://", "grpc://", "grpcs://"].iter().find_map(|scheme| pass.strip_prefix(scheme));
    let rest = rest.unwrap_or(pass).replace(['{', '}'], "").to_ascii_lowercase();
    let path = rest.strip_prefix(&format!("${}", guarded.address));
    let is_only =
        |path: &str| path.is_empty() || name(path).is_some_and(|name| variables.is_answer(&name, "uri_taskgate"));
    if !path.is_some_and(is_only) {
        findings.add(&guarded.pass.place, "set-address", format!("requests would go elsewhere than the gate said: write `${}` right behind `//`, and nothing but the answer's path behind it", guarded.address));
    }
    if !variables.is_only_address(&guarded.address, guarded.is_wasm()) {
        findings.about(scope, "set-address", format!("`${}` can be an address that the gate did not give: each value of its maps must be \"\", or what `auth_request_set` takes of upstream-taskgate, next-taskgate or third-taskgate", guarded.address));
    }
}

/// What the job may say.
fn check_answer(guarded: &Guarded<'_>, findings: &mut Findings) {
    let scope = guarded.scope;
    let mut say = |rule, text: String| findings.about(scope, rule, text);
    let has = |directive: &str, wanted: &str| {
        scope.all(directive).iter().any(|found| found.arguments.iter().any(|value| value.eq_ignore_ascii_case(wanted)))
    };
    let (ignore, hide) = (guarded.directive("ignore_headers"), guarded.directive("hide_header"));
    if !has(&ignore, "X-Accel-Redirect") {
        say(
            "accel-redirect",
            format!("a job could send NGINX to any location here: write `{ignore} X-Accel-Redirect;`"),
        );
    }
    for header in ["X-Taskgate-Denial", "Clear-Site-Data"] {
        if !has(&hide, header) {
            say("hidden-header", format!("a job must not say `{header}`: write `{hide} {header};`"));
        }
    }
    let intercept = guarded.directive("intercept_errors");
    if scope.is_on(&intercept) {
        say(
            "intercept-errors",
            format!("a job's own 401, 403 and 502 would be taken for the gate's: write `{intercept} off;`"),
        );
    }
    if guarded.is_grpc() {
        if !has(&hide, "Set-Cookie") {
            say("cookie-domain", "a job could set cookies for other services, and HTTP/2 has no `proxy_cookie_domain`: write `grpc_hide_header Set-Cookie;`".to_owned());
        }
        return;
    }
    // The filter looks at the answers of requests that it decided.
    let is_seen = guarded.is_wasm() && scope.own("proxy_wasm").is_some();
    if !is_seen
        && !scope
            .all("proxy_cookie_domain")
            .iter()
            .any(|found| found.argument(0) == "~." && found.argument(1) == "$host")
    {
        say(
            "cookie-domain",
            "a job could set cookies for other services: write `proxy_cookie_domain \"~.\" $host;`".to_owned(),
        );
    }
    for directive in ["proxy_cache", "proxy_store"] {
        if !matches!(scope.value(directive), "" | "off") {
            say("shared-answers", format!("`{directive}` gives one visitor's answers to another: turn it off"));
        }
    }
}

/// Directives that are carried out before the gate is asked.
fn check_steps(guarded: &Guarded<'_>, findings: &mut Findings) {
    for directive in guarded.scope.own_block() {
        let is_error = |directive: &Directive| {
            directive.name == "return" && directive.argument(0).parse::<u16>().is_ok_and(|status| status >= 400)
        };
        let broken = match directive.name.as_str() {
            // An error lets nobody through; but the filter is not run at all then.
            "return" => !is_error(directive) || guarded.is_wasm() && !guarded.scope.is_named(),
            "if" => {
                guarded.is_wasm() && !guarded.scope.is_named()
                    || !directive.block.as_deref().unwrap_or_default().iter().all(is_error)
            }
            "rewrite" | "break" => true,
            _ => false,
        };
        if broken {
            let text = format!(
                "`{}` is carried out before the gate is asked, which is passed over then: move it to a location of its own",
                directive.name
            );
            findings.add(&directive.place, "rewrite", text);
        }
    }
    if !guarded.scope.is_location() {
        findings.add(
            &guarded.pass.place,
            "rewrite",
            format!(
                "`{}` in an `if` is carried out in ways that nobody foresees: use a location of its own",
                guarded.pass.name
            ),
        );
    }
}
