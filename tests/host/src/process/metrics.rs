//! The metrics registry: counters, gauges and histograms by name.
//!
//! Why: filters address metrics by number, tests by name. Never forgets a metric: a reloaded VM finds
//! the old value under the same name.

use crate::Status;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

#[derive(Debug)]
struct Metric {
    kind: Kind,
    name: String,
    value: u64,
    records: Vec<u64>,
}

/// All metrics of the process. A metric's number is its place, from 1.
#[derive(Debug, Default)]
pub(crate) struct Metrics(Vec<Metric>);

impl Metrics {
    pub(crate) fn define(&mut self, kind: u32, name: &str) -> Result<u32, Status> {
        let kind = match kind {
            0 => Kind::Counter,
            1 => Kind::Gauge,
            2 => Kind::Histogram,
            _ => return Err(Status::BadArgument),
        };
        let known = self.0.iter().position(|metric| metric.kind == kind && metric.name == name);
        let place = known.unwrap_or_else(|| {
            self.0.push(Metric { kind, name: name.to_owned(), value: 0, records: Vec::new() });
            self.0.len() - 1
        });
        u32::try_from(place + 1).map_err(|_| Status::InternalFailure)
    }

    /// A counter only grows; a histogram cannot be incremented.
    pub(crate) fn increment(&mut self, number: u32, offset: i64) -> Result<(), Status> {
        let metric = self.find(number)?;
        match metric.kind {
            Kind::Counter if offset <= 0 => Err(Status::BadArgument),
            Kind::Counter | Kind::Gauge => {
                metric.value = metric.value.wrapping_add_signed(offset);
                Ok(())
            }
            Kind::Histogram => Err(Status::BadArgument),
        }
    }

    /// Recording adds to a counter, sets a gauge and extends a histogram.
    pub(crate) fn record(&mut self, number: u32, value: u64) -> Result<(), Status> {
        let metric = self.find(number)?;
        match metric.kind {
            Kind::Counter => metric.value = metric.value.wrapping_add(value),
            Kind::Gauge => metric.value = value,
            Kind::Histogram => metric.records.push(value),
        }
        Ok(())
    }

    pub(crate) fn value(&mut self, number: u32) -> Result<u64, Status> {
        let metric = self.find(number)?;
        match metric.kind {
            Kind::Counter | Kind::Gauge => Ok(metric.value),
            Kind::Histogram => Err(Status::BadArgument),
        }
    }

    pub(crate) fn value_of(&self, name: &str) -> Option<u64> {
        let found = self.0.iter().find(|metric| metric.kind != Kind::Histogram && metric.name == name);
        found.map(|metric| metric.value)
    }

    pub(crate) fn records_of(&self, name: &str) -> Vec<u64> {
        let found = self.0.iter().find(|metric| metric.kind == Kind::Histogram && metric.name == name);
        found.map(|metric| metric.records.clone()).unwrap_or_default()
    }

    fn find(&mut self, number: u32) -> Result<&mut Metric, Status> {
        let place = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        place.and_then(|place| self.0.get_mut(place)).ok_or(Status::NotFound)
    }
}
