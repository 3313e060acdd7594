//! The numbers of the Proxy-Wasm ABI 0.2.1 that the filter uses.
//!
//! The `proxy-wasm` crate has them all, but it also exports every entry point, and those collide with
//! ours when it is linked. So they stand here, and a test compares them with the crate's.

/// What a header callback tells the host to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Action {
    /// Go on.
    Continue = 0,
    /// Wait: for a reply that is on its way, or until the stream is continued.
    Pause = 1,
}

/// Which headers a call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum MapType {
    /// Of the request.
    HttpRequestHeaders = 0,
    /// Of an answer to a request.
    HttpResponseHeaders = 2,
    /// Of the answer to a callout.
    HttpCallResponseHeaders = 6,
}

/// Which bytes a call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum BufferType {
    /// The body of the answer to a callout.
    HttpCallResponseBody = 4,
    /// The configuration of the VM.
    VmConfiguration = 6,
    /// The configuration of the plugin.
    PluginConfiguration = 7,
}

/// Which direction of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum StreamType {
    /// Towards the upstream.
    HttpRequest = 0,
    /// What a client sends on a connection.
    Downstream = 2,
}

/// How loud a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum LogLevel {
    /// Worth knowing.
    Info = 2,
    /// Something is wrong, and the filter copes.
    Warn = 3,
    /// Something is wrong, and requests are refused.
    Error = 4,
}

/// What kind of metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum MetricType {
    /// Only rises.
    Counter = 0,
    /// Rises and falls.
    Gauge = 1,
}

/// What a host function answers. Hosts are free to answer any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Done.
    Ok,
    /// There is none.
    NotFound,
    /// The value has changed since it was read.
    CasMismatch,
    /// Anything else.
    Other(u32),
}

impl Status {
    /// The meaning of a number.
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        match number {
            0 => Self::Ok,
            1 => Self::NotFound,
            8 => Self::CasMismatch,
            other => Self::Other(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use proxy_wasm::types;

    use super::*;

    #[test]
    fn numbers_are_those_of_the_proxy_wasm_crate() {
        let pairs = [
            (Action::Continue as u32, types::Action::Continue as u32),
            (Action::Pause as u32, types::Action::Pause as u32),
            (MapType::HttpRequestHeaders as u32, types::MapType::HttpRequestHeaders as u32),
            (MapType::HttpCallResponseHeaders as u32, types::MapType::HttpCallResponseHeaders as u32),
            (BufferType::HttpCallResponseBody as u32, types::BufferType::HttpCallResponseBody as u32),
            (BufferType::VmConfiguration as u32, types::BufferType::VmConfiguration as u32),
            (BufferType::PluginConfiguration as u32, types::BufferType::PluginConfiguration as u32),
            (StreamType::HttpRequest as u32, types::StreamType::HttpRequest as u32),
            (StreamType::Downstream as u32, types::StreamType::Downstream as u32),
            (LogLevel::Info as u32, types::LogLevel::Info as u32),
            (LogLevel::Warn as u32, types::LogLevel::Warn as u32),
            (LogLevel::Error as u32, types::LogLevel::Error as u32),
            (MetricType::Counter as u32, types::MetricType::Counter as u32),
            (MetricType::Gauge as u32, types::MetricType::Gauge as u32),
        ];
        for (nth, (ours, theirs)) in pairs.iter().enumerate() {
            assert_eq!(ours, theirs, "pair {nth}");
        }
        let statuses = [
            (Status::Ok, types::Status::Ok),
            (Status::NotFound, types::Status::NotFound),
            (Status::CasMismatch, types::Status::CasMismatch),
            (Status::Other(10), types::Status::InternalFailure),
        ];
        for (ours, theirs) in statuses {
            assert_eq!(ours, Status::from_number(theirs as u32));
        }
    }
}
