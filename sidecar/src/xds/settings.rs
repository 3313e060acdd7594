//! The settings of xDS, from configuration to what it runs with.

use std::time::Duration;

use crate::config::resolve::{InvalidSetting, within};
use crate::config::xds::{HealthChecksConfig, XdsConfig};
use crate::lifecycle::address::Listen;
use crate::xds::nodes::Nodes;

/// The settings of xDS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XdsSettings {
    /// Where it listens.
    pub listen: Listen,
    /// Which proxies it talks to.
    pub nodes: Nodes,
    /// The least time between two pushes.
    pub push_interval: Duration,
    /// How jobs are tried; none: not at all.
    pub health_checks: Option<HealthCheckSettings>,
}

/// How jobs are tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheckSettings {
    /// How often each address is tried, where there are not too many.
    pub interval: Duration,
    /// How long connecting may take.
    pub timeout: Duration,
    /// After how many failures in a row an address is left out.
    pub unhealthy_threshold: u32,
    /// After how many successes in a row it is back.
    pub healthy_threshold: u32,
    /// The most tries a second.
    pub per_second: u32,
    /// Beyond this part of one owner's addresses, what fails is the checking.
    pub panic_percent: usize,
}

impl XdsSettings {
    /// Checks a section.
    ///
    /// # Errors
    /// [`InvalidSetting`].
    pub fn resolve(config: &XdsConfig, socket_mode: &str, has_secret: bool) -> Result<Self, InvalidSetting> {
        let listen = Listen::parse(&config.listen, socket_mode)
            .map_err(|error| InvalidSetting::new("xds.listen", error.to_string()))?;
        if !listen.is_local() && !has_secret {
            return Err(InvalidSetting::new(
                "xds.listen",
                "whoever reaches this listener learns where every job is: listen on loopback or `unix:/path`, or set \
                 `internal.secret_file`",
            ));
        }
        Ok(Self {
            listen,
            nodes: Nodes::new(&config.node_ids, &config.node_clusters)?,
            push_interval: millis("xds.push_interval_ms", config.push_interval_ms, 1, 60_000)?,
            health_checks: HealthCheckSettings::resolve(&config.health_checks)?,
        })
    }
}

impl HealthCheckSettings {
    fn resolve(config: &HealthChecksConfig) -> Result<Option<Self>, InvalidSetting> {
        let number = |key: &str, value: u32, most: u32| {
            let reason = format!("{value} is not between 1 and {most}");
            (1..=most).contains(&value).then_some(value).ok_or_else(|| InvalidSetting::new(name(key), reason))
        };
        let settings = Self {
            interval: within(&name("interval_secs"), config.interval_secs, 1, 3_600)?,
            timeout: millis(&name("timeout_ms"), config.timeout_ms, 1, 60_000)?,
            unhealthy_threshold: number("unhealthy_threshold", config.unhealthy_threshold, 100)?,
            healthy_threshold: number("healthy_threshold", config.healthy_threshold, 100)?,
            per_second: number("per_second", config.per_second, 100_000)?,
            panic_percent: usize::try_from(number("panic_percent", config.panic_percent, 100)?).unwrap_or(100),
        };
        Ok(config.enabled.then_some(settings))
    }
}

fn name(key: &str) -> String {
    format!("xds.health_checks.{key}")
}

fn millis(key: &str, millis: u64, least: u64, most: u64) -> Result<Duration, InvalidSetting> {
    if (least..=most).contains(&millis) {
        Ok(Duration::from_millis(millis))
    } else {
        Err(InvalidSetting::new(key, format!("{millis} is not between {least} and {most}")))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::load;

    fn read(rest: &str) -> Result<bool, String> {
        let text = format!(
            "gate: {{base_domains: [tasks.example.test]}}\nproviders: [{{file: {{path: services.yaml}}}}]\n{rest}\n"
        );
        load::read(&text, Path::new("/")).map(|settings| settings.xds.is_some()).map_err(|error| error.to_string())
    }

    #[test]
    fn it_is_off_by_default_and_open_to_this_machine_alone() {
        assert_eq!(read(""), Ok(false));
        assert_eq!(read("xds: {}"), Ok(true));
        assert_eq!(read("xds: {listen: \"unix:/run/xds.sock\"}"), Ok(true));
        let open = "xds: {listen: \"0.0.0.0:7014\"}";
        assert!(read(open).is_err_and(|error| error.contains("internal.secret_file")));
        assert_eq!(read(&format!("{open}\ninternal: {{secret: 0123456789abcdef0123456789abcdef}}")), Ok(true));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (section, key) in [
            ("{push_interval_ms: 0}", "xds.push_interval_ms"),
            ("{node_clusters: []}", "xds.node_clusters"),
            ("{node_ids: [\"\"]}", "xds.node_ids[0]"),
            ("{node_ids: [\"a*b\"]}", "xds.node_ids[0]"),
            ("{health_checks: {per_second: 0}}", "xds.health_checks.per_second"),
            ("{health_checks: {panic_percent: 101}}", "xds.health_checks.panic_percent"),
            ("{health_checks: {interval_secs: 0}}", "xds.health_checks.interval_secs"),
            ("{node: x}", "node"),
        ] {
            let refused = read(&format!("xds: {section}")).expect_err(section);
            assert!(refused.contains(key), "{section}: {refused}");
        }
    }
}
