//! Which proxy the host imitates.
//!
//! Why: the same filter runs in proxies that disagree on small, security-relevant points. Every such
//! point asks one method here, so a difference is found by looking at this file. Never test the
//! variant itself elsewhere.

/// The proxy whose behaviour a [`Host`](crate::Host) reproduces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flavour {
    /// Envoy with its C++ Proxy-Wasm host.
    #[default]
    Envoy,
    /// NGINX with WasmX, as measured.
    WasmX,
}

impl Flavour {
    /// `:authority` is the name and port of the listener and `host` is a header of its own.
    pub(crate) fn separates_host(self) -> bool {
        self == Self::WasmX
    }

    /// Properties under `ngx` exist, and only declared variables can be set.
    pub(crate) fn has_variables(self) -> bool {
        self == Self::WasmX
    }

    /// `proxy_set_effective_context` changes nothing, and acting on another stream kills the process.
    pub(crate) fn ignores_effective_context(self) -> bool {
        self == Self::WasmX
    }

    /// A stream left without a decision continues.
    pub(crate) fn resumes_undecided(self) -> bool {
        self == Self::WasmX
    }

    /// An answer to a stream that did not wait for it kills the process.
    pub(crate) fn crashes_on_unawaited_answer(self) -> bool {
        self == Self::WasmX
    }

    /// A stream whose answer made the filter trap continues all the same.
    pub(crate) fn continues_after_answer_trap(self) -> bool {
        self == Self::WasmX
    }

    /// A trap costs one request; the next one finds a fresh instance whatever the policy.
    pub(crate) fn always_reloads(self) -> bool {
        self == Self::WasmX
    }

    /// The callback for an answer names the context that dispatched, not its root.
    pub(crate) fn answers_dispatcher(self) -> bool {
        self == Self::WasmX
    }

    /// Calls that Envoy allows and WasmX answers with a trap.
    pub(crate) fn traps_on_unsupported(self) -> bool {
        self == Self::WasmX
    }

    /// Shared data is found by the CRC32 of its key, and a write without `cas` never overwrites.
    pub(crate) fn shares_data_by_checksum(self) -> bool {
        self == Self::WasmX
    }

    /// Whether the answer to a callout carries `:dispatch_status`.
    pub(crate) fn reports_dispatch_status(self) -> bool {
        self == Self::WasmX
    }

    /// `end_of_stream` of the header callback is always false.
    pub(crate) fn hides_end_of_stream(self) -> bool {
        self == Self::WasmX
    }

    /// A removed or replaced duplicate still reaches the upstream.
    pub(crate) fn leaks_removed_headers(self) -> bool {
        self == Self::WasmX
    }

    /// Local replies end with a newline and keep only the last header of each name.
    pub(crate) fn rewrites_replies(self) -> bool {
        self == Self::WasmX
    }

    /// A callout may go to an address instead of a declared cluster.
    pub(crate) fn dials_addresses(self) -> bool {
        self == Self::WasmX
    }

    /// A header's name is shown as it was written, not in lower case.
    pub(crate) fn keeps_case(self) -> bool {
        self == Self::WasmX
    }

    /// How many headers a list shows at most; the rest is not there for a filter.
    pub(crate) fn shown_headers(self) -> usize {
        match self {
            Self::Envoy => usize::MAX,
            Self::WasmX => 100,
        }
    }

    /// Pseudo headers count as headers where a callback tells how many there are.
    pub(crate) fn counts_pseudo_headers(self) -> bool {
        self == Self::Envoy
    }

    /// `:path` is decoded and put in order; as the client sent it, it is the variable `request_uri`.
    pub(crate) fn decodes_path(self) -> bool {
        self == Self::WasmX
    }

    /// The largest head of a callout's answer; of a larger one a part is shown.
    pub(crate) fn largest_answer_head(self) -> usize {
        match self {
            Self::Envoy => usize::MAX,
            Self::WasmX => 8 << 10,
        }
    }

    /// A callout's connection is the host's to say: `connection: close` and the address as `host`.
    pub(crate) fn forces_connection(self) -> bool {
        self == Self::WasmX
    }

    /// A filter that does not start takes its worker with it, for good.
    pub(crate) fn dies_with_filter(self) -> bool {
        self == Self::WasmX
    }

    /// Each reload leaves the timer of the instance before behind.
    pub(crate) fn keeps_timers(self) -> bool {
        self == Self::WasmX
    }

    /// An export without which a filter is not loaded.
    pub(crate) fn needed_exports(self) -> &'static [&'static str] {
        match self {
            Self::Envoy => &[],
            Self::WasmX => &["proxy_on_context_create", "proxy_on_vm_start", "proxy_on_configure"],
        }
    }

    /// A callback that the filter does not have is called all the same, and kills the process.
    pub(crate) fn calls_what_is_absent(self) -> bool {
        self == Self::WasmX
    }

    /// Whether a reload of the instance starts the VM again, and not only configures it.
    pub(crate) fn restarts_vm(self) -> bool {
        self == Self::Envoy
    }

    /// Properties whose reading kills the process.
    pub(crate) fn deadly_properties(self) -> &'static [&'static [u8]] {
        match self {
            Self::Envoy => &[],
            Self::WasmX => &[b"upstream\0address", b"upstream\0port"],
        }
    }

    /// Host functions whose import makes the module impossible to link.
    pub(crate) fn forbidden_imports(self) -> &'static [&'static str] {
        match self {
            Self::Envoy => &[],
            Self::WasmX => &["proxy_get_log_level"],
        }
    }
}
