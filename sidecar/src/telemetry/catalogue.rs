//! The list of metrics, which the reference page is made from.

use prometheus_client::encoding::EncodeMetric;
use prometheus_client::metrics::TypedMetric;
use prometheus_client::registry::{Registry, Unit};

/// One metric, for the reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Its name as it is scraped.
    pub name: String,
    /// `counter`, `gauge`, `histogram` or `info`.
    pub kind: &'static str,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

/// A registry that remembers what was registered.
#[derive(Debug)]
pub struct Catalogue {
    registry: Registry,
    described: Vec<Described>,
}

impl Catalogue {
    /// An empty catalogue.
    #[must_use]
    pub fn new() -> Self {
        Self { registry: Registry::with_prefix("taskgate"), described: Vec::new() }
    }

    /// Registers a metric and gives it back.
    pub fn add<M>(
        &mut self,
        name: &'static str,
        unit: Option<Unit>,
        labels: &'static [&'static str],
        help: &'static str,
        metric: M,
    ) -> M
    where
        M: Clone + TypedMetric + EncodeMetric + Send + Sync + std::fmt::Debug + 'static,
    {
        let kind = M::TYPE.as_str();
        let unit_suffix = unit.as_ref().map(|unit| format!("_{}", unit.as_str())).unwrap_or_default();
        let kind_suffix = match kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        let name_scraped = format!("taskgate_{name}{unit_suffix}{kind_suffix}");
        self.described.push(Described { name: name_scraped, kind, labels, help });
        // The library ends each help text with a full stop of its own.
        let help = help.trim_end_matches('.');
        match unit {
            Some(unit) => self.registry.register_with_unit(name, help, unit, metric.clone()),
            None => self.registry.register(name, help, metric.clone()),
        }
        metric
    }

    /// What was registered.
    #[must_use]
    pub fn described(&self) -> &[Described] {
        &self.described
    }

    /// The registry.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }
}

impl Default for Catalogue {
    fn default() -> Self {
        Self::new()
    }
}
