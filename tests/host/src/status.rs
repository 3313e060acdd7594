//! Numbers of the ABI that tests name: statuses, host functions and log levels.
//!
//! Why: faults and call counts are keyed by function, and a typed name cannot be misspelt.
//! Never holds behaviour; the functions themselves are in `abi`.

/// What a host function answers, as numbered by the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the ABI's own")]
#[repr(u32)]
pub enum Status {
    Ok = 0,
    NotFound = 1,
    BadArgument = 2,
    SerializationFailure = 3,
    ParseFailure = 4,
    BadExpression = 5,
    InvalidMemoryAccess = 6,
    Empty = 7,
    CasMismatch = 8,
    ResultMismatch = 9,
    InternalFailure = 10,
    BrokenConnection = 11,
    Unimplemented = 12,
}

/// How serious a captured log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are the ABI's own")]
#[repr(u32)]
pub enum LogLevel {
    Trace = 0,
    Debug = 1,
    Info = 2,
    Warn = 3,
    Error = 4,
    Critical = 5,
}

impl LogLevel {
    pub(crate) fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Trace,
            1 => Self::Debug,
            2 => Self::Info,
            3 => Self::Warn,
            4 => Self::Error,
            5 => Self::Critical,
            _ => return None,
        })
    }
}

macro_rules! host_functions {
    ($($variant:ident = $name:literal),* $(,)?) => {
        /// A function of the host that a filter can import from `env`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum HostFunction {
            $(#[doc = concat!("`", $name, "`.")] $variant),*
        }

        impl HostFunction {
            /// Every host function, in alphabetical order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name under which a module imports it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),*
                }
            }
        }
    };
}

host_functions! {
    AddHeaderMapValue = "proxy_add_header_map_value",
    CallForeignFunction = "proxy_call_foreign_function",
    CloseStream = "proxy_close_stream",
    ContinueStream = "proxy_continue_stream",
    DefineMetric = "proxy_define_metric",
    DequeueSharedQueue = "proxy_dequeue_shared_queue",
    Done = "proxy_done",
    EnqueueSharedQueue = "proxy_enqueue_shared_queue",
    GetBufferBytes = "proxy_get_buffer_bytes",
    GetBufferStatus = "proxy_get_buffer_status",
    GetCurrentTime = "proxy_get_current_time_nanoseconds",
    GetHeaderMapPairs = "proxy_get_header_map_pairs",
    GetHeaderMapSize = "proxy_get_header_map_size",
    GetHeaderMapValue = "proxy_get_header_map_value",
    GetLogLevel = "proxy_get_log_level",
    GetMetric = "proxy_get_metric",
    GetProperty = "proxy_get_property",
    GetSharedData = "proxy_get_shared_data",
    GetStatus = "proxy_get_status",
    HttpCall = "proxy_http_call",
    IncrementMetric = "proxy_increment_metric",
    Log = "proxy_log",
    RecordMetric = "proxy_record_metric",
    RegisterSharedQueue = "proxy_register_shared_queue",
    RemoveHeaderMapValue = "proxy_remove_header_map_value",
    ReplaceHeaderMapValue = "proxy_replace_header_map_value",
    ResolveSharedQueue = "proxy_resolve_shared_queue",
    SendLocalResponse = "proxy_send_local_response",
    SetBufferBytes = "proxy_set_buffer_bytes",
    SetEffectiveContext = "proxy_set_effective_context",
    SetHeaderMapPairs = "proxy_set_header_map_pairs",
    SetProperty = "proxy_set_property",
    SetSharedData = "proxy_set_shared_data",
    SetTickPeriod = "proxy_set_tick_period_milliseconds",
}
