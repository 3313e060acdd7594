//! Inputs of runs: messages of `UploadInputs`.

use buffa::{DecodeError, MessageView as _};
use bytes::Bytes;
use connectrpc::{Limits, ServiceRequest};
use taskgate_idl::proto::flyteidl2::common::OffloadedInputData;
use taskgate_idl::proto::flyteidl2::dataproxy::upload_inputs_request::{IdView as Id, TaskView as Named};
use taskgate_idl::proto::flyteidl2::dataproxy::{UploadInputsRequest, UploadInputsResponse};
use taskgate_idl::proto::flyteidl2::task::Inputs as InputsMessage;
use taskgate_idl::wire;

use crate::api::flyte::{key, names};
use crate::data::error::DataError;
use crate::data::service::{Caller, DataService, Inputs, InputsAsk, TaskOf};

/// The number of the field `inputs` in the request.
const INPUTS: u32 = 6;
/// The most inputs that a task may name as not counting for its key.
const MAX_IGNORED: usize = 10_000;
/// Inputs of more bytes are hashed on a thread of their own.
const LARGE: usize = 256 << 10;

/// Has the inputs of a request kept, under their key.
///
/// What is kept are the bytes that were sent: an SDK that is newer than these messages loses nothing.
pub(super) async fn keep(
    service: &DataService,
    limits: Limits,
    caller: &Caller,
    request: ServiceRequest<'_, UploadInputsRequest>,
) -> Result<Inputs, DataError> {
    let malformed = || DataError::Invalid("inputs: not a message".to_owned());
    let bytes = wire::field(request.bytes(), INPUTS).ok_or_else(malformed)?;
    let head = Head::of(request)?;
    // Whoever may not write there has nothing computed.
    let (organization, project, domain) = &head.place;
    service.admit_inputs(caller, organization, project, domain).await?;
    let ignored = match &head.task {
        Task::Described(ignored) => ignored.clone(),
        Task::Named(task) => service.ignored_inputs(caller, task).await?,
    };
    let hash = hash(bytes.clone(), ignored, limits).await?;
    let (organization, project, domain) = head.place;
    let ask = InputsAsk { organization, project, domain, base_dir: head.base_dir, hash, bytes };
    service.upload_inputs(caller, ask).await
}

/// The answer.
pub(super) fn reference(inputs: Inputs) -> UploadInputsResponse {
    let data = OffloadedInputData { uri: inputs.uri, inputs_hash: inputs.hash, ..Default::default() };
    UploadInputsResponse { offloaded_input_data: data.into(), ..Default::default() }
}

/// What a request says besides the inputs.
struct Head {
    /// Organization, project, domain.
    place: (String, String, String),
    task: Task,
    base_dir: String,
}

/// The task that the inputs are for.
enum Task {
    /// Described in the request, with the inputs that do not count.
    Described(Vec<String>),
    Named(TaskOf),
}

async fn hash(bytes: Bytes, ignored: Vec<String>, limits: Limits) -> Result<String, DataError> {
    let is_large = bytes.len() > LARGE;
    let hash = move || {
        let read = limits.decode_options().decode_from_slice::<InputsMessage>(&bytes);
        let inputs = read.map_err(|why| DataError::Invalid(format!("inputs: {why}")))?;
        Ok(key::of(inputs, &ignored))
    };
    if !is_large {
        return hash();
    }
    let done = tokio::task::spawn_blocking(hash).await;
    done.map_err(|_| DataError::Internal("failed to hash inputs".to_owned()))?
}

impl Head {
    fn of(request: ServiceRequest<'_, UploadInputsRequest>) -> Result<Self, DataError> {
        let owned = |org: &str, project: &str, domain: &str| (org.to_owned(), project.to_owned(), domain.to_owned());
        let malformed = |why: DecodeError| DataError::Invalid(format!("task: {why}"));
        let place = match &request.id {
            Some(Id::RunId(run)) => owned(run.org, run.project, run.domain),
            Some(Id::ProjectId(project)) => owned(project.organization, project.name, project.domain),
            None => return Err(DataError::Invalid("id is required".to_owned())),
        };
        let task = match &request.task {
            Some(Named::TaskSpec(spec)) => {
                let ignored = &spec.task_template.metadata.cache_ignore_input_vars;
                if ignored.len() > MAX_IGNORED {
                    let text = format!("task: more than {MAX_IGNORED} inputs are named that do not count");
                    return Err(DataError::Invalid(text));
                }
                Task::Described(ignored.iter().map(|name| (*name).to_owned()).collect())
            }
            Some(Named::TaskId(task)) => {
                Task::Named(TaskOf::Task(names::task(task.to_owned_message().map_err(malformed)?)?))
            }
            Some(Named::TriggerName(trigger)) => {
                Task::Named(TaskOf::Trigger(names::trigger(trigger.to_owned_message().map_err(malformed)?)?))
            }
            None => return Err(DataError::Invalid("task is required".to_owned())),
        };
        Ok(Self { place, task, base_dir: request.base_dir.to_owned() })
    }
}
