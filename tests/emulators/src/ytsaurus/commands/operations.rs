//! Operations and their jobs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Output, Request};
use crate::yson::{Yson, YsonFormat, YsonMap};
use crate::ytsaurus::cluster::Cluster;
use crate::ytsaurus::error::{ClusterError, codes};
use crate::ytsaurus::guid::Guid;
use crate::ytsaurus::jobs::StoredJob;
use crate::ytsaurus::operations::{Direction, Listing, Query, StoredOperation};
use crate::ytsaurus::state::State;

/// The most operations of one listing.
const MAX_LIMIT: u64 = 1000;

/// What an operation can be asked for.
const OPERATION_ATTRIBUTES: [&str; 27] = [
    "id",
    "state",
    "authenticated_user",
    "type",
    "operation_type",
    "progress",
    "spec",
    "provided_spec",
    "experiment_assignments",
    "experiment_assignment_names",
    "full_spec",
    "unrecognized_spec",
    "brief_progress",
    "brief_spec",
    "runtime_parameters",
    "start_time",
    "finish_time",
    "result",
    "events",
    "memory_usage",
    "suspended",
    "slot_index_per_pool_tree",
    "alerts",
    "task_names",
    "controller_features",
    "alert_events",
    "has_failed_jobs",
];

/// What listings have of an operation unless they are asked for something else.
const LISTED_ATTRIBUTES: [&str; 12] = [
    "authenticated_user",
    "brief_progress",
    "brief_spec",
    "finish_time",
    "has_failed_jobs",
    "id",
    "operation_type",
    "runtime_parameters",
    "start_time",
    "state",
    "suspended",
    "type",
];

pub(in crate::ytsaurus) fn list(state: &State, request: &Request<'_>) -> Result<Output, ClusterError> {
    let parameters = request.parameters;
    let cluster = state.cluster();
    cluster.access.permit(request.user, "read", "//sys/operations")?;
    if parameters.flag("enable_ui_mode", false)? {
        return Err(ClusterError::generic("\"enable_ui_mode\" is not emulated"));
    }
    let limit = parameters.number("limit")?.unwrap_or(100);
    if limit > MAX_LIMIT {
        return Err(ClusterError::generic(format!(
            "Requested result limit ({limit}) exceeds maximum allowed limit ({MAX_LIMIT})"
        )));
    }
    let (from_micros, to_micros) = (parameters.moment("from_time")?, parameters.moment("to_time")?);
    if parameters.flag("include_archive", false)? {
        for (name, moment) in [("from_time", from_micros), ("to_time", to_micros)] {
            moment.ok_or_else(|| ClusterError::generic(format!("Missing required parameter \"{name}\"")))?;
        }
    }
    let query = Query {
        state: parameters.text("state")?,
        kind: parameters.text("type")?,
        user: parameters.text("user")?,
        pool: parameters.text("pool")?,
        filter: parameters.text("filter")?.map(|filter| filter.to_ascii_lowercase().into_bytes()),
        from_micros,
        to_micros,
        cursor_micros: parameters.moment("cursor_time")?,
        is_cursor_inclusive: cluster.switches.is_cursor_inclusive,
        direction: match parameters.text("cursor_direction")? {
            None | Some("past") => Direction::Past,
            Some("future") => Direction::Future,
            Some(other) => return Err(ClusterError::generic(format!("Error parsing direction \"{other}\""))),
        },
        limit: usize::try_from(limit).unwrap_or(usize::MAX),
        attributes: attributes(parameters.texts("attributes")?)?,
        with_counters: parameters.flag("include_counters", true)?,
    };
    let access = parameters.find("access");
    let listing = cluster.operations.list(&query, |operation| may_see(&cluster, access, operation));
    drop(cluster);
    Ok(Output::Value(answer(listing)))
}

fn answer(listing: Listing) -> Yson {
    let mut fields = YsonMap::from([
        (b"operations".to_vec(), listing.operations.into()),
        (b"incomplete".to_vec(), listing.is_incomplete.into()),
    ]);
    fields.extend(listing.counters.into_iter().map(|(name, counts)| (name.into(), counts)));
    fields.into()
}

/// What is asked for, with what is always there.
fn attributes(asked: Option<Vec<&str>>) -> Result<Vec<&str>, ClusterError> {
    let Some(mut asked) = asked else { return Ok(LISTED_ATTRIBUTES.to_vec()) };
    check_attributes(&asked)?;
    asked.extend(["id", "start_time"]);
    Ok(asked)
}

fn check_attributes(asked: &[&str]) -> Result<(), ClusterError> {
    match asked.iter().find(|name| !OPERATION_ATTRIBUTES.contains(name)) {
        None => Ok(()),
        Some(unknown) => Err(ClusterError::new(
            codes::NO_SUCH_ATTRIBUTE,
            format!("Operation attribute \"{unknown}\" is not supported"),
        )
        .with("attribute_name", *unknown)),
    }
}

fn may_see(cluster: &Cluster, access: Option<&Yson>, operation: &StoredOperation) -> bool {
    let Some(access) = access else { return true };
    let subject = access.field("subject").and_then(Yson::as_str).unwrap_or_default();
    let permissions = access.field("permissions").and_then(Yson::as_list).unwrap_or_default();
    let acl = operation.acl();
    let mut permissions = permissions.iter().filter_map(Yson::as_str);
    permissions.all(|permission| cluster.access.check(&acl, subject, permission).is_allowed)
}

pub(in crate::ytsaurus) fn get(state: &State, request: &Request<'_>) -> Result<Output, ClusterError> {
    let wanted = request.parameters.texts("attributes")?;
    check_attributes(wanted.as_deref().unwrap_or_default())?;
    let cluster = state.cluster();
    let operation = named(&cluster, request)?;
    let is_wanted = |name: &[u8]| wanted.as_ref().is_none_or(|wanted| wanted.iter().any(|one| one.as_bytes() == name));
    let fields = operation.fields.iter().filter(|(name, _)| is_wanted(name));
    let fields: YsonMap = fields.map(|(name, value)| (name.clone(), value.clone())).collect();
    Ok(Output::Value(fields.into()))
}

/// The operation that is named by id or alias.
pub(super) fn named<'a>(cluster: &'a Cluster, request: &Request<'_>) -> Result<&'a StoredOperation, ClusterError> {
    if let Some(alias) = request.parameters.text("operation_alias")? {
        let unknown = || ClusterError::generic("Operation alias is unknown").with("alias", alias);
        return cluster.operations.find_alias(alias).ok_or_else(unknown);
    }
    request.parameters.required("operation_id")?;
    let id = request.parameters.guid("operation_id")?.unwrap_or(Guid::NULL);
    let unknown = || ClusterError::new(codes::NO_SUCH_OPERATION, format!("No such operation {id}"));
    cluster.operations.find(id).ok_or_else(unknown)
}

pub(in crate::ytsaurus) fn list_jobs(state: &State, request: &Request<'_>) -> Result<Output, ClusterError> {
    let parameters = request.parameters;
    let either = |name: &str, alias: &str| Ok(parameters.text(name)?.or(parameters.text(alias)?));
    let (wanted_state, kind) = (either("state", "job_state")?, either("type", "job_type")?);
    let (task, address) = (parameters.text("task_name")?, parameters.text("address")?);
    let number = |name: &str, default| -> Result<usize, ClusterError> {
        Ok(usize::try_from(parameters.number(name)?.unwrap_or(default)).unwrap_or(usize::MAX))
    };
    let offset = match parameters.text("continuation_token")? {
        Some(token) => from_token(token)?,
        None => number("offset", 0)?,
    };
    let limit = number("limit", 1000)?;
    let fields = parameters.texts("attributes")?;
    let cluster = state.cluster();
    let operation = named(&cluster, request).map_err(|error| {
        let id = parameters.text("operation_id").ok().flatten().unwrap_or_default();
        ClusterError::generic(format!("Error listing jobs of operation {id}")).because(error)
    })?;
    let matches = |job: &&StoredJob| {
        wanted_state.is_none_or(|state| state == job.state)
            && kind.is_none_or(|kind| kind == "vanilla")
            && task.is_none_or(|task| task == job.task)
            && address.is_none_or(|address| address == job.address)
    };
    let mut total = 0_i64;
    let mut states = std::collections::BTreeMap::<&str, i64>::new();
    let all = cluster.jobs.of(operation.id).inspect(|job| {
        total += 1;
        *states.entry(&job.state).or_default() += 1;
    });
    let found: Vec<&StoredJob> = all.filter(matches).collect();
    let page = found.iter().skip(offset).take(limit).map(|job| shown(job, fields.as_deref()));
    let page: Vec<Yson> = page.collect();
    let after = offset.saturating_add(page.len());
    let mut answer = Yson::map([
        ("jobs", Yson::from(page)),
        ("cypress_job_count", Yson::entity()),
        ("scheduler_job_count", total.into()),
        ("controller_agent_job_count", total.into()),
        ("archive_job_count", Yson::entity()),
        ("type_counts", Yson::map((total > 0).then_some(("vanilla", total)))),
        ("state_counts", Yson::map(states)),
        ("errors", cluster.jobs.errors(operation.id).into()),
    ]);
    if after < found.len()
        && let Some(fields) = answer.as_map_mut()
    {
        fields.insert(b"continuation_token".to_vec(), to_token(after).into());
    }
    Ok(Output::Value(answer))
}

fn shown(job: &StoredJob, wanted: Option<&[&str]>) -> Yson {
    let Some(wanted) = wanted else { return job.fields.clone().into() };
    let is_wanted = |name: &[u8]| name == b"id" || wanted.iter().any(|one| one.as_bytes() == name);
    let fields = job.fields.iter().filter(|(name, _)| is_wanted(name));
    fields.map(|(name, value)| (name.clone(), value.clone())).collect::<YsonMap>().into()
}

fn to_token(offset: usize) -> String {
    let offset = i64::try_from(offset).unwrap_or(i64::MAX);
    STANDARD.encode(Yson::map([("offset", offset), ("version", 0)]).to_bytes(YsonFormat::Text))
}

fn from_token(token: &str) -> Result<usize, ClusterError> {
    let decoded = STANDARD.decode(token).ok().and_then(|bytes| Yson::parse(bytes).ok());
    let offset = decoded.as_ref().and_then(|token| token.field("offset")).and_then(Yson::as_i64);
    let offset = offset.and_then(|offset| usize::try_from(offset).ok());
    offset.ok_or_else(|| ClusterError::generic("Error parsing continuation token"))
}
