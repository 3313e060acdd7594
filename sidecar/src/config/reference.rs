//! The reference pages of the configuration, made from the configuration's own types.

use std::fmt::Write as _;

use schemars::schema_for;
use serde_json::{Map, Value};

use crate::config::Config;

/// A complete configuration, with comments.
pub const EXAMPLE: &str = include_str!("example.yaml");

/// The JSON schema of the configuration.
#[must_use]
pub fn schema() -> String {
    let mut text = format!("{:#}", root());
    text.push('\n');
    text
}

/// The reference of every key, in Markdown.
#[must_use]
pub fn markdown() -> String {
    let root = &root();
    let mut text = String::from(
        "# Configuration\n\n\
         Every key of `taskgate.yaml`. Made by `taskgate config reference`; do not edit.\n\n\
         A list's entries are written `[]`. Where a key `x` has a sibling `x_file`, set one of the two. Relative \
         paths are relative to the configuration file. Unknown keys are errors. A changed file is taken at once, \
         and on SIGHUP; one with an error never replaces what runs. `internal.listen`, `operations.listen`, \
         `public.listen`, `logs.format`, `verdicts.cache_entries`, `shutdown.grace_secs`, `discovery.startup_secs`, `tasks`, \
         `access`, `sessions.plain_http` \
         and `state.directory` need a restart.\n",
    );
    for (name, section) in properties(root) {
        let _ = write!(text, "\n## `{name}`\n\n{}\n\n", description(root, section));
        text.push_str("| key | type | default | meaning |\n|---|---|---|---|\n");
        let mut rows = Vec::new();
        collect(root, name, section, &mut rows);
        for row in rows {
            let _ = writeln!(text, "| `{}` | {} | {} | {} |", row.key, row.kind, row.default, row.meaning);
        }
    }
    text
}

/// The schema with its keys in order, which is not a matter of what else is built.
fn root() -> Value {
    sorted(schema_for!(Config).to_value())
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Array(values) => values.into_iter().map(sorted).collect(),
        Value::Object(object) => {
            let mut fields: Vec<(String, Value)> = object.into_iter().collect();
            fields.sort_by(|left, right| left.0.cmp(&right.0));
            fields.into_iter().map(|(name, value)| (name, sorted(value))).collect::<Map<_, _>>().into()
        }
        other => other,
    }
}

/// One key.
struct Row {
    key: String,
    kind: String,
    default: String,
    meaning: String,
}

fn collect(root: &Value, path: &str, schema: &Value, rows: &mut Vec<Row>) {
    let target = resolve(root, schema);
    if let Some(items) = target.get("items").filter(|items| is_object(root, items)) {
        collect(root, &format!("{path}[]"), items, rows);
        return;
    }
    let required: Vec<&str> =
        target.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, property) in properties(target) {
        let key = format!("{path}.{name}");
        if is_object(root, property) || resolve(root, property).get("items").is_some_and(|items| is_object(root, items))
        {
            collect(root, &key, property, rows);
            continue;
        }
        let default = match property.get("default") {
            _ if required.contains(&name.as_str()) => "required".to_owned(),
            None | Some(Value::Null) => "none".to_owned(),
            Some(value) => format!("`{value}`"),
        };
        rows.push(Row { key, kind: kind(root, property), default, meaning: meaning(root, property) });
    }
    for variant in target.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
        for (name, property) in properties(variant) {
            collect(root, &format!("{path}.{name}"), property, rows);
        }
    }
}

/// What a schema stands for: behind a reference, and without the alternative of nothing.
fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return root.get("$defs").and_then(|definitions| definitions.get(name)).map_or(schema, |at| resolve(root, at));
    }
    let alternatives = schema.get("anyOf").and_then(Value::as_array);
    let something = alternatives.and_then(|all| all.iter().find(|one| one.get("type") != Some(&Value::from("null"))));
    something.map_or(schema, |one| resolve(root, one))
}

fn is_object(root: &Value, schema: &Value) -> bool {
    let target = resolve(root, schema);
    let variants = target.get("oneOf").and_then(Value::as_array);
    target.get("properties").is_some()
        || variants.is_some_and(|all| all.iter().any(|one| one.get("properties").is_some()))
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

fn kind(root: &Value, schema: &Value) -> String {
    let target = resolve(root, schema);
    if let Some(items) = target.get("items") {
        return format!("list of {}", kind(root, items));
    }
    let values = values(target);
    if !values.is_empty() {
        return values.iter().map(|(value, _)| format!("`{value}`")).collect::<Vec<_>>().join(", ");
    }
    let name = match target.get("type") {
        Some(Value::String(name)) => name.as_str(),
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or("any")
        }
        _ => "any",
    };
    match name {
        "string" => "text",
        "integer" => "number",
        "boolean" => "true or false",
        other => other,
    }
    .to_owned()
}

/// The values of an enumeration, with what each means.
fn values(schema: &Value) -> Vec<(&str, &str)> {
    let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    let listed = listed.filter_map(Value::as_str).map(|value| (value, ""));
    let described = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    let described = described.filter_map(|one| {
        let meaning = one.get("description").and_then(Value::as_str).unwrap_or_default();
        Some((one.get("const")?.as_str()?, meaning))
    });
    listed.chain(described).collect()
}

fn meaning(root: &Value, schema: &Value) -> String {
    let mut text = description(root, schema);
    for (value, meaning) in values(resolve(root, schema)) {
        if !meaning.is_empty() {
            let _ = write!(text, " `{value}`: {}", meaning.replace('\n', " "));
        }
    }
    text
}

fn description(root: &Value, schema: &Value) -> String {
    let own = schema.get("description").and_then(Value::as_str);
    let text = own.or_else(|| resolve(root, schema).get("description").and_then(Value::as_str));
    text.unwrap_or_default().replace('\n', " ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::load;
    use crate::telemetry::metrics::Metrics;

    fn checked_in(name: &str, made: &str, command: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference").join(name);
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            text == made,
            "docs/reference/{name} is not what the code says; run `{command} > docs/reference/{name}`"
        );
    }

    #[test]
    fn the_checked_in_pages_are_current() {
        let run = |words: &str| format!("cargo run -q -p taskgate -- {words}");
        checked_in("taskgate.schema.json", &schema(), &run("config schema"));
        checked_in("taskgate.example.yaml", EXAMPLE, &run("config example"));
        checked_in("configuration.md", &markdown(), &run("config reference"));
        checked_in("metrics.md", &Metrics::new().markdown(), &run("metrics"));
    }

    #[test]
    fn the_example_is_whole_and_holds() {
        let directory = tempfile::tempdir().expect("a directory");
        let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
        for (name, text) in [
            ("tokens.yaml", "[]"),
            ("yt-token", "robot"),
            ("otlp-headers", "x-key: v"),
            ("k1.key", key),
            ("k2.key", key),
        ]
        .into_iter()
        .chain(
            [
                "arvados-token",
                "s3-secret",
                "gcs-key.json",
                "azure-key",
                "catalog-token",
                "client-secret",
                "determined-password",
            ]
            .map(|name| (name, "c2VjcmV0")),
        ) {
            std::fs::write(directory.path().join(name), text).expect("writes");
        }
        load::read(EXAMPLE, directory.path()).expect("the example holds");
        let reference = markdown();
        for line in reference.lines().filter_map(|line| line.strip_prefix("| `")) {
            let key = line.split('`').next().unwrap_or_default();
            let leaf = key.rsplit('.').next().unwrap_or_default();
            // A secret that is written down is a bad example.
            let is_pair = reference.contains(&format!("`{key}_file`"));
            assert!(is_pair || EXAMPLE.contains(&format!("{leaf}:")), "the example lacks `{key}`");
        }
    }

    #[test]
    fn the_reference_reaches_into_lists_and_variants() {
        let reference = markdown();
        for key in ["verdicts.sources[].jwt.issuer", "providers[].file.path", "keys[].secret_file", "logs.format"] {
            assert!(reference.contains(&format!("| `{key}` |")), "{key} is not in\n{reference}");
        }
        assert!(reference.contains("| `verdicts.deadline_ms` | number | `700` |"), "{reference}");
        assert!(reference.contains("| `verdicts.sources[].jwt.issuer` | text | required |"), "{reference}");
    }
}
