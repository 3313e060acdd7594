//! Listings: filters, order, pages.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::cluster::{Asker, Cluster};
use super::error::ApiError;
use super::filters::{self, compare};
use super::parameters::Parameters;
use super::record::{Kind, Record, text};

/// How many items a page has if nothing is asked for.
const DEFAULT_PAGE: usize = 100;

/// A page of records of a kind.
///
/// # Errors
/// A parameter makes no sense.
pub(super) fn list(cluster: &Cluster, asker: &Asker, kind: Kind, parameters: &Parameters) -> Result<Value, ApiError> {
    let filters = filters::parse(kind, parameters.list("filters")?.unwrap_or_default())?;
    let select = parameters.texts("select")?;
    let offset = parameters.number("offset")?.unwrap_or(0);
    let limit = parameters.number("limit")?.unwrap_or(DEFAULT_PAGE);
    let mut found: Vec<&Record> = cluster
        .all(kind)
        // The list of tokens has one's own, whoever asks.
        .filter(|record| kind != Kind::ApiClientAuthorization || text(record, "owner_uuid") == asker.user)
        .filter(|record| asker.rights.level(cluster, kind, record).is_some())
        .filter(|record| filters.iter().all(|filter| filter.matches(cluster, record)))
        .collect();
    let order = order(kind, parameters)?;
    found.sort_by(|left, right| {
        let by = |(field, is_ascending): &(String, bool)| {
            let null = Value::Null;
            let (left, right) = (left.get(field).unwrap_or(&null), right.get(field).unwrap_or(&null));
            let ordering = compare(left, right).unwrap_or(Ordering::Equal);
            if *is_ascending { ordering } else { ordering.reverse() }
        };
        order.iter().map(by).find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal)
    });
    let available = found.len();
    // A page may be shorter than what was asked for, though more is there.
    let page = found.into_iter().skip(offset).take(limit.min(cluster.page));
    let items = page.map(|record| shown(cluster, asker, kind, record, select.as_deref()));
    let items = items.collect::<Result<Vec<_>, _>>()?;
    let mut answer = json!({
        "kind": format!("{}List", kind.name()),
        "etag": "",
        "self_link": "",
        "items": items,
        "offset": offset,
        "limit": limit,
    });
    if parameters.text("count") != Some("none")
        && let Some(answer) = answer.as_object_mut()
    {
        answer.insert("items_available".into(), available.into());
    }
    Ok(answer)
}

/// A record as it is shown: the fields that are asked for, and what always is there.
///
/// # Errors
/// A field that there is not is asked for.
pub(super) fn shown(
    cluster: &Cluster,
    asker: &Asker,
    kind: Kind,
    record: &Record,
    select: Option<&[String]>,
) -> Result<Value, ApiError> {
    let mut out = Record::new();
    let wanted: Vec<&str> = match select {
        Some(select) => select.iter().map(String::as_str).collect(),
        None => kind.fields().to_vec(),
    };
    for field in wanted {
        if !kind.fields().contains(&field) {
            return Err(ApiError::invalid(format!("Invalid attribute(s): {field}")));
        }
        let value = match field {
            "can_write" | "can_manage" if kind.is_computed(field) => {
                let level = asker.rights.level(cluster, kind, record);
                level.is_some_and(|level| level.name() == field || level == super::Level::Manage).into()
            }
            _ => record.get(field).cloned().unwrap_or(Value::Null),
        };
        // What is empty where a name would be is null.
        let is_empty_name = field == "container_uuid" && value.as_str() == Some("");
        out.insert(field.to_owned(), if is_empty_name { Value::Null } else { value });
    }
    out.insert("kind".into(), kind.name().into());
    out.insert("etag".into(), text(record, "modified_at").into());
    Ok(Value::Object(out))
}

fn order(kind: Kind, parameters: &Parameters) -> Result<Vec<(String, bool)>, ApiError> {
    let items = match parameters.texts("order") {
        Ok(items) => items.unwrap_or_default(),
        // One order may come as it is.
        Err(error) => match parameters.text("order") {
            Some(text) => text.split(',').map(|part| part.trim().to_owned()).collect(),
            None => return Err(error),
        },
    };
    let mut order = Vec::new();
    for item in items {
        let (field, direction) = item.split_once(' ').unwrap_or((&item, "asc"));
        if !kind.fields().contains(&field) {
            return Err(ApiError::invalid(format!("Invalid order: {item}")));
        }
        order.push((field.to_owned(), !direction.eq_ignore_ascii_case("desc")));
    }
    if order.is_empty() {
        order.push(("modified_at".into(), false));
    }
    order.push(("uuid".into(), true));
    Ok(order)
}
