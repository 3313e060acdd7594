//! The filter as a file: its size, what it asks of a host, what it offers, and what it must not tell.

use std::collections::BTreeSet;
use std::path::PathBuf;

use taskgate_test_host::Outcome;
use wasmparser::{Parser, Payload};

/// The budget, in bytes.
const MAX_SIZE: usize = 265_000;

/// Where a build of the filter is: what the variable says, else where `make` puts it.
pub(crate) fn path(variable: &str, name: &str) -> PathBuf {
    std::env::var_os(variable)
        .filter(|value| !value.is_empty())
        .map_or_else(|| workspace().join("target/wasm").join(name), PathBuf::from)
}

fn workspace() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn filter() -> Result<Vec<u8>, String> {
    let path = path("TASKGATE_FILTER", "taskgate_filter.wasm");
    std::fs::read(&path).map_err(|error| format!("{}: {error}; run `make filter`", path.display()))
}

/// What the module imports and exports, a line each.
fn interface(bytes: &[u8]) -> Result<(BTreeSet<String>, BTreeSet<String>), String> {
    let (mut imports, mut exports) = (BTreeSet::new(), BTreeSet::new());
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(|error| error.to_string())? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.map_err(|error| error.to_string())?;
                    imports.insert(format!("{}.{}", import.module, import.name));
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export.map_err(|error| error.to_string())?;
                    exports.insert(format!("{} {:?}", export.name, export.kind).to_lowercase());
                }
            }
            _ => {}
        }
    }
    Ok((imports, exports))
}

fn assert_same(file: &str, checked_in: &str, actual: &BTreeSet<String>) {
    let expected: BTreeSet<String> = checked_in.lines().map(str::to_owned).collect();
    let added: Vec<&String> = actual.difference(&expected).collect();
    let gone: Vec<&String> = expected.difference(actual).collect();
    let text: String = actual.iter().map(|line| format!("{line}\n")).collect();
    assert!(
        added.is_empty() && gone.is_empty(),
        "the filter's interface has changed: new {added:?}, gone {gone:?}.\n\
         Every host must offer what it imports (NGINX offers less than Envoy), and every export costs each \
         request. If that is meant, make tests/suite/tests/artefact/{file}:\n{text}"
    );
}

#[test]
fn is_within_its_budget() {
    let size = filter().expect("the filter is built").len();
    assert!(size <= MAX_SIZE, "{size} bytes are over the budget of {MAX_SIZE}");
    assert!(size > 10_000, "{size} bytes are no filter");
}

#[test]
fn imports_and_exports_are_those_checked_in() {
    let (imports, exports) = interface(&filter().expect("the filter is built")).expect("a module");
    assert_same("imports.txt", include_str!("artefact/imports.txt"), &imports);
    // Those about connections without headers, beside those that all hosts call.
    let checked_in = [include_str!("artefact/exports.txt"), include_str!("artefact/exports-envoy.txt")].concat();
    assert_same("exports-envoy.txt", &checked_in, &exports);
}

#[test]
fn the_build_for_wasmx_has_what_it_calls_and_nothing_else_more() {
    let path = path("TASKGATE_WASMX_FILTER", "taskgate_filter_wasmx.wasm");
    let bytes = std::fs::read(path).expect("`make wasmx-filter`");
    assert!(bytes.len() <= MAX_SIZE, "{} bytes are over the budget of {MAX_SIZE}", bytes.len());
    let (imports, exports) = interface(&bytes).expect("a module");
    assert_same("imports.txt", include_str!("artefact/imports.txt"), &imports);
    let checked_in = [include_str!("artefact/exports.txt"), include_str!("artefact/exports-wasmx.txt")].concat();
    assert_same("exports-wasmx.txt", &checked_in, &exports);
}

#[test]
fn imports_nothing_but_the_proxys_functions() {
    let (imports, _) = interface(&filter().expect("the filter is built")).expect("a module");
    for import in imports {
        assert!(import.starts_with("env.proxy_"), "{import}: no host has it without WASI");
    }
}

#[test]
fn tells_nothing_of_the_machine_that_built_it() {
    let bytes = filter().expect("the filter is built");
    let text = String::from_utf8_lossy(&bytes);
    let home = std::env::home_dir().map(|home| home.to_string_lossy().into_owned());
    let workspace = std::fs::canonicalize(workspace()).expect("the workspace");
    let workspace = workspace.to_string_lossy().into_owned();
    let marks = ["/root/", "/home/", "/Users/", ".cargo/registry", ".rustup/"].map(str::to_owned);
    for mark in marks.into_iter().chain(home.filter(|home| home.len() > 1)).chain([workspace]) {
        let at = text.find(&mark);
        let around = at.map(|at| text.chars().skip(text[..at].chars().count()).take(100).collect::<String>());
        assert_eq!(around, None, "`{mark}` is in the filter");
    }
}

#[test]
fn has_no_debug_information() {
    let bytes = filter().expect("the filter is built");
    for payload in Parser::new(0).parse_all(&bytes) {
        if let Payload::CustomSection(section) = payload.expect("a module") {
            assert!(!section.name().starts_with(".debug") && section.name() != "name", "{}", section.name());
        }
    }
}

#[test]
fn can_not_be_made_to_fail() {
    let bytes = filter().expect("the filter is built");
    assert!(!bytes.windows(7).any(|part| part == b"x-fault"));
    // Short strings are compared as numbers and leave no text behind, so the header is tried as well.
    let outcome = |module| {
        let host = crate::filter::stage::host(crate::filter::stage::ENVOY);
        let mut vm = host.vm(&module).expect("links");
        let root = vm.add_plugin(crate::filter::stage::ENVOY).expect("starts");
        let stream = vm.request(root, crate::filter::stage::get("open").header("x-fault", "trap"));
        vm.outcome(stream)
    };
    assert!(matches!(outcome(crate::filter::stage::filter()), Outcome::Replied(_)));
    assert!(outcome(crate::filter::stage::fault_filter()).is_trapped(), "the test build can");
}
