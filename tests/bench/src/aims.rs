//! What Taskgate should reach, and whether it did.

/// One aim.
pub(crate) struct Aim {
    figure: &'static str,
    what: &'static str,
    is_met: fn(f64) -> bool,
}

/// Aims of the request path.
pub(crate) const REQUEST_PATH: [Aim; 4] = [
    Aim { figure: "cached_vs_plain", what: "at least 0.88 of a plain route", is_met: |value| value >= 0.88 },
    Aim { figure: "cached_vs_ext_authz_grpc", what: "at least 1.8 times ext_authz gRPC", is_met: |value| value >= 1.8 },
    Aim { figure: "cached_100k_vs_10", what: "flat in the table's size: at least 0.97", is_met: |value| value >= 0.97 },
    Aim { figure: "worker_mib_100k", what: "under 40 MB (38.1 MiB) a worker", is_met: |value| value < 38.1 },
];

/// Aims of access.
pub(crate) const ACCESS: [Aim; 3] = [
    Aim { figure: "session_vs_plain", what: "at least 0.88 of a plain route", is_met: |value| value >= 0.88 },
    Aim { figure: "cached_vs_plain", what: "at least 0.88 of a plain route", is_met: |value| value >= 0.88 },
    Aim { figure: "revocation_seconds_websocket", what: "under 10 s", is_met: |value| value < 10.0 },
];

/// Aims of discovery.
pub(crate) const DISCOVERY: [Aim; 5] = [
    Aim { figure: "list_calls", what: "at most 10 list_operations a round", is_met: |value| value <= 10.0 },
    Aim { figure: "batch_calls", what: "at most one batch for 100 jobs a round: 200", is_met: |value| value <= 200.0 },
    Aim { figure: "round_seconds", what: "under 5 s a round, the first one", is_met: |value| value < 5.0 },
    Aim { figure: "steady_listing_round_seconds", what: "under 5 s a round, later", is_met: |value| value < 5.0 },
    Aim { figure: "peak_mib", what: "under 150 MB (143.0 MiB)", is_met: |value| value < 143.0 },
];

/// Aims of the feed.
pub(crate) const FEED: [Aim; 3] = [
    Aim { figure: "feed_p99_ms_100k", what: "a changed row is served within 100 ms", is_met: |value| value <= 100.0 },
    Aim { figure: "feed_p99_100k_vs_1k", what: "at most twice the time at 1,000", is_met: |value| value <= 2.0 },
    Aim { figure: "stall_max_ms", what: "nobody waits longer than 2 ms", is_met: |value| value <= 2.0 },
];

/// Aims of tasks.
pub(crate) const TASKS: [Aim; 4] = [
    Aim { figure: "tasks_per_s_sqlite", what: "at least 2000/s on SQLite", is_met: |value| value >= 2_000.0 },
    Aim { figure: "tasks_per_s_postgres", what: "at least 1000/s on PostgreSQL", is_met: |value| value >= 1_000.0 },
    Aim { figure: "copy_vs_hscopy", what: "at least 3 times as fast as hscopy", is_met: |value| value >= 3.0 },
    Aim { figure: "copy_peak_mib", what: "under 200 MB (190.7 MiB)", is_met: |value| value < 190.7 },
];

/// Aims of NGINX.
pub(crate) const NGINX: [Aim; 1] = [Aim {
    figure: "auth_request_cached_vs_plain",
    what: "at least 0.7 of a plain proxy_pass",
    is_met: |value| value >= 0.7,
}];

/// Aims of data.
pub(crate) const DATA: [Aim; 2] = [
    Aim { figure: "upload_vs_nginx", what: "at least 0.8 of nginx", is_met: |value| value >= 0.8 },
    Aim { figure: "download_vs_nginx", what: "at least 0.8 of nginx", is_met: |value| value >= 0.8 },
];

/// A line for each aim.
pub(crate) fn lines(aims: &[Aim], figures: &[(&'static str, f64)]) -> Vec<String> {
    let line = |aim: &Aim| {
        let (_, value) = figures.iter().find(|(name, _)| *name == aim.figure)?;
        let met = if (aim.is_met)(*value) { "met" } else { "NOT met" };
        Some(format!("{:<28}{value:>8.3}   {met:<8} {}", aim.figure, aim.what))
    };
    aims.iter().filter_map(line).collect()
}
