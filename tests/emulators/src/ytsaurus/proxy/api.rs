//! `/api`: who asks, what for, in which formats; then the command.

use std::sync::Arc;
use std::time::Instant;

use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use crate::yson::{Yson, YsonMap};
use crate::ytsaurus::answer::Answer;
use crate::ytsaurus::auth;
use crate::ytsaurus::catalogue::{self, COMMANDS, Command, DataType, WRITE_TABLE};
use crate::ytsaurus::commands::{self, Input, Output, Request};
use crate::ytsaurus::cypress::Upload;
use crate::ytsaurus::encoding::Encoding;
use crate::ytsaurus::error::{ClusterError, codes};
use crate::ytsaurus::formats::{self, Format};
use crate::ytsaurus::parameters::Parameters;
use crate::ytsaurus::query;
use crate::ytsaurus::state::State;

/// The most bytes of one frame of a stream.
const FRAME: usize = 64 * 1024;

/// What the headers of a request say.
struct Prepared {
    headers: Format,
    input: Encoding,
    output: Encoding,
    is_framed: bool,
}

/// A write whose rows are on their way. Given up when they don't come, whatever the reason.
struct Pending<'a> {
    state: &'a State,
    upload: Option<Upload>,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if let Some(upload) = self.upload.take() {
            self.state.cluster().cypress.cancel_write(upload);
        }
    }
}

/// Answers a request for the API.
pub(super) async fn answer(state: &State, call: usize, head: &Parts, body: Incoming) -> Answer {
    let path = head.uri.path();
    if path == "/api" || path == "/api/" {
        return Answer::json(StatusCode::OK, &Yson::list(["v3", "v4"]));
    }
    let Some(name) = path.strip_prefix("/api/v4") else {
        let error = ClusterError::generic(format!("Unsupported API version \"{path}\""));
        return Answer::error(StatusCode::BAD_REQUEST, &error);
    };
    if name.is_empty() || name == "/" {
        let known = COMMANDS.iter().filter(|command| state.has_command(command.name));
        return Answer::json(StatusCode::OK, &Yson::list(known.map(|command| command.to_yson())));
    }
    let name = name.trim_start_matches('/').to_ascii_lowercase();
    if !name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphabetic()) {
        return Answer::error(StatusCode::NOT_FOUND, &ClusterError::generic("Malformed command name"));
    }
    let user = match user(state, head, &name) {
        Ok(user) => user,
        Err(refusal) => return *refusal,
    };
    state.calls().learn(call, |call| call.user = Some(user.clone()));
    let Some(command) = catalogue::find(&name).filter(|command| state.has_command(command.name)) else {
        let error = ClusterError::generic(format!("Command \"{name}\" is not registered"));
        return Answer::error(StatusCode::NOT_FOUND, &error);
    };
    let prepared = match prepare(state, head) {
        Ok(prepared) => prepared,
        Err(refusal) => return *refusal,
    };
    let run = run(state, call, head, body, &prepared, command, &user).await;
    run.unwrap_or_else(|error| Answer::error(StatusCode::BAD_REQUEST, &error))
}

/// Who asks, or the answer to somebody who may not.
fn user(state: &State, head: &Parts, command: &str) -> Result<String, Box<Answer>> {
    let cluster = state.cluster();
    match auth::authenticate(&cluster, &head.method, &head.headers, true) {
        // Where the proxies are is no secret.
        Err(_) if command == "discover_proxies" => Ok("root".to_owned()),
        Err(error) => Err(Box::new(Answer::error(auth::status_of(&error), &error))),
        Ok(identity) if cluster.access.is_banned(&identity.login) => {
            let banned = ClusterError::new(codes::USER_BANNED, format!("User \"{}\" is banned", identity.login));
            let error = ClusterError::generic("User validation failed").because(banned);
            Err(Box::new(Answer::error(StatusCode::FORBIDDEN, &error)))
        }
        Ok(identity) => Ok(identity.login),
    }
}

fn prepare(state: &State, head: &Parts) -> Result<Prepared, Box<Answer>> {
    let unsupported = |what: &str| {
        let error = ClusterError::generic(what);
        Box::new(Answer::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, &error))
    };
    let headers =
        Format::of_headers(&head.headers).map_err(|error| Box::new(Answer::error(StatusCode::BAD_REQUEST, &error)))?;
    Ok(Prepared {
        headers,
        input: Encoding::of_request(&head.headers).ok_or_else(|| unsupported("Unsupported Content-Encoding"))?,
        output: Encoding::of_answer(&head.headers)
            .ok_or_else(|| unsupported("Could not determine feasible Content-Encoding"))?,
        is_framed: head.headers.contains_key("x-yt-accept-framing") && state.cluster().switches.is_framing_enabled,
    })
}

async fn run(
    state: &State,
    call: usize,
    head: &Parts,
    body: Incoming,
    prepared: &Prepared,
    command: &Command,
    user: &str,
) -> Result<Answer, ClusterError> {
    let input = Format::of_body(&head.headers, &prepared.headers, formats::INPUT, command.input)?;
    let mut parameters = from_head(head, prepared, command, &input)?;
    let learn = |parameters: &Parameters| {
        let parameters = parameters.clone();
        state.calls().learn(call, |call| call.parameters = parameters);
    };
    let output = if command.name == WRITE_TABLE {
        learn(&parameters);
        write(state, body, prepared, user, &parameters).await?
    } else {
        let bytes = read(body).await?;
        let is_input = command.input != DataType::Null;
        if !is_input && head.method == Method::POST && !bytes.is_empty() {
            from_body(&mut parameters, &bytes, prepared, &input)?;
        }
        learn(&parameters);
        if state.cluster().switches.hang(&parameters) {
            state.stop().cancelled().await;
        }
        let bytes = decode(bytes, prepared.input)?;
        let input = if is_input { Input::Bytes(&bytes) } else { Input::None };
        let request = Request { user, parameters: &parameters, input, now: Instant::now() };
        commands::run(state, command, &request)?
    };
    send(prepared, &commands::output_format(&parameters)?, output)
}

/// Locks the table, then reads the rows, then writes them: who uploads slowly keeps others out.
async fn write(
    state: &State,
    body: Incoming,
    prepared: &Prepared,
    user: &str,
    parameters: &Parameters,
) -> Result<Output, ClusterError> {
    let request = |input| Request { user, parameters, input, now: Instant::now() };
    let mut pending = Pending { state, upload: Some(commands::begin_write(state, &request(Input::None))?) };
    let bytes = decode(read(body).await?, prepared.input)?;
    match pending.upload.take() {
        Some(upload) => commands::end_write(state, &request(Input::Bytes(&bytes)), upload),
        None => Err(ClusterError::generic("the write has ended")),
    }
}

/// Parameters from the formats of headers, the query string and headers; later ones win.
fn from_head(head: &Parts, prepared: &Prepared, command: &Command, input: &Format) -> Result<Parameters, ClusterError> {
    let output = Format::of_body(&head.headers, &prepared.headers, formats::OUTPUT, command.output)?;
    let mut parameters = Parameters::new(
        [("input_format", input.to_yson()), ("output_format", output.to_yson())]
            .into_iter()
            .map(|(name, format)| (name.into(), format))
            .collect(),
    );
    parameters.patch(query::parameters(head.uri.query().unwrap_or_default())?);
    let unreadable =
        |error: ClusterError| ClusterError::generic("Unable to parse parameters from headers").because(error);
    if let Some(header) = formats::gather(&head.headers, "x-yt-parameters").map_err(unreadable)? {
        parameters.patch(map(prepared.headers.read(&header).map_err(unreadable)?).map_err(unreadable)?);
    }
    Ok(parameters)
}

/// Parameters from a body are in the format of headers; a parameter that names another comes too late.
fn from_body(
    parameters: &mut Parameters,
    bytes: &[u8],
    prepared: &Prepared,
    format: &Format,
) -> Result<(), ClusterError> {
    if prepared.input != Encoding::Identity {
        return Err(ClusterError::generic("Content-Encoding not supported in POST body"));
    }
    parameters.patch(map(format.read(bytes)?)?);
    Ok(())
}

fn map(value: Yson) -> Result<YsonMap, ClusterError> {
    match value.node {
        crate::yson::Node::Map(fields) => Ok(Arc::unwrap_or_clone(fields)),
        _ => Err(ClusterError::generic("Parameters must be a map")),
    }
}

async fn read(body: Incoming) -> Result<Vec<u8>, ClusterError> {
    let collected = body.collect().await;
    let collected = collected.map_err(|error| ClusterError::new(codes::TRANSPORT, error.to_string()))?;
    Ok(collected.to_bytes().to_vec())
}

fn decode(bytes: Vec<u8>, encoding: Encoding) -> Result<Vec<u8>, ClusterError> {
    encoding.decode(bytes).map_err(|error| ClusterError::generic(format!("Error decompressing body: {error}")))
}

fn send(prepared: &Prepared, format: &Format, output: Output) -> Result<Answer, ClusterError> {
    let (body, parameters) = match output {
        Output::Value(value) => (format.write(&value)?, None),
        Output::Rows { rows, parameters } => (format.write_rows(&rows)?, Some(prepared.headers.write(&parameters)?)),
    };
    let body = if prepared.is_framed { framed(&body) } else { body };
    let mut answer = Answer::new(StatusCode::OK, format.mime(), prepared.output.encode(body));
    answer.headers.insert(header::CONTENT_ENCODING, prepared.output.name());
    if prepared.is_framed {
        answer.headers.insert("x-yt-framing", HeaderValue::from_static("1"));
    }
    if let Some(value) = parameters.and_then(|value| HeaderValue::from_bytes(&value).ok()) {
        answer.headers.insert("x-yt-response-parameters", value);
    }
    Ok(answer)
}

/// Data in frames, after one that only keeps the connection alive.
fn framed(body: &[u8]) -> Vec<u8> {
    let mut out = vec![0x02];
    for chunk in body.chunks(FRAME) {
        out.push(0x01);
        out.extend_from_slice(&u32::try_from(chunk.len()).unwrap_or(0).to_le_bytes());
        out.extend_from_slice(chunk);
    }
    out
}
