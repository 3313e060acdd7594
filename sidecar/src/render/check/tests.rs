//! The files that operators copy hold every rule; each rule that is taken out of them is missed.

use super::check;
use crate::render::nginx::AUTH_REQUEST;
use crate::render::source::dumped;

const WASMX: &str = include_str!("../../../../nginx-config/wasmx.conf");

/// The rules that a text breaks.
fn broken(text: &str) -> Vec<&'static str> {
    let mut rules: Vec<&str> = check(&dumped(text).expect("reads")).into_iter().map(|finding| finding.rule).collect();
    rules.dedup();
    rules
}

/// The text with a change, which must be one.
fn changed(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "there is no `{from}`");
    text.replace(from, to)
}

fn assert_missed(text: &str, changes: &[(&str, &str, &str)]) {
    for (from, to, rule) in changes {
        let rules = broken(&changed(text, from, to));
        assert!(rules.contains(rule), "`{from}` -> `{to}`: {rules:?}");
    }
}

#[test]
fn what_is_shipped_holds_every_rule() {
    for (name, text) in [("auth_request.conf", AUTH_REQUEST), ("wasmx.conf", WASMX)] {
        let findings: Vec<String> = check(&dumped(text).expect("reads")).iter().map(ToString::to_string).collect();
        assert!(findings.is_empty(), "{name}:\n{}", findings.join("\n"));
    }
    let cached = AUTH_REQUEST.replace("# CACHE ", "");
    assert!(cached.contains("\n        proxy_cache taskgate;"));
    assert_eq!(broken(&cached), [""; 0]);
}

#[test]
fn a_configuration_that_is_not_the_gates_is_told_so() {
    assert_eq!(broken("http { server { location / { proxy_pass http://10.0.0.1; } } }"), ["gate"]);
    assert_eq!(broken(""), ["gate"]);
}

#[test]
fn a_request_that_nobody_was_asked_about_goes_nowhere() {
    assert_missed(
        AUTH_REQUEST,
        &[
            ("    auth_request /_taskgate/decide;", "", "guard"),
            ("    auth_request /_taskgate/decide;", "    auth_request off;", "guard"),
            (
                "    location / {",
                "    location /b { auth_request off; proxy_pass http://$tg_upstream$tg_uri; }\n location / {",
                "guard",
            ),
            ("    location / {", "    location / {\n satisfy any;", "satisfy"),
            ("    location / {", "    location / {\n return 200;", "rewrite"),
            ("    location / {", "    location / {\n rewrite ^ /x break;", "rewrite"),
            ("    location / {", "    location / {\n if ($x) { proxy_pass http://$tg_upstream$tg_uri; }", "rewrite"),
            ("    recursive_error_pages on;", "    set $tg_upstream 10.0.0.1;", "set-address"),
            ("    location / {", "    location /b { set $tg_next $arg_x; }\n location / {", "set-address"),
            ("        internal;\n", "", "internal"),
            ("location = /_taskgate/decide {", "location /_taskgate/decide {", "question"),
            ("/v1/decide?for=nginx", "/v1/decide", "question"),
            ("taskgate_sidecar/v1/decide", "taskgate_sidecar/v1/decades", "question"),
            ("        error_page 598 = @tg_unavailable;", "        error_page 502 =200 /fine;", "decide-error-page"),
            ("        error_page 598 = @tg_unavailable;", "        proxy_intercept_errors on;", "decide-error-page"),
        ],
    );
    // An `error_page` of the server's own would hold there too.
    let text = changed(AUTH_REQUEST, "        error_page 598 = @tg_unavailable;", "");
    assert_missed(&text, &[("    recursive_error_pages on;", "    error_page 502 /50x.html;", "decide-error-page")]);
}

#[test]
fn an_address_is_what_the_gate_gave_and_nothing_else() {
    let volatile = "volatile;\n    default $tg_upstream;\n";
    let (second, way) = ("map $tg_again $tg_second { volatile; default \"\";", "    recursive_error_pages on;");
    assert_missed(
        AUTH_REQUEST,
        &[
            (volatile, "volatile;\n default $tg_upstream; \" \" 127.0.0.1:1;\n", "set-address"),
            (volatile, "volatile;\n default $tg_upstream; a $arg_x;\n", "set-address"),
            (volatile, "volatile;\n default x$tg_upstream;\n", "set-address"),
            (second, "map $tg_again $tg_second { volatile; default \"127.0.0.1:1\";", "set-address"),
            (second, "map $tg_again $tg_second { volatile; default $tg_next;", "twice"),
            ("http://$tg_h1_upstream$tg_uri;", "http://${tg_h1_upstream}.example.test$tg_uri;", "set-address"),
            ("http://$tg_h1_upstream$tg_uri;", "http://10.0.0.1/$tg_h1_upstream$tg_uri;", "set-address"),
            ("http://$tg_h1_upstream$tg_uri;", "http://$http_x_up$tg_uri;", "set-address"),
            ("$upstream_http_upstream_taskgate;", "$http_x_up;", "set-address"),
            ("$upstream_http_upstream_taskgate;", "$upstream_http_rule_taskgate;", "set-address"),
            ("$upstream_http_uri_taskgate;", "$request_uri;", "set-address"),
            ("$upstream_http_x_forwarded_user;", "$http_x_forwarded_user;", "set-variable"),
            (way, "set $tg_h1_upstream 10.0.0.1;", "set-address"),
            (way, "set $tg_edit_cookie keep;", "set-address"),
            (way, "set $tg_job_cookie $http_cookie;", "set-variable"),
            (way, "set $tg_job_authorization $http_authorization;", "set-variable"),
            (way, "set $tg_method GET;", "set-variable"),
            (way, "set $tg_again 1;", "set-variable"),
            (way, "set $http_host x;", "set-variable"),
            (way, "js_set $tg_again x.y;", "set-variable"),
            (way, "if ($arg_x ~ \"^(?<tg_upstream>.+)$\") { return 400; }", "set-address"),
            ("\nserver {", "\ngeo $tg_h2_upstream { default 10.0.0.1; }\nserver {", "set-address"),
            ("\nserver {", "\nmap $arg_x $tg_upstream { default $arg_x; }\nserver {", "set-address"),
            ("\nserver {", "\nmap $arg_x $tg_job_cookie { default \"\"; }\nserver {", "set-variable"),
            ("\nserver {", "\nmap $uri $x { \"~(?P<tg_next>.+)\" 1; }\nserver {", "set-address"),
            ("\nserver {", "\nsplit_clients $uri $tg_again { * 1; }\nserver {", "set-variable"),
        ],
    );
    let own = changed(AUTH_REQUEST, way, "    set $own 1;\n    set $tg_next \"\";\n    recursive_error_pages on;");
    assert_eq!(broken(&own), [""; 0]);
}

#[test]
fn nothing_beside_the_gate_reaches_its_jobs() {
    let group = "\nupstream echo { server 10.0.0.1; }\nmap $uri $own { default echo; }\nserver {";
    let text = changed(AUTH_REQUEST, "\nserver {", group);
    assert_eq!(broken(&text), [""; 0]);
    let at = "    location / {";
    let with = |inner: &str| changed(&text, at, &format!("    location /w/ {{ {inner} }}\n{at}"));
    for inner in [
        "uwsgi_pass $tg_upstream;",
        "fastcgi_pass $tg_h1_upstream;",
        "scgi_pass $tg_second;",
        "auth_request off; proxy_pass http://echo;",
        "auth_request off; proxy_pass http://ECHO/x;",
        "auth_request off; proxy_pass http://$own;",
        "auth_request off; grpc_pass grpc://echo;",
        "auth_request off; uwsgi_pass echo;",
    ] {
        assert!(broken(&with(inner)).contains(&"guard"), "{inner}");
    }
    assert_eq!(broken(&with("auth_request off; proxy_pass http://10.0.0.9;")), [""; 0]);
    assert_eq!(broken(&with("auth_request off; root /var/www;")), [""; 0]);
}

#[test]
fn what_is_decided_on_is_what_the_job_gets() {
    assert_missed(
        AUTH_REQUEST,
        &[
            ("X-Forwarded-Host   $http_host", "X-Forwarded-Host   $host", "original"),
            ("X-Forwarded-Uri    $request_uri", "X-Forwarded-Uri    $uri", "original"),
            ("X-Forwarded-Method $tg_method", "X-Forwarded-Method GET", "original"),
            ("proxy_pass_request_body off;", "", "body"),
            ("proxy_set_header X-Taskgate-Internal $tg_secret;", "", "internal-secret"),
            ("proxy_buffer_size 16k;                              #", "proxy_buffer_size 4k; #", "head"),
            ("proxy_set_header Host                          $http_host;", "", "host"),
            ("proxy_set_header Host                          $http_host;", "proxy_set_header Host $host;", "host"),
            ("grpc_set_header Host                           $http_host;", "", "host"),
            ("$tg_upgrade;", "$http_upgrade;", "upgrade"),
            ("$tg_upgrade;", "\"${http_upgrade}\";", "upgrade"),
            ("$tg_upgrade    { default \"\";", "$tg_upgrade { default $http_upgrade;", "upgrade"),
            ("$tg_upgrade    { default \"\";", "$tg_upgrade { default \"\"; h2c h2c;", "upgrade"),
            ("    \"127.0.0.1:7012\" $tg_upstream;", "    \"127.0.0.1:7012\" $arg_x;", "set-address"),
            ("Connection                    $tg_connection", "Connection $http_connection", "upgrade"),
            ("\"~^h2 ([^ ]+) \\1$\"", "\"~^h2 \"", "path"),
            ("proxy_pass http://$tg_h1_upstream$tg_uri;", "proxy_pass http://$tg_h1_upstream;", "path"),
            ("grpc_pass grpc://$tg_h2_upstream;", "grpc_pass grpc://$tg_upstream;", "path"),
            ("\"$tg_protocol $tg_uri $request_uri\"", "\"$tg_protocol $tg_uri\"", "path"),
        ],
    );
}

#[test]
fn no_header_of_a_client_passes_for_one_of_ours() {
    for line in AUTH_REQUEST.lines().map(str::trim) {
        let is_ours = line.starts_with("proxy_set_header X") || line.starts_with("grpc_set_header X");
        let is_plain = [
            "X-Forwarded-For",
            "X-Forwarded-Proto",
            "X-Request-Id",
            "X-Forwarded-Method $",
            "X-Forwarded-Uri    $",
            "X-Forwarded-Host   $",
        ];
        if is_ours && !is_plain.iter().any(|name| line.contains(name)) && !line.contains("$tg_secret") {
            let rules = broken(&changed(AUTH_REQUEST, line, ""));
            assert!(rules.contains(&"identity") || rules.contains(&"reserved-header"), "{line}: {rules:?}");
        }
    }
    assert_missed(
        AUTH_REQUEST,
        &[
            ("X-Forwarded-User              $tg_user", "X-Forwarded-User $http_x_forwarded_user", "identity"),
            ("X-Forwarded-User              $tg_user", "X-Forwarded-User $tg_email", "identity"),
            ("Cookie                        $tg_job_cookie", "Cookie $http_cookie", "credential"),
            ("Authorization                 $tg_job_authorization", "Authorization $http_authorization", "credential"),
            (
                "$tg_job_cookie        { volatile; default \"\"",
                "$tg_job_cookie { volatile; default $http_cookie",
                "credential",
            ),
            (
                "\nserver {",
                "\nserver { listen 80 default_server; underscores_in_headers on; return 404; }\nserver {",
                "header-names",
            ),
            ("\nserver {", "\nserver { ignore_invalid_headers off; return 404; }\nserver {", "header-names"),
            ("\nserver {", "\nunderscores_in_headers on;\nserver {", "header-names"),
            ("underscores_in_headers off;", "underscores_in_headers on;", "header-names"),
            ("ignore_invalid_headers on;", "ignore_invalid_headers off;", "header-names"),
            ("default \"\"; keep $http_cookie;", "default \"\"; \"\" $http_cookie; keep $http_cookie;", "credential"),
            ("default \"\"; keep $http_cookie;", "default \"\"; remove $http_cookie;", "credential"),
            ("default \"\"; keep $http_authorization;", "default \"\"; ~. $http_authorization;", "credential"),
            ("set $tg_new_cookie;", "set $tg_new_authorization;", "credential"),
            ("map $tg_edit_cookie  ", "map $arg_x", "credential"),
            ("taskgate.error.log crit;", "taskgate.error.log;", "logged-credentials"),
            ("taskgate.error.log crit;", "taskgate.error.log info;", "logged-credentials"),
            // One header of a location's own, and none of the server's is in force there.
            ("        error_page 502 504 = @tg_second;", "        proxy_set_header X-Own 1;", "identity"),
        ],
    );
}

#[test]
fn jobs_say_nothing_that_is_not_theirs_to_say() {
    assert_missed(
        AUTH_REQUEST,
        &[
            ("proxy_hide_header X-Taskgate-Denial;", "", "hidden-header"),
            ("proxy_hide_header Clear-Site-Data;", "", "hidden-header"),
            ("grpc_hide_header  X-Taskgate-Denial;", "", "hidden-header"),
            ("grpc_hide_header  Clear-Site-Data;", "", "hidden-header"),
            ("grpc_hide_header  Set-Cookie;", "", "cookie-domain"),
            ("proxy_ignore_headers X-Accel-Redirect", "proxy_ignore_headers", "accel-redirect"),
            ("grpc_ignore_headers  X-Accel-Redirect", "grpc_ignore_headers", "accel-redirect"),
            ("proxy_cookie_domain \"~.\" $host;", "", "cookie-domain"),
            ("    proxy_intercept_errors off;", "    proxy_intercept_errors on;", "intercept-errors"),
            ("    proxy_http_version 1.1;", "    proxy_cache jobs;", "shared-answers"),
        ],
    );
}

#[test]
fn clients_are_told_and_nothing_is_done_twice() {
    assert_missed(
        AUTH_REQUEST,
        &[
            ("        error_page 401 403 = /_taskgate/reply;", "", "reply"),
            (
                "        error_page 401 403 = /_taskgate/reply;",
                "        error_page 401 403 =200 /_taskgate/reply;",
                "reply",
            ),
            ("/v1/reply?for=nginx;", "/elsewhere;", "reply"),
            ("        error_page 500 = @tg_no_way;", "", "unavailable"),
            ("    location @tg_unavailable {", "    location @tg_elsewhere {", "unavailable"),
            ("proxy_pass http://$tg_second$tg_uri;", "proxy_pass http://$tg_next$tg_uri;", "twice"),
            ("map $tg_again $tg_second { volatile;", "map $tg_again $tg_second {", "twice"),
            ("map $upstream_connect_time $tg_unsent { volatile;", "map $upstream_connect_time $tg_unsent {", "twice"),
            ("map \"$tg_unsent$tg_method\" $tg_again", "map $tg_unsent $tg_again", "twice"),
            ("location @tg_second {", "location /second {", "twice"),
            ("proxy_next_upstream error timeout;", "proxy_next_upstream error timeout non_idempotent;", "twice"),
            (
                "        proxy_request_buffering off;",
                "        proxy_request_buffering off;\n error_page 502 504 = @tg_second;",
                "lost-body",
            ),
            ("        client_max_body_size 0;", "        error_page 502 = @tg_second;", "lost-body"),
        ],
    );
}

#[test]
fn a_decision_is_used_again_for_equal_requests_alone() {
    let cached = AUTH_REQUEST.replace("# CACHE ", "");
    for input in [
        "$http_host ",
        "$request_uri\\n",
        "$http_authorization\\n",
        "$http_cookie\\n",
        "$http_x_yt_taskproxy_id\\n",
        "$http_origin\\n",
        "$http_accept\\n",
        "$http_connect_protocol_version\\n",
        "$tg_method ",
    ] {
        let line = cached.lines().find(|line| line.contains("proxy_cache_key")).expect("a key");
        let rules = broken(&cached.replace(line, &changed(line, input, "")));
        assert_eq!(rules, ["cache"], "{input}");
    }
    assert_missed(
        &cached,
        &[
            ("proxy_cache taskgate;", "proxy_cache taskgate; proxy_cache_use_stale updating;", "cache"),
            ("proxy_cache taskgate;", "proxy_cache taskgate; proxy_cache_background_update on;", "cache"),
            ("proxy_cache taskgate;", "proxy_cache taskgate; proxy_cache_valid 200 1m;", "cache"),
            ("        proxy_ignore_headers X-Accel-Redirect;", "", "cache"),
        ],
    );
}

#[test]
fn wasmx_keeps_its_shape() {
    assert_missed(
        WASMX,
        &[
            ("proxy_wasm_request_headers_in_access on;", "", "wasm-access"),
            ("proxy_wasm_request_headers_in_access on;", "proxy_wasm_request_headers_in_access off;", "wasm-access"),
            ("proxy_wasm_isolation none;", "proxy_wasm_isolation stream;", "wasm-isolation"),
            ("    shm_kv * 64m eviction=lru;", "", "wasm-memory"),
            ("eviction=lru;", "eviction=none;", "wasm-memory"),
            ("        set $tg_upstream      \"\";", "", "wasm-address"),
            ("        set $tg_upstream      \"\";", "        set $tg_upstream 10.0.0.1;", "set-address"),
            ("            proxy_wasm taskgate", "            # proxy_wasm taskgate", "guard"),
            (
                "        set $tg_upstream      \"\";",
                "        set $tg_upstream \"\"; proxy_wasm taskgate;",
                "wasm-location",
            ),
            ("        location @tg_second {", "        location @tg_second { proxy_wasm taskgate;", "wasm-location"),
            ("        location / {", "        location /b { proxy_pass http://$tg_upstream; }\n location / {", "guard"),
            ("        location / {", "        location / { return 403;", "rewrite"),
            ("        location / {", "        location / { rewrite ^ /x;", "rewrite"),
            ("        location / {", "        location / { if ($x) { return 403; }", "rewrite"),
            ("            error_page 500 = @tg_no_way;", "", "unavailable"),
            ("            error_page 502 504 = @tg_second;", "            proxy_request_buffering off;", "wasm-stream"),
            ("        client_header_timeout 10s;", "        keepalive_requests 100000;", "wasm-memory"),
            ("proxy_set_header Host                           $http_host;", "", "host"),
            ("proxy_set_header X-Yt-User-Name                 \"\";", "", "reserved-header"),
            ("proxy_set_header X-Taskgate-Actor               \"\";", "", "reserved-header"),
            ("        recursive_error_pages on;", "        set $tg_cookie $arg_x;", "set-variable"),
            ("        recursive_error_pages on;", "        error_log x.log;", "logged-credentials"),
            ("proxy_set_header X-Forwarded-User               $tg_user;", "", "identity"),
            ("proxy_set_header Cookie                         $tg_cookie;", "", "credential"),
            ("proxy_ignore_headers X-Accel-Redirect", "proxy_ignore_headers", "accel-redirect"),
        ],
    );
}

#[test]
fn a_finding_says_where_and_what_to_do() {
    let text =
        changed(AUTH_REQUEST, "    proxy_redirect off;\n", "    proxy_redirect off;\n    underscores_in_headers on;\n");
    let text = changed(&text, "    underscores_in_headers off;\n", "");
    let findings = check(&dumped(&text).expect("reads"));
    let first = findings.first().expect("a finding").to_string();
    let line = text.lines().position(|line| line.contains("underscores_in_headers on")).expect("a line") + 1;
    assert!(findings.iter().any(|finding| finding.place.line == line), "{first}");
    assert!(first.starts_with("standard input:") && first.ends_with("turn it off [header-names]"), "{first}");
}
