//! What the documents say about how things are tested: with which programs, by which modules.

use super::place::{Checked, read, repository};

/// What the Makefile says a variable is.
fn pinned(makefile: &str, name: &str) -> Checked<String> {
    let line = makefile.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" := "));
    Ok(line.ok_or_else(|| format!("the Makefile has no `{name}`"))?.to_owned())
}

#[test]
fn pages_name_the_envoys_that_tests_run() -> Checked {
    let repository = repository()?;
    let makefile = read(&repository.join("Makefile"))?;
    let newest = pinned(&makefile, "ENVOY_VERSION")?;
    let oldest = pinned(&makefile, "ENVOY_OLDEST_VERSION")?;
    let oldest_xds = pinned(&makefile, "ENVOY_OLDEST_XDS_VERSION")?;
    let supported = |version: &str| version.rsplit_once('.').map_or(version, |(minor, _)| minor).to_owned();
    let (static_minor, xds_minor) = (supported(&oldest), supported(&oldest_xds));
    for (page, words) in [
        ("docs/guides/envoy.md", vec![newest.clone(), oldest.clone()]),
        ("docs/guides/fleet.md", vec![newest, oldest, oldest_xds]),
        ("README.md", vec![format!("Envoy {static_minor} and later"), format!("{xds_minor} and later")]),
        ("envoy-config/static.yaml", vec![format!("Envoy {static_minor} or later")]),
        ("envoy-config/ext_authz.yaml", vec![format!("Envoy {static_minor} or later")]),
        ("envoy-config/xds.yaml", vec![format!("Envoy {xds_minor} or later")]),
        ("envoy-config/tcp.yaml", vec![format!("Envoy {static_minor} or later")]),
        ("docs/internal-task-gateway.md", vec![format!("Envoy {static_minor} or later")]),
    ] {
        let text = read(&repository.join(page))?;
        let missing: Vec<&String> = words.iter().filter(|word| !text.contains(word.as_str())).collect();
        assert!(missing.is_empty(), "{page} does not say {missing:?}");
    }
    Ok(())
}

#[test]
fn every_module_of_the_end_to_end_tests_has_its_row() -> Checked {
    let folder = repository()?.join("tests/e2e");
    let page = read(&folder.join("README.md"))?;
    let rows: String = page.lines().filter(|line| line.starts_with("| `")).collect();
    let main = read(&folder.join("tests/main.rs"))?;
    let modules = main.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    let missing: Vec<&str> =
        modules.filter(|module| *module != "support" && !rows.contains(&format!("`{module}`"))).collect();
    assert!(missing.is_empty(), "tests/e2e/README.md has no row for {missing:?}");
    Ok(())
}
