//! `docs/reference/audit.md` has every event that the sidecar writes, with every field, and every rule of the gate.

use std::collections::BTreeSet;

use taskgate_core::audit::Rule;

use super::place::{Checked, files, read, repository};

/// The events of audits in a source file, each with its fields.
fn events(source: &str) -> Vec<(String, BTreeSet<String>)> {
    let calls = source.split("tracing::").skip(1).filter_map(|rest| rest.split_once("!(")?.1.split_once(");"));
    let audits = calls.map(|(call, _)| call).filter(|call| call.contains("audit = true"));
    audits
        .map(|call| {
            let event = call.split_once("event = \"").and_then(|(_, rest)| rest.split('"').next()).unwrap_or_default();
            (event.to_owned(), call.lines().flat_map(|line| line.split(", ")).filter_map(field).collect())
        })
        .collect()
}

/// The name of a field, of `name = value` or `name` alone.
fn field(argument: &str) -> Option<String> {
    let argument = argument.trim().trim_end_matches(',').trim_start_matches(['%', '?']);
    let name = argument.split_once(" = ").map_or(argument, |(name, _)| name);
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || b"._".contains(&byte));
    (is_name && !["audit", "event"].contains(&name)).then(|| name.to_owned())
}

#[test]
fn every_event_has_its_row() -> Checked {
    let repository = repository()?;
    let page = read(&repository.join("docs/reference/audit.md"))?;
    let mut count = 0;
    for path in files(&repository.join("sidecar/src"), ".rs")? {
        for (event, fields) in events(&read(&path)?) {
            let place = path.display();
            assert!(!event.is_empty(), "{place}: an audit line has no `event`");
            let row = page.lines().find(|line| line.starts_with(&format!("| `{event}` |")));
            let row = row.ok_or_else(|| format!("{place}: `{event}` is not in docs/reference/audit.md"))?;
            let missing: Vec<&String> = fields.iter().filter(|name| !row.contains(&format!("`{name}`"))).collect();
            assert!(missing.is_empty(), "{place}: `{event}` has fields that its row lacks: {missing:?}");
            count += 1;
        }
    }
    assert!(count >= 8, "the sidecar writes more than {count} kinds of audit lines");
    Ok(())
}

#[test]
fn every_rule_has_its_row() -> Checked {
    let page = read(&repository()?.join("docs/reference/audit.md"))?;
    for rule in Rule::ALL {
        assert!(page.contains(&format!("| `{}` |", rule.code())), "{} is not in docs/reference/audit.md", rule.code());
    }
    Ok(())
}

#[test]
fn every_field_of_the_access_log_has_its_row() -> Checked {
    let repository = repository()?;
    let page = read(&repository.join("docs/reference/audit.md"))?;
    let config = read(&repository.join("envoy-config/static.yaml"))?;
    let (_, log) = config.split_once("json_format:\n").ok_or("no access log in JSON")?;
    let fields: Vec<&str> =
        log.lines().map_while(|line| line.trim().split_once(": \"%")).map(|(name, _)| name).collect();
    assert!(fields.len() > 10, "the access log has fields: {fields:?}");
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    let missing = |name: &&&str| !rows.iter().any(|row| row.contains(&format!("`{name}`")));
    let missing: Vec<_> = fields.iter().filter(missing).collect();
    assert!(missing.is_empty(), "docs/reference/audit.md lacks fields of the access log: {missing:?}");
    Ok(())
}

#[test]
fn fields_are_found_however_they_are_written() {
    let source = "tracing::info!(\n  audit = true,\n  event = \"a-b\",\n  actor.id = x,\n  share.id = %y,\n  name,\n \"made\"\n);";
    let expected = ["actor.id", "name", "share.id"].map(ToOwned::to_owned);
    assert_eq!(events(source), [("a-b".to_owned(), BTreeSet::from(expected))]);
}
