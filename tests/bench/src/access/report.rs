//! What was measured: lines for people, figures for machines.

use std::time::Duration;

use crate::access::native::Native;
use crate::report::{Report, range};
use crate::rounds::Sample;
use crate::screen;
use crate::statistics::Spread;
use crate::variant::Way;

/// All that was measured.
#[derive(Debug)]
pub(super) struct Figures<'a> {
    pub(super) requests: Report<'a>,
    pub(super) native: Native,
    pub(super) ended: Vec<Duration>,
}

impl Figures<'_> {
    /// Microseconds of Envoy's CPU by which one way costs more than another.
    fn added(&self, way: Way, base: Way) -> Spread {
        self.requests.paired(way, base, |sample, other| Sample::cost(sample) - Sample::cost(other))
    }

    fn ended(&self) -> Spread {
        Spread::of(self.ended.iter().map(Duration::as_secs_f64))
    }

    /// Prints what the table of requests does not show.
    pub(super) fn print(&self) {
        screen::line(&format!("closed after {} s", range(self.ended(), 2)));
        screen::title("Microseconds of CPU");
        screen::line(&format!("{:<52}{:<24}{:>12}", "", "in Envoy, added", "natively"));
        let Native { session, assertion, found } = self.native;
        for (name, added, native) in [
            ("a session, against a public service", self.added(Way::Session, Way::Public), Some(session)),
            ("a session, against a plain route", self.added(Way::Session, Way::Plain), None),
            ("a session, against a cached verdict", self.added(Way::Session, Way::Cached), None),
            ("an assertion that is signed", self.added(Way::AssertedAnew, Way::ManySessions), Some(assertion)),
            ("an assertion that was signed before", self.added(Way::Asserted, Way::Session), Some(found)),
        ] {
            let native = native.map_or_else(String::new, |native| format!("{native:.1}"));
            screen::line(&format!("{name:<52}{:<24}{native:>12}", range(added, 1)));
        }
        screen::line(
            "against a public service: to open the session, and to tell the job who it is in two headers;\nan assertion is signed once in half of its lifetime for a visitor of a service, on each worker",
        );
    }

    /// The figures by name.
    pub(super) fn list(&self) -> Vec<(&'static str, f64)> {
        let ratio = |way| self.requests.throughput(way, Way::Plain).median;
        let added = |way, base| self.added(way, base).median;
        vec![
            ("session_verify_us", added(Way::Session, Way::Public)),
            ("assertion_us", added(Way::AssertedAnew, Way::ManySessions)),
            ("assertion_again_us", added(Way::Asserted, Way::Session)),
            ("session_vs_plain", ratio(Way::Session)),
            ("asserted_vs_plain", ratio(Way::Asserted)),
            ("cached_vs_plain", ratio(Way::Cached)),
            ("public_vs_plain", ratio(Way::Public)),
            ("session_verify_native_us", self.native.session),
            ("assertion_native_us", self.native.assertion),
            ("revocation_seconds_websocket", self.ended().median),
            ("revocation_seconds_websocket_most", self.ended().most),
        ]
    }
}
