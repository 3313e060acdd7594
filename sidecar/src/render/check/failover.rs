//! Going on at the next address: only with what no job can have seen, or what does no harm twice.

use crate::render::check::Findings;
use crate::render::check::guarded::Guarded;
use crate::render::check::variables::Variables;

/// What says whether anything was sent.
const UNSENT: &str = "upstream_connect_time";

/// Looks at a place that sends requests on.
pub fn check(guarded: &Guarded<'_>, all: &[Guarded<'_>], variables: &Variables<'_>, findings: &mut Findings) {
    let scope = guarded.scope;
    if !guarded.is_first {
        let by = &[UNSENT];
        if !variables.depends_on(&guarded.address, by)
            || !variables.depends_on(&guarded.address, &["request_method", "request"])
            || !variables.map(&guarded.address).is_some_and(|map| map.default.is_empty())
        {
            findings.about(scope, "twice", format!("a request that a job may have begun would be done twice: `${}` must be empty unless nothing was sent or the method does no harm twice, as $tg_second of nginx-config/auth_request.conf is", guarded.address));
        }
        for map in variables.lasting(&guarded.address, by) {
            let text =
                format!("`{}` keeps what it was at the first address: add `volatile;`", map.directive.argument(1));
            findings.add(&map.directive.place, "twice", text);
        }
        if !scope.is_named() {
            findings.about(
                scope,
                "twice",
                "clients could ask for the second address first: make it a named location, as in `@tg_second`",
            );
        }
    }
    for status in ["502", "504"] {
        let Some(page) = scope.error_page(status) else { continue };
        let leads_on = all.iter().any(|other| other.scope.pattern == page.target);
        if leads_on && (guarded.is_grpc() || scope.value("proxy_request_buffering") == "off") {
            findings.add(&page.directive.place, "lost-body", format!("what was sent of a body is gone, and the next job would get the rest: remove `error_page {status}` from `{}`", scope.title));
        }
    }
}
