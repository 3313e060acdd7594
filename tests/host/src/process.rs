//! What all VMs of one host process share.
//!
//! Why: workers of a proxy are separate VMs with one shared store, one clock and one metrics page;
//! tests of races between workers need exactly that. Never knows about a VM's memory or contexts.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::callout::{Callout, CalloutId};
use crate::faults::FaultPlan;
use crate::{Flavour, HostFunction, LogLevel, NginxConf, StreamId};

pub(crate) mod metrics;
pub(crate) mod shared;

/// One line a filter logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Which VM, in the order of creation.
    pub vm: usize,
    /// How serious it is.
    pub level: LogLevel,
    /// The text, lossy where it is no UTF-8.
    pub message: String,
}

/// State of the whole process.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) flavour: Flavour,
    pub(crate) clock_ns: u64,
    pub(crate) log_level: LogLevel,
    pub(crate) logs: Vec<LogLine>,
    pub(crate) metrics: metrics::Metrics,
    pub(crate) shared: shared::SharedData,
    pub(crate) queues: shared::Queues,
    pub(crate) callouts: BTreeMap<CalloutId, Callout>,
    pub(crate) clusters: BTreeSet<String>,
    pub(crate) variables: BTreeSet<String>,
    pub(crate) properties: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Zones of shared data (WasmX only).
    pub(crate) zones: Vec<String>,
    /// The longest value of shared data that fits (WasmX only).
    pub(crate) zone_bytes: usize,
    pub(crate) nginx: Option<Rc<NginxConf>>,
    pub(crate) faults: FaultPlan,
    pub(crate) calls: BTreeMap<HostFunction, u64>,
    /// Why the process died, once it did.
    pub(crate) crash: Option<String>,
    pub(crate) vms: usize,
    last_stream: u64,
    last_callout: u64,
}

impl Process {
    pub(crate) fn new(flavour: Flavour) -> Self {
        Self {
            flavour,
            // 2030-01-01: any time will do as long as it is the same one on every run.
            clock_ns: 1_893_456_000_000_000_000,
            log_level: LogLevel::Info,
            logs: Vec::new(),
            metrics: metrics::Metrics::default(),
            shared: shared::SharedData::default(),
            queues: shared::Queues::default(),
            callouts: BTreeMap::new(),
            clusters: BTreeSet::new(),
            variables: BTreeSet::new(),
            properties: BTreeMap::new(),
            zones: vec!["*".to_owned()],
            zone_bytes: usize::MAX,
            nginx: None,
            faults: FaultPlan::default(),
            calls: BTreeMap::new(),
            crash: None,
            vms: 0,
            last_stream: 0,
            last_callout: 0,
        }
    }

    pub(crate) fn next_stream(&mut self) -> StreamId {
        self.last_stream += 1;
        StreamId(self.last_stream)
    }

    pub(crate) fn next_callout(&mut self) -> CalloutId {
        self.last_callout += 1;
        CalloutId(self.last_callout)
    }

    /// Records that the process died; the first reason stays.
    pub(crate) fn crash(&mut self, reason: &str) {
        self.crash.get_or_insert_with(|| reason.to_owned());
    }

    /// Forgets the callouts of a context, or of the whole VM.
    pub(crate) fn drop_callouts(&mut self, vm: usize, context: Option<u32>) {
        self.callouts.retain(|_, callout| {
            callout.owner.vm != vm || context.is_some_and(|context| callout.owner.context != context)
        });
    }

    /// Whether a context of a VM waits for an answer.
    pub(crate) fn awaits_answer(&self, vm: usize, context: u32) -> bool {
        self.callouts.values().any(|callout| callout.owner.vm == vm && callout.owner.context == context)
    }
}
