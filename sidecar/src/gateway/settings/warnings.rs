//! What holds, but is likely to go wrong.

use std::fs;

use crate::gateway::port::PortRange;
use crate::gateway::settings::{BackEnd, GatewaySettings};

/// Where Linux says which ports it gives to clients.
const EPHEMERAL: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// Ports that Contour, with Envoy's container ports at 8,000 above them, lays over those 1,023 above.
const CONTOUR_FIRST: u16 = 57_536;
const CONTOUR_LAST: u16 = 58_558;
const CONTOUR_APART: u16 = 1_023;

/// One text for each.
pub(super) fn warnings(settings: &GatewaySettings) -> Vec<String> {
    let range = settings.range;
    let machine = fs::read_to_string(EPHEMERAL).ok().and_then(|text| ephemeral(&text));
    match settings.back_end {
        BackEnd::Envoy(_) => machine.and_then(|machine| taken_by_clients(range, machine)).into_iter().collect(),
        BackEnd::Kubernetes(_) => contour(range).into_iter().collect(),
    }
}

/// The first and last port that the machine gives to clients.
fn ephemeral(text: &str) -> Option<(u16, u16)> {
    let mut numbers = text.split_whitespace().map(str::parse::<u16>);
    match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(first)), Some(Ok(last)), None) => Some((first, last)),
        _ => None,
    }
}

/// Any connection that leaves the machine may have such a port at the moment; nothing can listen there as long.
fn taken_by_clients(range: PortRange, (first, last): (u16, u16)) -> Option<String> {
    range.ports().any(|port| (first..=last).contains(&port)).then(|| {
        format!(
            "ports {range} overlap with {first}-{last}, which this machine gives to connections that leave it: a \
             listener fails where one has its port just then. Choose a range outside, or take the ports out with \
             `net.ipv4.ip_local_reserved_ports`"
        )
    })
}

fn contour(range: PortRange) -> Option<String> {
    let doubled = |port: u16| range.has(port) && range.has(port.saturating_add(CONTOUR_APART));
    (CONTOUR_FIRST..=CONTOUR_LAST).any(doubled).then(|| {
        format!(
            "of ports {range}, Contour gives some of {CONTOUR_FIRST}-{CONTOUR_LAST} the same port of Envoy's container \
             as the one {CONTOUR_APART} above: choose a range that has not both, or another controller"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: u16, end: u16) -> PortRange {
        PortRange::new(start, end).expect("a range")
    }

    #[test]
    fn a_range_that_clients_get_ports_from_is_warned_of() {
        let machine = ephemeral("32768\t60999\n").expect("two numbers");
        assert_eq!(taken_by_clients(range(20_000, 32_767), machine), None);
        assert_eq!(taken_by_clients(range(61_000, 65_535), machine), None);
        for overlapping in [range(20_000, 32_768), range(60_999, 65_000), range(40_000, 40_000)] {
            assert!(taken_by_clients(overlapping, machine).is_some(), "{overlapping}");
        }
        assert_eq!(ephemeral("many"), None);
    }

    #[test]
    fn ports_that_contour_lays_over_each_other_are_warned_of() {
        assert_eq!(contour(range(20_000, 32_767)), None);
        assert_eq!(contour(range(57_536, 58_558)), None);
        assert!(contour(range(57_536, 58_559)).is_some());
        assert!(contour(range(49_152, 65_535)).is_some());
    }
}
