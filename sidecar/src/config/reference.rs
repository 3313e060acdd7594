//! The reference pages of the configuration, made from the configuration's own types.

use std::fmt::Write as _;

use schemars::schema_for;
use serde_json::{Map, Value};

use crate::config::Config;
use crate::config::resolve::NEEDS_RESTART;

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
    let restarts = NEEDS_RESTART.map(|(key, _)| format!("`{key}`")).join(", ");
    let mut text = format!(
        "# Configuration\n\n\
         Every key of `taskgate.yaml`. Made by `taskgate config reference`; do not edit.\n\n\
         A list's entries are written `[]`, names of your own `<name>`. Where a key `x` has a sibling `x_file`, set one of the two. Relative \
         paths are relative to the configuration file. Unknown keys are errors. A changed file is taken at once, \
         and on SIGHUP; one with an error never replaces what runs. What follows needs a restart, and the log says \
         so when it changed: {restarts}.\n",
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

/// Where a schema has what is inside a list or a map, and how a key of that is written.
const CONTAINERS: [(&str, &str); 2] = [("items", "[]"), ("additionalProperties", ".<name>")];

/// One key.
struct Row {
    key: String,
    kind: String,
    default: String,
    meaning: String,
}

fn collect(root: &Value, path: &str, schema: &Value, rows: &mut Vec<Row>) {
    let target = resolve(root, schema);
    for (part, suffix) in CONTAINERS {
        if let Some(inside) = target.get(part).filter(|inside| has_keys(root, inside)) {
            collect(root, &format!("{path}{suffix}"), inside, rows);
        }
    }
    let required: Vec<&str> =
        target.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, property) in properties(target) {
        describe(root, format!("{path}.{name}"), property, required.contains(&name.as_str()), rows);
    }
    for variant in target.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
        for (name, property) in properties(variant) {
            describe(root, format!("{path}.{name}"), property, false, rows);
        }
    }
}

/// One key, or the keys that are below it.
fn describe(root: &Value, key: String, schema: &Value, is_required: bool, rows: &mut Vec<Row>) {
    if has_keys(root, schema) {
        collect(root, &key, schema, rows);
        return;
    }
    let default = match schema.get("default") {
        _ if is_required => "required".to_owned(),
        None | Some(Value::Null) => "none".to_owned(),
        Some(value) => format!("`{value}`"),
    };
    rows.push(Row { key, kind: kind(root, schema), default, meaning: meaning(root, schema) });
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

/// Whether there are keys in it: of an object, of one of several objects, or of what is in a list or a map.
fn has_keys(root: &Value, schema: &Value) -> bool {
    let target = resolve(root, schema);
    let variants = target.get("oneOf").and_then(Value::as_array);
    target.get("properties").is_some()
        || variants.is_some_and(|all| all.iter().any(|one| one.get("properties").is_some()))
        || CONTAINERS.iter().any(|(part, _)| target.get(part).is_some_and(|inside| has_keys(root, inside)))
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

    /// Every key that has no keys below it, found without what makes the page.
    fn leaves(root: &Value, path: &str, schema: &Value, found: &mut Vec<String>) {
        let target = resolve(root, schema);
        let variants = target.get("oneOf").and_then(Value::as_array).into_iter().flatten();
        let named = [target].into_iter().chain(variants).flat_map(properties);
        let mut below: Vec<(String, &Value)> =
            named.map(|(name, property)| (format!("{path}.{name}"), property)).collect();
        let inside = |part: &str| target.get(part).filter(|inside| inside.is_object());
        below.extend(inside("items").map(|items| (format!("{path}[]"), items)));
        below.extend(inside("additionalProperties").map(|values| (format!("{path}.<name>"), values)));
        if below.is_empty() {
            found.push(path.trim_end_matches("[]").trim_end_matches(".<name>").to_owned());
        }
        for (path, schema) in below {
            leaves(root, &path, schema, found);
        }
    }

    #[test]
    fn the_reference_has_every_key() {
        let (root, reference) = (root(), markdown());
        let mut found = Vec::new();
        for (name, section) in properties(&root) {
            leaves(&root, name, section, &mut found);
        }
        assert!(found.len() > 300, "{found:?}");
        found.retain(|key| !reference.contains(&format!("| `{key}` |")));
        assert!(found.is_empty(), "the reference lacks {found:#?}");
    }

    #[test]
    fn what_needs_a_restart_is_a_key() {
        let reference = markdown();
        for (key, _) in NEEDS_RESTART {
            let is_section = reference.contains(&format!("\n## `{key}`\n"));
            let begins = |end: &str| reference.contains(&format!("| `{key}{end}"));
            assert!(is_section || begins("`") || begins("."), "`{key}` is no key");
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
