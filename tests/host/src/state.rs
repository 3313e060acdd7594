//! What the host knows about one instance of a filter while its code runs.
//!
//! Why: host functions see nothing but this. It names the contexts that exist, which of them is
//! effective, and what has to happen once the callback returns. Never runs wasm code.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use wasmtime::{Memory, StoreLimits, TypedFunc};

use crate::callout::SeenAnswer;
use crate::process::Process;
use crate::stream::{Reply, Stream};
use crate::{Flavour, Headers, StreamId};

/// Which half of a stream is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Request,
    Response,
}

/// What the host does once the running callback has returned, as the real hosts defer it.
#[derive(Debug)]
pub(crate) enum Action {
    Close(StreamId),
    Continue(StreamId, Direction),
    Reply(StreamId, Reply),
}

/// What an existing context is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Context {
    Root,
    Stream { root: u32, stream: StreamId },
}

/// Which part of a filter's life is going on; some calls are only allowed in some of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Initializing,
    Configuring,
    Running,
}

/// One plugin: a root context with its configuration.
#[derive(Clone, Debug)]
pub(crate) struct Plugin {
    pub(crate) configuration: Vec<u8>,
    pub(crate) context: u32,
    pub(crate) tick_period: Option<Duration>,
    pub(crate) next_tick_ns: Option<u64>,
    /// How often it fires each time.
    pub(crate) timers: u32,
}

/// The data of a wasmtime store.
pub(crate) struct VmState {
    pub(crate) process: Rc<RefCell<Process>>,
    pub(crate) vm: usize,
    pub(crate) vm_configuration: Vec<u8>,
    pub(crate) flavour: Flavour,
    pub(crate) phase: Phase,
    pub(crate) limits: StoreLimits,
    pub(crate) memory: Option<Memory>,
    pub(crate) allocate: Option<TypedFunc<u32, u32>>,
    pub(crate) plugins: Vec<Plugin>,
    pub(crate) contexts: BTreeMap<u32, Context>,
    pub(crate) streams: BTreeMap<StreamId, Stream>,
    /// The context of the running callback.
    pub(crate) current: u32,
    /// The context chosen with `proxy_set_effective_context`, 0 for none.
    pub(crate) effective: u32,
    pub(crate) actions: Vec<Action>,
    /// A local reply was made: the running callback pauses whatever it returns.
    pub(crate) stop_iteration: bool,
    /// The answer being delivered, and the root it belongs to.
    pub(crate) answer: Option<(u32, SeenAnswer)>,
    /// What `proxy_get_status` tells.
    pub(crate) status: (u32, &'static str),
    last_context: u32,
    last_token: u32,
}

impl VmState {
    pub(crate) fn new(process: Rc<RefCell<Process>>, vm: usize, limits: StoreLimits) -> Self {
        let flavour = process.borrow().flavour;
        Self {
            process,
            vm,
            vm_configuration: Vec::new(),
            flavour,
            phase: Phase::Initializing,
            limits,
            memory: None,
            allocate: None,
            plugins: Vec::new(),
            contexts: BTreeMap::new(),
            streams: BTreeMap::new(),
            current: 0,
            effective: 0,
            actions: Vec::new(),
            stop_iteration: false,
            answer: None,
            status: (0, ""),
            last_context: 0,
            last_token: 0,
        }
    }

    pub(crate) fn add_context(&mut self, context: Context) -> u32 {
        self.last_context += 1;
        self.contexts.insert(self.last_context, context);
        self.last_context
    }

    pub(crate) fn next_token(&mut self) -> u32 {
        self.last_token += 1;
        self.last_token
    }

    /// The context that host functions act on. One that no longer exists is as good as none chosen.
    pub(crate) fn effective_context(&self) -> u32 {
        if !self.flavour.ignores_effective_context() && self.contexts.contains_key(&self.effective) {
            self.effective
        } else {
            self.current
        }
    }

    /// Whether the filter believes it acts on another context than the host does.
    pub(crate) fn is_misled(&self) -> bool {
        self.effective != 0 && self.effective != self.effective_context()
    }

    pub(crate) fn root_of(&self, context: u32) -> u32 {
        match self.contexts.get(&context) {
            Some(Context::Stream { root, .. }) => *root,
            Some(Context::Root) | None => context,
        }
    }

    /// The stream of the effective context, unless that is a root.
    pub(crate) fn stream_id(&self) -> Option<StreamId> {
        self.stream_of(self.effective_context())
    }

    pub(crate) fn stream_of(&self, context: u32) -> Option<StreamId> {
        match self.contexts.get(&context)? {
            Context::Stream { stream, .. } => Some(*stream),
            Context::Root => None,
        }
    }

    pub(crate) fn stream(&self) -> Option<&Stream> {
        self.streams.get(&self.stream_id()?)
    }

    pub(crate) fn stream_mut(&mut self) -> Option<&mut Stream> {
        let stream = self.stream_id()?;
        self.streams.get_mut(&stream)
    }

    pub(crate) fn plugin_of(&mut self, context: u32) -> Option<&mut Plugin> {
        let root = self.root_of(context);
        self.plugins.iter_mut().find(|plugin| plugin.context == root)
    }

    /// The answer being delivered, if the effective context may read it.
    pub(crate) fn readable_answer(&self) -> Option<&SeenAnswer> {
        let (root, answer) = self.answer.as_ref()?;
        (*root == self.root_of(self.effective_context())).then_some(answer)
    }

    /// The list behind a map type, if the effective context can read it now.
    pub(crate) fn map(&self, map: u32) -> Option<&Headers> {
        match map {
            0 => self
                .stream()
                .filter(|stream| stream.request.open || stream.logging)
                .map(|stream| &stream.request.headers),
            2 => self
                .stream()
                .filter(|stream| stream.response.open || stream.logging)
                .map(|stream| &stream.response.headers),
            6 => self.readable_answer()?.response.as_ref().map(|(headers, ..)| headers),
            7 => self
                .readable_answer()?
                .response
                .as_ref()
                .map(|(_, _, trailers)| trailers)
                .filter(|trailers| !trailers.is_empty()),
            _ => None,
        }
    }

    /// The half of the effective stream whose headers the filter may change now.
    pub(crate) fn map_mut(&mut self, map: u32) -> Option<&mut crate::stream::Message> {
        let stream = self.stream_mut()?;
        let message = match map {
            0 => &mut stream.request,
            2 => &mut stream.response,
            _ => return None,
        };
        message.open.then_some(message)
    }

    /// The bytes behind a buffer type, if the effective context can read them now.
    pub(crate) fn buffer(&self, buffer: u32) -> Option<&[u8]> {
        match buffer {
            0 => self.stream()?.request.body.as_deref(),
            1 => self.stream()?.response.body.as_deref(),
            4 => self.readable_answer()?.response.as_ref().map(|(_, body, _)| body.as_slice()),
            6 => Some(&self.vm_configuration),
            7 if self.phase == Phase::Configuring => {
                let root = self.effective_context();
                self.plugins.iter().find(|plugin| plugin.context == root).map(|plugin| plugin.configuration.as_slice())
            }
            _ => None,
        }
    }
}
