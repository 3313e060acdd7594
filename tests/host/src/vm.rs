//! One worker: an instance of the filter and the streams it serves.
//!
//! Why: this is where callbacks run. It enters the filter, bounds what it may use, and carries out
//! what the filter asked for once it returned. Never calls an export that is absent: to a real host
//! every callback is optional.

use wasmtime::{Instance, Store, StoreLimits, StoreLimitsBuilder, Trap};

use crate::module::FilterModule;
use crate::state::{Action, Context, Phase, Plugin, VmState};
use crate::{FailurePolicy, Flavour, Host, HostError, Limits, Outcome};

mod arrival;
mod callouts;
mod connections;
mod streams;

/// One plugin of a VM: a root context with its own configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RootId(usize);

/// How a VM is run.
#[derive(Clone, Debug, Default)]
pub struct VmOptions {
    /// What it may use.
    pub limits: Limits,
    /// What happens when it trapped.
    pub policy: FailurePolicy,
    /// The configuration of the VM itself, not of a plugin.
    pub vm_configuration: Vec<u8>,
}

/// How a VM stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrapReport {
    /// The export that was running.
    pub callback: String,
    /// Why it stopped.
    pub reason: String,
}

/// A worker of a [`Host`].
pub struct Vm {
    host: Host,
    module: FilterModule,
    options: VmOptions,
    number: usize,
    flavour: Flavour,
    store: Store<VmState>,
    instance: Instance,
    trap: Option<TrapReport>,
    reloads: u32,
}

/// What a callback came back with.
pub(crate) struct Returned {
    /// Its result; `None` when it is absent, returns nothing or did not return.
    value: Option<u32>,
    /// A local reply was made while it ran.
    stopped: bool,
    /// Whether this very call trapped.
    trapped: bool,
}

impl Vm {
    pub(crate) fn start(host: &Host, module: &FilterModule, options: VmOptions) -> Result<Self, HostError> {
        let flavour = host.process().flavour;
        let number = host.process().vms;
        host.process().vms += 1;
        let imports = module.imports();
        for name in flavour.forbidden_imports() {
            if imports.iter().any(|import| import.strip_prefix("env.") == Some(name)) {
                return Err(HostError::Link(format!("this host has no usable `{name}`")));
            }
        }
        let exports = module.exports();
        if let Some(absent) = flavour.needed_exports().iter().find(|name| !exports.iter().any(|has| has == *name)) {
            return Err(HostError::MissingExport(absent));
        }
        let (store, instance) = instantiate(host, module, &options, number)?;
        let host = host.clone();
        let module = module.clone();
        Ok(Self { host, module, options, number, flavour, store, instance, trap: None, reloads: 0 })
    }

    /// Adds a plugin: creates its root context, starts the VM for it and configures it.
    pub fn add_plugin(&mut self, configuration: impl Into<Vec<u8>>) -> Result<RootId, HostError> {
        let state = self.store.data_mut();
        let context = state.add_context(Context::Root);
        let configuration = configuration.into();
        let plugin = Plugin { configuration, context, tick_period: None, next_tick_ns: None, timers: 1 };
        state.plugins.push(plugin);
        let root = RootId(state.plugins.len() - 1);
        self.configure(root, true)?;
        Ok(root)
    }

    /// Replaces the instance by a fresh one, as Envoy does after a trap: every plugin is configured
    /// again, shared data stays, streams and callouts of the old instance are lost.
    pub fn reload(&mut self) -> Result<(), HostError> {
        self.host.process().drop_callouts(self.number, None);
        let (store, instance) = instantiate(&self.host, &self.module, &self.options, self.number)?;
        let old = std::mem::replace(&mut self.store, store).into_data();
        self.instance = instance;
        self.trap = None;
        self.reloads += 1;
        let state = self.store.data_mut();
        state.streams = old.streams;
        for stream in state.streams.values_mut() {
            stream.context = None;
        }
        for plugin in old.plugins {
            let context = state.add_context(Context::Root);
            let timers = if self.flavour.keeps_timers() { plugin.timers.saturating_add(1) } else { 1 };
            state.plugins.push(Plugin { context, tick_period: None, next_tick_ns: None, timers, ..plugin });
        }
        for place in 0..self.store.data().plugins.len() {
            self.configure(RootId(place), self.flavour.restarts_vm())?;
        }
        Ok(())
    }

    /// How the instance stopped, if it trapped and was not replaced since.
    pub fn trap(&self) -> Option<&TrapReport> {
        self.trap.as_ref()
    }

    /// How often the instance was replaced.
    pub fn reloads(&self) -> u32 {
        self.reloads
    }

    /// The bytes of linear memory the instance has.
    pub fn memory_bytes(&self) -> usize {
        self.store.data().memory.map_or(0, |memory| memory.data_size(&self.store))
    }

    fn configure(&mut self, root: RootId, vm_starts: bool) -> Result<(), HostError> {
        let started = self.start_plugin(root, vm_starts);
        if started.is_err() && self.flavour.dies_with_filter() {
            self.host.process().crash("a filter did not start");
        }
        started
    }

    fn start_plugin(&mut self, root: RootId, vm_starts: bool) -> Result<(), HostError> {
        let Some(plugin) = self.store.data().plugins.get(root.0) else { return Ok(()) };
        let (context, size) = (plugin.context, length(plugin.configuration.len()));
        let vm_size = length(self.store.data().vm_configuration.len());
        self.call(context, "proxy_on_context_create", &[context, 0]);
        let starts = vm_starts.then_some(("proxy_on_vm_start", vm_size));
        for (callback, size) in starts.into_iter().chain([("proxy_on_configure", size)]) {
            if callback == "proxy_on_configure" {
                self.store.data_mut().phase = Phase::Configuring;
            }
            let returned = self.call(context, callback, &[context, size]);
            self.store.data_mut().phase = Phase::Running;
            self.check_start()?;
            if returned.value == Some(0) {
                let reason = "returned false".to_owned();
                self.trap = Some(TrapReport { callback: callback.to_owned(), reason });
                return Err(HostError::Declined { callback });
            }
        }
        Ok(())
    }

    fn check_start(&self) -> Result<(), HostError> {
        if let Some(reason) = self.host.crash() {
            return Err(HostError::HostCrashed(reason));
        }
        match &self.trap {
            Some(TrapReport { callback, reason }) => {
                Err(HostError::Trapped { callback: callback.clone(), reason: reason.clone() })
            }
            None => Ok(()),
        }
    }

    /// Runs an export in `context`, then carries out what it asked for. A VM that trapped runs nothing.
    fn call(&mut self, context: u32, callback: &str, arguments: &[u32]) -> Returned {
        let nothing = Returned { value: None, stopped: false, trapped: false };
        if self.trap.is_some() || self.host.crash().is_some() {
            return nothing;
        }
        let Some(function) = self.instance.get_func(&mut self.store, callback) else {
            if self.flavour.calls_what_is_absent() {
                self.host.process().crash(&format!("`{callback}` was called, and is not there"));
            }
            return nothing;
        };
        let state = self.store.data_mut();
        state.current = context;
        state.effective = 0;
        let results = function.ty(&self.store).results().len();
        let mut values = vec![wasmtime::Val::I32(0); results];
        let arguments: Vec<_> = arguments.iter().map(|argument| argument.cast_signed().into()).collect();
        let result = self
            .store
            .set_fuel(self.options.limits.fuel_per_callback)
            .and_then(|()| function.call(&mut self.store, &arguments, &mut values));
        let trapped = result.is_err();
        if let Err(error) = result {
            let reason = self.explain(&error);
            self.trap = Some(TrapReport { callback: callback.to_owned(), reason });
        }
        let state = self.store.data_mut();
        let stopped = std::mem::take(&mut state.stop_iteration);
        let actions = std::mem::take(&mut state.actions);
        self.act(actions);
        if trapped {
            self.lose_streams(context);
        }
        let value = values.first().and_then(wasmtime::Val::i32).map(i32::cast_unsigned);
        Returned { value: value.filter(|_| !trapped), stopped, trapped }
    }

    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Close(stream) => self.close(stream),
                Action::Continue(stream, direction) => self.go_on(stream, direction),
                Action::Reply(stream, reply) => self.reply(stream, reply),
            }
        }
    }

    fn explain(&self, error: &wasmtime::Error) -> String {
        match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => {
                let fuel = self.options.limits.fuel_per_callback;
                format!("out of fuel after {fuel} units: an endless loop, or a limit that is too small")
            }
            Some(trap) => trap.to_string(),
            None => error.root_cause().to_string(),
        }
    }

    /// What a request meets that this VM cannot serve any more.
    fn unavailable(&self) -> Option<Outcome> {
        if let Some(reason) = self.host.crash() {
            return Some(Outcome::HostCrashed { reason });
        }
        let TrapReport { callback, reason } = self.trap.as_ref()?;
        Some(Outcome::Trapped { reason: format!("{callback}: {reason}") })
    }
}

impl std::fmt::Debug for Vm {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { number, trap, reloads, .. } = self;
        formatter
            .debug_struct("Vm")
            .field("number", number)
            .field("trap", trap)
            .field("reloads", reloads)
            .finish_non_exhaustive()
    }
}

/// A fresh instance, initialized but without plugins.
fn instantiate(
    host: &Host,
    module: &FilterModule,
    options: &VmOptions,
    number: usize,
) -> Result<(Store<VmState>, Instance), HostError> {
    let limits: StoreLimits = StoreLimitsBuilder::new().memory_size(options.limits.memory_bytes).build();
    let mut state = VmState::new(host.shared_process(), number, limits);
    state.vm_configuration.clone_from(&options.vm_configuration);
    let mut store = Store::new(module.instance().module().engine(), state);
    store.limiter(|state| &mut state.limits);
    let trapped = |callback: &str, error: &wasmtime::Error| HostError::Trapped {
        callback: callback.to_owned(),
        reason: error.root_cause().to_string(),
    };
    let fuel = options.limits.fuel_per_callback;
    store.set_fuel(fuel).map_err(|error| HostError::Module(error.to_string()))?;
    let instance = module.instance().instantiate(&mut store).map_err(|error| trapped("start", &error))?;
    let memory = instance.get_memory(&mut store, "memory").ok_or(HostError::MissingExport("`memory`"))?;
    let allocate = ["malloc", "proxy_on_memory_allocate"]
        .iter()
        .find_map(|name| instance.get_typed_func::<u32, u32>(&mut store, name).ok())
        .ok_or(HostError::MissingExport("`malloc` or `proxy_on_memory_allocate`"))?;
    store.data_mut().memory = Some(memory);
    store.data_mut().allocate = Some(allocate);
    for callback in ["_initialize", "_start"] {
        if let Ok(function) = instance.get_typed_func::<(), ()>(&mut store, callback) {
            function.call(&mut store, ()).map_err(|error| trapped(callback, &error))?;
            break;
        }
    }
    store.data_mut().phase = Phase::Running;
    Ok((store, instance))
}

fn length(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}
