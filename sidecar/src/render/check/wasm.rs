//! WasmX: the shape in which the filter is safe in NGINX. Outside of it requests pass without a decision, or workers
//! die; `nginx-config/wasmx.conf` says what was seen.

use crate::render::check::Findings;
use crate::render::check::guarded::Guarded;
use crate::render::check::scope::{Server, Site};

/// What stands for addresses and must be empty until the filter has spoken.
const ADDRESS: &str = "$tg_upstream";
/// The most requests of a connection: each call of the filter keeps memory until its end.
const MOST_REQUESTS: u64 = 1_000;

/// Looks at a place that sends requests where the filter said.
pub fn check(guarded: &Guarded<'_>, site: &Site<'_>, findings: &mut Findings) {
    let scope = guarded.scope;
    let mut say = |rule, text: &str| findings.about(scope, rule, text);
    if scope.is_named() {
        if scope.own("proxy_wasm").is_some() {
            say(
                "wasm-location",
                "the filter would run a second time for a request that is decided: remove `proxy_wasm`",
            );
        }
        return;
    }
    if scope.own("proxy_wasm").is_none() {
        say(
            "guard",
            "the filter does not run: write `proxy_wasm taskgate '…';` in this location itself, or `auth_request`",
        );
    }
    if !scope.is_on("proxy_wasm_request_headers_in_access") {
        say(
            "wasm-access",
            "a second request of a connection gets in without a decision: write `proxy_wasm_request_headers_in_access on;` in `http`",
        );
    }
    if !matches!(scope.value("proxy_wasm_isolation"), "none") {
        say(
            "wasm-isolation",
            "the filter would start anew for each request: write `proxy_wasm_isolation none;` in `http`",
        );
    }
    if scope.value("proxy_request_buffering") == "off" || guarded.is_grpc() {
        say(
            "wasm-stream",
            "with WasmX a request's body is read whole first, and a conversation stands still: use `auth_request` for gRPC and for uploads as they come",
        );
    }
    let empty = scope
        .all("set")
        .iter()
        .any(|set| set.argument(0) == ADDRESS && set.arguments.get(1).is_some_and(String::is_empty));
    if guarded.is_first && !empty {
        say("wasm-address", "without a decision there must be no address: write `set $tg_upstream \"\";` in `server`");
    }
    if scope.error_page("500").is_none() {
        say(
            "unavailable",
            "without a decision clients get 500 and not 503: write `error_page 500 = @tg_unavailable;` and that location",
        );
    }
    let requests = scope.value("keepalive_requests");
    if requests.parse::<u64>().is_ok_and(|requests| requests > MOST_REQUESTS) {
        say(
            "wasm-memory",
            "each question of the filter keeps memory until its connection ends: write `keepalive_requests 1000;` or less",
        );
    }
    let wasm = site.main.iter().find(|directive| directive.name == "wasm").and_then(|wasm| wasm.block.as_deref());
    let memory = wasm.and_then(|wasm| wasm.iter().find(|found| found.name == "shm_kv" && found.argument(0) == "*"));
    match memory {
        None => say(
            "wasm-memory",
            "without shared memory the workers die at the start: write `shm_kv * 16m eviction=lru;` in `wasm` (and look at the whole configuration, as `nginx -T` prints it)",
        ),
        Some(memory) if memory.arguments.iter().any(|argument| argument == "eviction=none") => {
            findings.add(
                &memory.place,
                "wasm-memory",
                "once the memory is full every request fails: write `eviction=lru`",
            );
        }
        Some(_) => {}
    }
}

/// Looks at a server as a whole.
pub fn check_server(server: &Server<'_>, findings: &mut Findings) {
    let inherited = server.scope.all("proxy_wasm");
    for directive in inherited {
        findings.add(&directive.place, "wasm-location", "every location would run the filter, those for the next address too: move `proxy_wasm` into the location that is guarded");
    }
}
