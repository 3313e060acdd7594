//! Where the programs under test are: environment variables, and the places where builds leave them.

use std::cmp::Reverse;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// The `envoy` program to use instead of the one that `make envoy` installs.
pub const TASKGATE_ENVOY: &str = "TASKGATE_ENVOY";
/// The oldest supported `envoy` to use instead of the one that `make envoy-oldest` installs.
pub const TASKGATE_ENVOY_OLDEST: &str = "TASKGATE_ENVOY_OLDEST";
/// The same for addresses of jobs over xDS, where still older ones are supported.
pub const TASKGATE_ENVOY_OLDEST_XDS: &str = "TASKGATE_ENVOY_OLDEST_XDS";
/// The `taskgate` program to use instead of the one that was built.
pub const TASKGATE_BIN: &str = "TASKGATE_BIN";
/// The `taskgate-jobs` program to use instead of the one that was built.
pub const TASKGATE_JOBS: &str = "TASKGATE_JOBS";
/// The `libfaketimeMT.so.1` to use instead of the one that `make faketime` installs.
pub const TASKGATE_FAKETIME: &str = "TASKGATE_FAKETIME";
/// The compiled filter to use instead of the one that was built.
pub const TASKGATE_FILTER: &str = "TASKGATE_FILTER";
/// The fault build of the filter to use instead of the one that was built.
pub const TASKGATE_FAULT_FILTER: &str = "TASKGATE_FAULT_FILTER";
/// The directory of programs (`hsds`, `python3`) to use instead of the virtual environment's that
/// `make hsds` installs.
pub const TASKGATE_HSDS: &str = "TASKGATE_HSDS";
/// The directory of programs (`flyte`, `python3`) to use instead of the virtual environment's that
/// `make flyte` installs.
pub const TASKGATE_FLYTE: &str = "TASKGATE_FLYTE";
/// Names the virtual environment with Determined's own client.
pub const TASKGATE_DETERMINED: &str = "TASKGATE_DETERMINED";
/// The directory of PostgreSQL's programs to use instead of the newest that is installed.
pub const TASKGATE_POSTGRES: &str = "TASKGATE_POSTGRES";
/// The `s3s-fs` program to use instead of the one that `make s3s-fs` installs.
pub const TASKGATE_S3S_FS: &str = "TASKGATE_S3S_FS";
/// Azurite's script for `node` to use instead of the one that `make azurite` installs.
pub const TASKGATE_AZURITE: &str = "TASKGATE_AZURITE";
/// The directory of programs (`python3` with `google-cloud-storage`) to use instead of the virtual environment's that
/// `make gcs-client` installs.
pub const TASKGATE_GCS_CLIENT: &str = "TASKGATE_GCS_CLIENT";
/// The directory of programs (`python3` with `kubernetes`) to use instead of the virtual environment's that
/// `make kubernetes-client` installs.
pub const TASKGATE_KUBERNETES_CLIENT: &str = "TASKGATE_KUBERNETES_CLIENT";

/// The directory with tus's clients (`bin/python3` with tuspy, `node_modules/tus-js-client`) to use instead of the one
/// that `make tus` fills.
pub const TASKGATE_TUS: &str = "TASKGATE_TUS";
/// The directory with Ceph's unpacked packages to use instead of the one that `make radosgw` fills.
pub const TASKGATE_RADOSGW: &str = "TASKGATE_RADOSGW";

/// The `nginx` program to use instead of the one that `make nginx` unpacks.
pub const TASKGATE_NGINX: &str = "TASKGATE_NGINX";

/// The directory of programs (`python3` with `oidc-provider-mock`) to use instead of the virtual environment's that
/// `make oidc` installs.
pub const TASKGATE_OIDC: &str = "TASKGATE_OIDC";
/// The `chromium` program to use instead of the one that is installed.
pub const TASKGATE_CHROMIUM: &str = "TASKGATE_CHROMIUM";

/// The directory with Helm and the judges of `deploy/` to use instead of the one that `make helm` fills.
pub const TASKGATE_DEPLOY: &str = "TASKGATE_DEPLOY";
/// The directory with HAProxy's unpacked packages to use instead of the one that `make haproxy` fills.
pub const TASKGATE_HAPROXY: &str = "TASKGATE_HAPROXY";
/// The `caddy` program to use instead of the one that `make caddy` unpacks.
pub const TASKGATE_CADDY: &str = "TASKGATE_CADDY";

/// The directory with OpenSSH's unpacked packages to use instead of the one that `make openssh` fills.
pub const TASKGATE_OPENSSH: &str = "TASKGATE_OPENSSH";

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

/// Where the oldest Envoy is that `envoy-config/static.yaml` and `tcp.yaml` support.
///
/// # Errors
/// It is not installed.
pub fn envoy_oldest() -> anyhow::Result<PathBuf> {
    let installed = target().join("tools/envoy-oldest/bin/envoy");
    first(TASKGATE_ENVOY_OLDEST, &[installed], "run `make envoy-oldest`")
}

/// Where the oldest Envoy is that `envoy-config/xds.yaml` supports.
///
/// # Errors
/// It is not installed.
pub fn envoy_oldest_xds() -> anyhow::Result<PathBuf> {
    let installed = target().join("tools/envoy-oldest-xds/bin/envoy");
    first(TASKGATE_ENVOY_OLDEST_XDS, &[installed], "run `make envoy-oldest`")
}

/// Where the sidecar is. Programs built for release (demo, benchmarks) take the release build where there
/// is one; tests take whichever build is newer, for that is the code that was last worked on.
///
/// # Errors
/// It is not built.
pub fn sidecar() -> anyhow::Result<PathBuf> {
    let caller = env::current_exe().unwrap_or_default();
    let is_release = caller.components().any(|part| part.as_os_str() == "release");
    let mut built = ["release", "debug"].map(|profile| target().join(profile).join("taskgate"));
    if !is_release {
        let changed = |path: &PathBuf| path.metadata().and_then(|file| file.modified()).ok();
        built.sort_by_key(|path| Reverse(changed(path)));
    }
    first(TASKGATE_BIN, &built, "run `cargo build -p taskgate`")
}

/// Where the jobs of tests are, built for tests or for release.
///
/// # Errors
/// They are not built.
pub fn jobs() -> anyhow::Result<PathBuf> {
    let built = ["debug", "release"].map(|profile| target().join(profile).join("taskgate-jobs"));
    first(TASKGATE_JOBS, &built, "run `cargo build -p taskgate-jobs`")
}

/// Where `libfaketime` is, which tells a program another time.
///
/// # Errors
/// It is not installed.
pub fn faketime() -> anyhow::Result<PathBuf> {
    let multiarch = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut places: Vec<PathBuf> =
        multiarch.map(|directory| directory.path().join("faketime/libfaketimeMT.so.1")).collect();
    places.retain(|place| place.exists());
    places.push(PathBuf::from("/usr/lib/faketime/libfaketimeMT.so.1"));
    first(TASKGATE_FAKETIME, &places, "run `make faketime`")
}

/// Where the compiled filter is.
///
/// # Errors
/// It is not built.
pub fn filter() -> anyhow::Result<PathBuf> {
    first(TASKGATE_FILTER, &[target().join("wasm/taskgate_filter.wasm")], "run `make filter`")
}

/// Where the compiled filter is that dies on request: `x-fault: trap`.
///
/// # Errors
/// It is not built.
pub fn fault_filter() -> anyhow::Result<PathBuf> {
    first(TASKGATE_FAULT_FILTER, &[target().join("wasm/taskgate_filter_fault.wasm")], "run `make fault-filter`")
}

/// Where the programs of the HSDS environment are: `hsds`, and a `python3` with h5pyd, h5py and numpy.
///
/// # Errors
/// It is not installed.
pub fn hsds() -> anyhow::Result<PathBuf> {
    let hint = "run `make hsds`";
    let programs = first(TASKGATE_HSDS, &[target().join("tools/hsds/bin")], hint)?;
    for program in ["hsds", "python3"] {
        let path = programs.join(program);
        if !path.exists() {
            bail!("not found: {}; {hint}, or set {TASKGATE_HSDS}", path.display());
        }
    }
    Ok(programs)
}

/// Where the programs of Flyte's environment are: `flyte`, and a `python3` with the packages `flyte`, `flyteidl2`,
/// `connectrpc` and `grpcio`.
///
/// # Errors
/// It is not installed.
pub fn flyte() -> anyhow::Result<PathBuf> {
    let hint = "run `make flyte`";
    let programs = first(TASKGATE_FLYTE, &[target().join("tools/flyte/bin")], hint)?;
    for program in ["flyte", "python3"] {
        let path = programs.join(program);
        if !path.exists() {
            bail!("not found: {}; {hint}, or set {TASKGATE_FLYTE}", path.display());
        }
    }
    Ok(programs)
}

/// Where `s3s-fs` is.
///
/// # Errors
/// It is not installed.
pub fn s3s_fs() -> anyhow::Result<PathBuf> {
    first(TASKGATE_S3S_FS, &[target().join("tools/s3s-fs/bin/s3s-fs")], "run `make s3s-fs`")
}

/// Where `nginx` is.
///
/// # Errors
/// It is not there.
pub fn nginx() -> anyhow::Result<PathBuf> {
    first(TASKGATE_NGINX, &[target().join("tools/nginx/root/usr/sbin/nginx")], "run `make nginx`")
}

/// Where Azurite's script for `node` is.
///
/// # Errors
/// It is not installed.
pub fn azurite() -> anyhow::Result<PathBuf> {
    let script = target().join("tools/azurite/node_modules/azurite/dist/src/blob/main.js");
    first(TASKGATE_AZURITE, &[script], "run `make azurite`")
}

/// Where the programs of the environment of Google's client of Cloud Storage are: a `python3` with it.
///
/// # Errors
/// It is not installed.
pub fn gcs_client() -> anyhow::Result<PathBuf> {
    first(TASKGATE_GCS_CLIENT, &[target().join("tools/gcs-client/bin")], "run `make gcs-client`")
}

/// Where Determined's own client is: `bin/python`.
///
/// # Errors
/// It is not installed.
pub fn determined() -> anyhow::Result<PathBuf> {
    first(TASKGATE_DETERMINED, &[target().join("tools/determined")], "run `make determined-client`")
}

/// Where the programs of the environment of Kubernetes' client are: a `python3` with it.
///
/// # Errors
/// It is not installed.
pub fn kubernetes_client() -> anyhow::Result<PathBuf> {
    let installed = target().join("tools/kubernetes-client/bin");
    first(TASKGATE_KUBERNETES_CLIENT, &[installed], "run `make kubernetes-client`")
}

/// Where the clients of tus are: `bin/python3` with the package `tuspy`, and `node_modules` with `tus-js-client`.
///
/// # Errors
/// They are not installed.
pub fn tus() -> anyhow::Result<PathBuf> {
    let hint = "run `make tus`";
    let directory = first(TASKGATE_TUS, &[target().join("tools/tus")], hint)?;
    for part in ["bin/python3", "node_modules/tus-js-client"] {
        let path = directory.join(part);
        if !path.exists() {
            bail!("not found: {}; {hint}, or set {TASKGATE_TUS}", path.display());
        }
    }
    Ok(directory)
}

/// Where the programs of the environment of the sign-in provider are: a `python3` with `oidc-provider-mock`.
///
/// # Errors
/// It is not installed.
pub fn oidc() -> anyhow::Result<PathBuf> {
    first(TASKGATE_OIDC, &[target().join("tools/oidc/bin")], "run `make oidc`")
}

/// Where Chromium is.
///
/// # Errors
/// It is not installed.
pub fn chromium() -> anyhow::Result<PathBuf> {
    first(TASKGATE_CHROMIUM, &[PathBuf::from("/usr/bin/chromium")], "run `make chromium`")
}

/// Where Ceph's packages are unpacked.
///
/// # Errors
/// It is not installed.
pub fn radosgw() -> anyhow::Result<PathBuf> {
    first(TASKGATE_RADOSGW, &[target().join("tools/radosgw/root")], "run `make radosgw`")
}

/// Where the directory of PostgreSQL's programs is.
///
/// # Errors
/// It is not installed.
pub fn postgres() -> anyhow::Result<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut installed: Vec<PathBuf> = versions.map(|version| version.path()).collect();
    let number = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    installed.sort_by_key(|path| Reverse(number(path)));
    let programs: Vec<PathBuf> =
        installed.iter().map(|path| path.join("bin")).filter(|bin| bin.join("postgres").exists()).collect();
    let missing = [PathBuf::from("/usr/lib/postgresql/*/bin")];
    first(TASKGATE_POSTGRES, if programs.is_empty() { &missing } else { &programs }, "run `make postgres`")
}

/// Where Helm and the judges of `deploy/` are: `bin/helm`, `bin/hadolint`, `bin/python3` with `kubernetes-validate`, and
/// `node_modules` with models of resources.
///
/// # Errors
/// They are not installed.
pub fn deploy() -> anyhow::Result<PathBuf> {
    let hint = "run `make helm`";
    let directory = first(TASKGATE_DEPLOY, &[target().join("tools/deploy")], hint)?;
    for part in ["bin/helm", "bin/hadolint", "bin/python3", "node_modules/@kubernetes-models"] {
        let path = directory.join(part);
        if !path.exists() {
            bail!("not found: {}; {hint}, or set {TASKGATE_DEPLOY}", path.display());
        }
    }
    Ok(directory)
}

/// Where HAProxy's packages are unpacked.
///
/// # Errors
/// They are not there.
pub fn haproxy() -> anyhow::Result<PathBuf> {
    first(TASKGATE_HAPROXY, &[target().join("tools/haproxy/root")], "run `make haproxy`")
}

/// Where Caddy is.
///
/// # Errors
/// It is not there.
pub fn caddy() -> anyhow::Result<PathBuf> {
    first(TASKGATE_CADDY, &[target().join("tools/caddy/root/usr/bin/caddy")], "run `make caddy`")
}

/// Where OpenSSH's unpacked packages are.
///
/// # Errors
/// They are not there.
pub fn openssh() -> anyhow::Result<PathBuf> {
    first(TASKGATE_OPENSSH, &[target().join("tools/openssh/root")], "run `make openssh`")
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
