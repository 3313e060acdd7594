//! What Taskgate should reach, and whether it did.

/// One aim.
struct Aim {
    figure: &'static str,
    what: &'static str,
    is_met: fn(f64) -> bool,
}

const AIMS: [Aim; 4] = [
    Aim { figure: "cached_vs_plain", what: "at least 0.88 of a plain route", is_met: |value| value >= 0.88 },
    Aim { figure: "cached_vs_ext_authz_grpc", what: "at least 1.8 times ext_authz gRPC", is_met: |value| value >= 1.8 },
    Aim { figure: "cached_100k_vs_10", what: "flat in the table's size: at least 0.97", is_met: |value| value >= 0.97 },
    Aim { figure: "worker_mib_100k", what: "under 40 MB (38.1 MiB) a worker", is_met: |value| value < 38.1 },
];

/// A line for each aim.
pub(crate) fn lines(figures: &[(&'static str, f64)]) -> Vec<String> {
    let line = |aim: &Aim| {
        let (_, value) = figures.iter().find(|(name, _)| *name == aim.figure)?;
        let met = if (aim.is_met)(*value) { "met" } else { "NOT met" };
        Some(format!("{:<28}{value:>8.3}   {met:<8} {}", aim.figure, aim.what))
    };
    AIMS.iter().filter_map(line).collect()
}
