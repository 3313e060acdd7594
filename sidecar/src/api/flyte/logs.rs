//! Logs as they grow: messages of `TailLogs`.

use buffa_types::google::protobuf::Timestamp;
use connectrpc::ConnectError;
use futures_util::{Stream, StreamExt as _};
use taskgate_idl::proto::flyteidl2::dataproxy::{TailLogsRequest, TailLogsResponse, tail_logs_response::Logs};
use taskgate_idl::proto::flyteidl2::logs::dataplane;

use crate::api::flyte::{names, refusal};
use crate::data::catalog::ActionName;
use crate::data::error::DataError;
use crate::data::service::{LogLine, LogStream};

/// Whose log the client wants, and of which attempt. Which pod, it may say, but there is one log.
pub(super) fn ask(request: TailLogsRequest) -> Result<(ActionName, u32), DataError> {
    Ok((names::required_action(request.action_id.into_option())?, names::attempt(request.attempt)?))
}

/// The lines, as they come.
pub(super) fn messages(lines: LogStream) -> impl Stream<Item = Result<TailLogsResponse, ConnectError>> + Send {
    lines.map(|lines| lines.map(message).map_err(refusal::refused))
}

fn message(lines: Vec<LogLine>) -> TailLogsResponse {
    let logs = Logs { lines: lines.into_iter().map(line).collect(), ..Default::default() };
    TailLogsResponse { logs: vec![logs], ..Default::default() }
}

fn line(line: LogLine) -> dataplane::LogLine {
    let time = line.time.map(|(seconds, nanos)| Timestamp { seconds, nanos, ..Default::default() });
    dataplane::LogLine {
        timestamp: time.into(),
        message: line.message,
        originator: dataplane::LogLineOriginator::USER.into(),
        ..Default::default()
    }
}
