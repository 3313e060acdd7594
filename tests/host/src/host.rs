//! The host process as a test sees it.
//!
//! Why one handle: everything that workers share (clock, shared data, metrics, logs, callouts, faults)
//! is set up and read here. Never runs filter code; that is [`Vm`]'s.

use std::cell::{RefCell, RefMut};
use std::rc::Rc;
use std::time::Duration;

use crate::abi::nanoseconds;
use crate::callout::Callout;
use crate::faults::Fault;
use crate::process::{LogLine, Process};
use crate::stream::property_path;
use crate::vm::{Vm, VmOptions};
use crate::{Calls, Corruption, FilterModule, Flavour, HostError, HostFunction, NginxConf, Status};

/// One host process. Clones are handles to the same process.
#[derive(Clone, Debug)]
pub struct Host {
    process: Rc<RefCell<Process>>,
}

impl Host {
    /// A process that behaves like `flavour`, with its clock at the start of 2030.
    pub fn new(flavour: Flavour) -> Self {
        Self { process: Rc::new(RefCell::new(Process::new(flavour))) }
    }

    /// A process that behaves like Envoy and knows these clusters.
    pub fn envoy<Name: Into<String>>(clusters: impl IntoIterator<Item = Name>) -> Self {
        let host = Self::new(Flavour::Envoy);
        for cluster in clusters {
            host.add_cluster(cluster);
        }
        host
    }

    /// Starts one more worker with default options.
    pub fn vm(&self, module: &FilterModule) -> Result<Vm, HostError> {
        self.vm_with(module, VmOptions::default())
    }

    /// Starts one more worker.
    pub fn vm_with(&self, module: &FilterModule, options: VmOptions) -> Result<Vm, HostError> {
        Vm::start(self, module, options)
    }

    /// Lets callouts go to a cluster; to any other they are refused with `BadArgument`.
    pub fn add_cluster(&self, name: impl Into<String>) {
        self.process().clusters.insert(name.into());
    }

    /// Declares an NGINX variable, without its dollar sign (WasmX only).
    pub fn declare_variable(&self, name: impl Into<String>) {
        self.process().variables.insert(name.into());
    }

    /// Behaves as NGINX does with that configuration (WasmX only).
    pub fn configure_nginx(&self, conf: &NginxConf) {
        for name in conf.variables() {
            self.declare_variable(name);
        }
        let mut process = self.process();
        process.zones = conf.zones().to_vec();
        process.nginx = Some(Rc::new(conf.clone()));
    }

    /// Has these zones of shared data alone (WasmX only; else one, `*`).
    pub fn set_zones<Name: Into<String>>(&self, names: impl IntoIterator<Item = Name>) {
        self.process().zones = names.into_iter().map(Into::into).collect();
    }

    /// Traps where a longer value is written to shared data (WasmX only).
    pub fn limit_shared_values(&self, bytes: usize) {
        self.process().zone_bytes = bytes;
    }

    /// Gives every context a property; one of the stream itself goes first.
    pub fn set_property(&self, path: &[&str], value: impl Into<Vec<u8>>) {
        self.process().properties.insert(property_path(path), value.into());
    }

    // --- clock ---

    /// The time the filter sees.
    pub fn now_ns(&self) -> u64 {
        self.process().clock_ns
    }

    /// Sets the clock, backwards too. Nothing else happens; see [`Vm::run`].
    pub fn set_now_ns(&self, now_ns: u64) {
        self.process().clock_ns = now_ns;
    }

    /// Moves the clock on. Nothing else happens; see [`Vm::run`].
    pub fn advance(&self, duration: Duration) {
        let now = self.now_ns().saturating_add(nanoseconds(duration));
        self.set_now_ns(now);
    }

    // --- what filters left behind ---

    /// Everything that was logged, oldest first.
    pub fn logs(&self) -> Vec<LogLine> {
        self.process().logs.clone()
    }

    /// The value of a counter or gauge.
    pub fn metric(&self, name: &str) -> Option<u64> {
        self.process().metrics.value_of(name)
    }

    /// What was recorded in a histogram.
    pub fn histogram(&self, name: &str) -> Vec<u64> {
        self.process().metrics.records_of(name)
    }

    /// A value of the shared data and its compare-and-set number.
    pub fn shared_data(&self, key: impl AsRef<[u8]>) -> Option<(Vec<u8>, u32)> {
        let process = self.process();
        process.shared.read(process.flavour, key.as_ref()).cloned()
    }

    /// Writes shared data as another worker would, unconditionally.
    pub fn set_shared_data(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let mut process = self.process();
        let flavour = process.flavour;
        let stored = process.shared.read(flavour, key.as_ref()).map_or(0, |(_, number)| *number);
        // The stored number always matches, so the write cannot be refused.
        let written = process.shared.write(flavour, key.as_ref(), value.as_ref(), stored);
        debug_assert_eq!(written, Ok(()));
    }

    /// The callouts that wait for an answer, oldest first.
    pub fn callouts(&self) -> Vec<Callout> {
        self.process().callouts.values().cloned().collect()
    }

    /// Why the process died, if it did.
    pub fn crash(&self) -> Option<String> {
        self.process().crash.clone()
    }

    // --- counting ---

    /// How often filters called `function` since the start or the last reset.
    pub fn calls(&self, function: HostFunction) -> u64 {
        self.process().calls.get(&function).copied().unwrap_or_default()
    }

    /// How often filters called any host function since the start or the last reset.
    pub fn total_calls(&self) -> u64 {
        self.process().calls.values().sum()
    }

    /// Sets all counts to zero.
    pub fn reset_calls(&self) {
        self.process().calls.clear();
    }

    // --- faults ---

    /// Makes calls of `function` answer `status` and do nothing.
    pub fn fail(&self, function: HostFunction, calls: Calls, status: Status) {
        self.process().faults.add(function, calls, Fault::Fail(status));
    }

    /// Spoils the bytes that calls of `function` hand to the filter; everything else works.
    pub fn corrupt(&self, function: HostFunction, calls: Calls, corruption: Corruption) {
        self.process().faults.add(function, calls, Fault::Corrupt(corruption));
    }

    /// Makes calls of `function` trap.
    pub fn trap(&self, function: HostFunction, calls: Calls) {
        self.process().faults.add(function, calls, Fault::Trap);
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        self.process().faults.clear();
    }

    pub(crate) fn process(&self) -> RefMut<'_, Process> {
        self.process.borrow_mut()
    }

    pub(crate) fn shared_process(&self) -> Rc<RefCell<Process>> {
        Rc::clone(&self.process)
    }
}

impl Default for Host {
    fn default() -> Self {
        Self::new(Flavour::Envoy)
    }
}
