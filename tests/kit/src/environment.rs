//! Where the programs under test are: environment variables, and the places where builds leave them.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// The `envoy` program to use instead of the one that `make envoy` installs.
pub const TASKGATE_ENVOY: &str = "TASKGATE_ENVOY";
/// The `taskgate` program to use instead of the one that was built.
pub const TASKGATE_BIN: &str = "TASKGATE_BIN";
/// The compiled filter to use instead of the one that was built.
pub const TASKGATE_FILTER: &str = "TASKGATE_FILTER";

/// The root of the repository.
#[must_use]
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// Where Envoy is.
///
/// # Errors
/// It is not installed.
pub fn envoy() -> anyhow::Result<PathBuf> {
    let installed = target().join("tools/envoy/bin/envoy");
    first(TASKGATE_ENVOY, &[installed], "run `make envoy`")
}

/// Where the sidecar is: of the profile that the caller was built with, if there is one.
///
/// # Errors
/// It is not built.
pub fn sidecar() -> anyhow::Result<PathBuf> {
    let mut profiles = ["release", "debug"];
    let caller = env::current_exe().unwrap_or_default();
    if caller.components().any(|part| part.as_os_str() == "debug") {
        profiles.reverse();
    }
    first(
        TASKGATE_BIN,
        &profiles.map(|profile| target().join(profile).join("taskgate")),
        "run `cargo build -p taskgate`",
    )
}

/// Where the compiled filter is.
///
/// # Errors
/// It is not built.
pub fn filter() -> anyhow::Result<PathBuf> {
    let built = target().join("wasm32-unknown-unknown/filter/taskgate_filter.wasm");
    let how = "run `cargo build -p taskgate-filter --target wasm32-unknown-unknown --profile filter`";
    first(TASKGATE_FILTER, &[built], how)
}

fn target() -> PathBuf {
    let named = env::var_os("CARGO_TARGET_DIR").filter(|name| !name.is_empty());
    repository().join(named.unwrap_or_else(|| OsString::from("target")))
}

fn first(variable: &str, places: &[PathBuf], how: &str) -> anyhow::Result<PathBuf> {
    if let Some(named) = env::var_os(variable).filter(|name| !name.is_empty()) {
        let path = PathBuf::from(named);
        return path.canonicalize().with_context(|| format!("{variable} names {}", path.display()));
    }
    let found = places.iter().find(|path| path.exists()).cloned();
    let Some(found) = found else {
        bail!("not found: {}; {how}, or set {variable}", places.first().cloned().unwrap_or_default().display())
    };
    Ok(found)
}
