//! Which ids the sidecars of a fleet gave, read from the tables that one of them writes.

use serde::Deserialize;
use serde_json::Value;
use taskgate_core::label::Label;
use tokio::time::Instant;

use crate::discovery::inventory::{Claim, ServiceKey};
use crate::ytsaurus::client::Client;
use crate::ytsaurus::client::error::{CallError, code};
use crate::ytsaurus::commands::cypress::Get;
use crate::ytsaurus::settings::TableSettings;

/// What of a row says who has which id. The main table's rows have no kind: each is about an id.
#[derive(Deserialize)]
struct ClaimRow {
    domain: String,
    operation_id: String,
    task_name: String,
    service: String,
    kind: Option<String>,
}

/// What the tables say about ids.
#[derive(Debug, Default)]
pub struct ReadClaims {
    /// The ids.
    pub claims: Vec<Claim>,
    /// The table that is there and can't be read, and why. What it says is not among the ids.
    pub unread: Option<(String, CallError)>,
}

/// The ids that the tables say: the table of names or, where that is not there or can't be read, the main
/// one, which has fewer. Rows that can't be read are left out. Tables that are not there have none.
///
/// # Errors
/// [`CallError`], where it may go right a moment later.
pub async fn read_claims(
    client: &Client,
    settings: &TableSettings,
    deadline: Instant,
) -> Result<ReadClaims, CallError> {
    let mut read = ReadClaims::default();
    for path in [&settings.names_path, &settings.path] {
        match client.read_table(path, deadline).await {
            Ok(rows) => {
                read.claims = rows.values().filter_map(claim).collect();
                break;
            }
            Err(error) if error.has(code::RESOLVE) => {}
            Err(error) if error.is_passing() => return Err(error),
            Err(error) => read.unread = read.unread.or_else(|| Some((path.clone(), error))),
        }
    }
    Ok(read)
}

/// What changes whenever [`read_claims`] may have another answer; none where there is no table.
///
/// # Errors
/// [`CallError`], where it may go right a moment later.
pub async fn revision(
    client: &Client,
    settings: &TableSettings,
    deadline: Instant,
) -> Result<Option<String>, CallError> {
    let mut revisions = String::new();
    for path in [&settings.names_path, &settings.path] {
        // Older clusters know the revision of a node as a whole alone.
        for attribute in ["content_revision", "revision"] {
            match client.read(&Get { path: format!("{path}/@{attribute}") }, deadline).await {
                Ok(answer) => {
                    revisions.push_str(&format!("{path} {};", answer.value));
                    break;
                }
                Err(error) if error.is_passing() => return Err(error),
                Err(_) => {}
            }
        }
    }
    Ok(Some(revisions).filter(|revisions| !revisions.is_empty()))
}

/// The id that a row is about: that of a service, or of an alternative name of one, which others can
/// collide with as well.
fn claim(row: Value) -> Option<Claim> {
    let ClaimRow { domain, operation_id, task_name, service, kind } = serde_json::from_value(row).ok()?;
    if !matches!(kind.as_deref(), None | Some("id" | "alternative")) {
        return None;
    }
    let id = Label::parse(domain.split('.').next()?.as_bytes()).ok()?;
    Some(Claim { key: ServiceKey { operation: operation_id, task: task_name, service }, id })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(row: Value) -> Option<String> {
        claim(row).map(|Claim { key, id }| format!("{} {} {} {id}", key.operation, key.task, key.service))
    }

    #[test]
    fn ids_are_claims_in_either_table() {
        let main = json!({"domain": "2ef4261c.tasks.example.test", "operation_id": "op", "task_name": "t", "service": "s",
            "protocol": "http"});
        assert_eq!(read(main).as_deref(), Some("op t s 2ef4261c"));
        let mut named = json!({"domain": "00112233445566772ef4261c.t.test", "operation_id": "op", "task_name": "t",
            "service": "s", "kind": "id", "id": "00112233445566772ef4261c", "operation_alias": null, "owner": null});
        assert_eq!(read(named.clone()).as_deref(), Some("op t s 00112233445566772ef4261c"));
        named["kind"] = json!("alternative");
        named["service"] = json!("port0");
        assert_eq!(read(named).as_deref(), Some("op t port0 00112233445566772ef4261c"));
    }

    #[test]
    fn other_names_and_malformed_rows_are_none() {
        let rows = [
            json!({"domain": "a-t-s.t.test", "operation_id": "op", "task_name": "t", "service": "s", "kind": "alias", "id": "2ef4261c"}),
            json!({"domain": "2ef4261c.t.test", "operation_id": "op", "task_name": "t", "service": "s", "kind": "of tomorrow"}),
            json!({"domain": null, "operation_id": "op", "task_name": "t", "service": "s"}),
            json!({"domain": "-.t.test", "operation_id": "op", "task_name": "t", "service": "s"}),
            json!({"domain": "2ef4261c.t.test", "operation_id": 7, "task_name": "t", "service": "s"}),
            json!({"domain": "2ef4261c.t.test", "operation_id": "op"}),
            json!("row"),
            json!(null),
        ];
        for row in rows {
            assert_eq!(read(row.clone()), None, "{row}");
        }
    }
}
