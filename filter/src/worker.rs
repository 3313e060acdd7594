//! What one VM knows: its configuration, its gate, and what is under way.
//!
//! A VM runs on one thread, and the proxy calls it once at a time. Several plugins of a proxy may share
//! a VM (Envoy makes a root context for each use of the filter under one `vm_id`); they share this one
//! state too, so each configuration needs a `vm_id` of its own. Where another one comes, it takes over:
//! that is how a proxy changes a configuration.

use std::cell::RefCell;

use taskgate_core::gate::Gate;
use taskgate_core::time::{Moment, SteadyClock, UnixTime};

use crate::abi::{BufferType, LogLevel};
use crate::config::{FilterConfig, Flavour, InvalidConfig, may_be_for_nginx};
use crate::connection::Handshakes;
use crate::feed::Feed;
use crate::host::{self, Callout, Context};
use crate::metric::Metrics;
use crate::mirror;
use crate::request::Waiting;
use crate::streams::Streams;

/// How often the proxy calls [`Worker::on_tick`], in milliseconds.
pub const TICK_MILLIS: u32 = 100;
/// The longest configuration that is read, in bytes.
const MAX_CONFIGURATION: usize = 1 << 20;

thread_local! {
    static WORKER: RefCell<Option<Worker>> = const { RefCell::new(None) };
}

/// One VM's state.
pub struct Worker {
    text: Vec<u8>,
    pub(crate) config: FilterConfig,
    pub(crate) flavour: Flavour,
    /// The root context that callouts belong to, so that they outlive the request that caused them.
    pub(crate) root: Context,
    pub(crate) gate: Gate,
    pub(crate) feed: Feed,
    pub(crate) waiting: Waiting,
    pub(crate) streams: Streams,
    pub(crate) handshakes: Handshakes,
    pub(crate) metrics: Metrics,
    pub(crate) ticks: u64,
    clock: SteadyClock,
}

/// Runs `act` on the worker. None before a configuration has been read, or where the host calls in
/// while it is being called: then whoever asks must refuse.
pub fn with<T>(act: impl FnOnce(&mut Worker) -> T) -> Option<T> {
    WORKER.with(|worker| worker.try_borrow_mut().ok()?.as_mut().map(act))
}

/// Reads the configuration. False refuses to start, which Envoy reports to whoever changed it; on
/// NGINX a worker would not come up again, so there the filter starts and refuses every request.
pub fn configure(root: Context, size: usize) -> bool {
    let text = match size {
        0 => host::buffer(BufferType::VmConfiguration, MAX_CONFIGURATION),
        _ => host::buffer(BufferType::PluginConfiguration, size.min(MAX_CONFIGURATION)),
    };
    let Some(text) = text else { return cfg!(feature = "wasmx") };
    let known = with(|worker| {
        let is_same = worker.text == text;
        if is_same {
            worker.root = root;
        }
        is_same.then_some(worker.flavour)
    });
    if let Some(Some(flavour)) = known {
        // A second plugin in the same VM: it must not lose what the first one knows.
        host::set_further_tick_period(flavour, TICK_MILLIS);
        return true;
    }
    match Worker::new(root, text.clone()) {
        Ok(mut worker) => {
            if let Some(connections) = with(Worker::hand_over) {
                worker.streams = connections;
                host::log(
                    LogLevel::Warn,
                    "taskgate: another configuration takes over; two at a time need two `vm_id`s",
                );
            }
            WORKER.with(|place| {
                if let Ok(mut place) = place.try_borrow_mut() {
                    *place = Some(worker);
                }
            });
            host::set_tick_period(TICK_MILLIS);
            true
        }
        Err(error) => {
            host::log(LogLevel::Error, &format!("taskgate: the configuration is not usable: {error}"));
            may_be_for_nginx(&text)
        }
    }
}

impl Worker {
    fn new(root: Context, text: Vec<u8>) -> Result<Self, InvalidConfig> {
        let config = FilterConfig::read(&text)?;
        let flavour = config.flavour();
        let nanos = host::clock();
        let wall = nanos.map(UnixTime::from_nanos);
        let mut clock = SteadyClock::new(wall);
        // The nanoseconds are the nearest thing to randomness that a host has.
        let mut gate = Gate::new(nanos.unwrap_or_default(), host::rewrites_path(flavour));
        mirror::restore(&mut gate, config.upstream(), clock.read(wall));
        Ok(Self {
            text,
            flavour,
            root,
            gate,
            feed: Feed::default(),
            waiting: Waiting::default(),
            streams: Streams::default(),
            handshakes: Handshakes::default(),
            metrics: Metrics::define(),
            ticks: 0,
            clock,
            config,
        })
    }

    /// Another configuration takes over. Those that wait would wait for ever; connections that were permitted go on,
    /// and are looked at by whoever comes next.
    fn hand_over(&mut self) -> Streams {
        self.give_up_on_all_verdicts();
        self.give_up_on_handshakes();
        self.streams.take_connections()
    }

    /// What time it is.
    pub(crate) fn now(&mut self) -> Moment {
        self.clock.read(host::clock().map(UnixTime::from_nanos))
    }

    /// The proxy's timer: the only clock that callouts are measured by.
    pub fn on_tick(&mut self, root: Context) {
        self.root = root;
        let is_whole = self.handshakes.is_whole_tick();
        self.look_at_handshakes(is_whole);
        if !is_whole {
            return;
        }
        self.ticks = self.ticks.saturating_add(1);
        let now = self.now();
        self.give_up_on_lost_verdicts();
        self.poll_if_due();
        self.look_after_streams(now);
        self.gate.table_mut().tidy();
        self.mirror(now);
        self.metrics.services(self.gate.table().len());
    }

    /// Keeps in shared data what has changed.
    pub(crate) fn mirror(&mut self, now: Moment) {
        mirror::keep(&mut self.gate, self.config.upstream(), self.ticks, now);
    }

    /// A callout was answered, or has failed: hosts make no difference.
    pub fn on_answer(&mut self, callout: Callout, header_count: usize, body_size: usize) {
        if self.feed.is_waiting_for(callout) {
            self.on_page(header_count, body_size);
        } else {
            self.on_verdict(callout, header_count, body_size);
        }
    }
}
