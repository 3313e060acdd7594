//! `nginx-config/auth_request.conf` with the values of a `taskgate.yaml`.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use thiserror::Error;

use crate::config::Config;
use crate::config::forward_auth::ForwardAuthConfig;
use crate::dns::name::Place;
use crate::lifecycle::front;
use crate::render::marked::{Unmarked, replace};

/// The file that operators copy.
pub const AUTH_REQUEST: &str = include_str!("../../../nginx-config/auth_request.conf");
/// The line for the sidecar's own services.
const OWN: &str =
    "    \"127.0.0.1:7012\" $tg_upstream;      # EDIT: `public.listen` of the sidecar, which speaks both itself\n";
/// What begins a line that is there for a memory of decisions alone.
const CACHE: &str = "# CACHE ";

/// Why nothing is printed.
#[derive(Debug, Error)]
pub enum InvalidValues {
    /// A domain that is none.
    #[error("`gate.base_domains` has `{0}`, which is no domain")]
    Domain(String),
    /// A name that NGINX would read as something else.
    #[error("`forward_auth.groups` has `{0}`, which is no name of a group: use letters, digits, `-`, `_` and `.`")]
    Group(String),
    /// A place that is none.
    #[error("`{0}` is neither a port, `ip:port` nor `unix:/path`")]
    Listen(String),
    /// The gate has no name.
    #[error("there are no `gate.base_domains`")]
    NoDomain,
    /// Nobody would answer.
    #[error("there is no `forward_auth`: add `forward_auth: {{}}`, so that the sidecar can be asked")]
    NoForwardAuth,
    /// The file is not as this module knows it.
    #[error(transparent)]
    Unmarked(#[from] Unmarked),
}

/// What `taskgate.yaml` does not say.
#[derive(Clone, Copy, Debug)]
pub struct Wishes<'a> {
    /// Where clients connect, as in `80` or `10.0.0.1:8080`.
    pub listen: &'a str,
    /// Whether a decision serves equal requests for a second.
    pub caches: bool,
}

/// Fills the file in.
///
/// # Errors
/// [`InvalidValues`].
pub fn auth_request(config: &Config, wishes: Wishes<'_>) -> Result<String, InvalidValues> {
    let forward_auth = config.forward_auth.as_ref().ok_or(InvalidValues::NoForwardAuth)?;
    let listen = port(wishes.listen)?;
    let text =
        replace(AUTH_REQUEST, "server 127.0.0.1:7013;", &format!("server {};", address(&forward_auth.listen)?), 1)?;
    let text = replace(&text, "listen 80;", &format!("listen {listen};"), 1)?;
    let names = server_names(&config.gate.base_domains)?;
    let text =
        replace(&text, "server_name tasks.example.test *.tasks.example.test;", &format!("server_name {names};"), 1)?;
    let has_secret = forward_auth.secret.is_some() || forward_auth.secret_file.is_some();
    let secret = if has_secret { "EDIT: the secret" } else { "" };
    let text = replace(&text, "$tg_secret { default \"\"; }", &format!("$tg_secret {{ default \"{secret}\"; }}"), 1)?;
    let text = replace(&text, "# GROUPS\n", &groups(forward_auth)?, 1)?;
    let text = replace(&text, OWN, &own(config), 1)?;
    Ok(if wishes.caches { text.replace(CACHE, "") } else { text })
}

/// Names of a server for those domains and all in them.
fn server_names(domains: &[String]) -> Result<String, InvalidValues> {
    let mut names = Vec::new();
    for domain in domains {
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.');
        if domain.is_empty() || !domain.chars().all(is_part) {
            return Err(InvalidValues::Domain(domain.clone()));
        }
        names.extend([domain.clone(), format!("*.{domain}")]);
    }
    if names.is_empty() { Err(InvalidValues::NoDomain) } else { Ok(names.join(" ")) }
}

/// A block for each group, whose servers are the operator's to say.
fn groups(section: &ForwardAuthConfig) -> Result<String, InvalidValues> {
    let mut names: Vec<&str> = section.groups.iter().map(|group| group.group.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let mut text = String::new();
    for name in names {
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.' | '_');
        if name.is_empty() || !name.chars().all(is_part) {
            return Err(InvalidValues::Group(name.to_owned()));
        }
        // A server that is down keeps the configuration valid until it is filled in, and gets nothing.
        text.push_str(&format!(
            "upstream {name} {{\n    server 192.0.2.1:8080 down;     # EDIT: the jobs\n    keepalive 32;\n}}\n"
        ));
    }
    Ok(text)
}

/// A line for each address at which requests reach the sidecar's own services. NGINX looks up no name among them: which
/// addresses it has is the operator's to say.
fn own(config: &Config) -> String {
    let public = config.public.as_ref().and_then(|public| public.listen.parse().ok());
    let access = config.access.as_ref().and_then(|access| access.address.as_deref());
    let data = config.data.as_ref().and_then(|data| data.service.address.as_deref());
    let mut lines: BTreeSet<String> = public.into_iter().map(front::at).map(own_address).collect();
    lines.extend([access, data].into_iter().flatten().filter_map(Place::parse).map(|place| match place {
        Place::Address(address) => own_address(address),
        Place::Name(name, port) => {
            format!("    # EDIT: each address that {name} has, as in: \"10.0.0.5:{port}\" $tg_upstream;\n")
        }
    }));
    lines.into_iter().collect()
}

fn own_address(address: SocketAddr) -> String {
    format!("    \"{address}\" $tg_upstream;\n")
}

/// Where the sidecar listens, as NGINX writes it.
fn address(listen: &str) -> Result<String, InvalidValues> {
    let is_path = listen.strip_prefix("unix:").is_some_and(|path| path.starts_with('/') && is_plain(path));
    if is_path || listen.parse::<SocketAddr>().is_ok() {
        return Ok(listen.to_owned());
    }
    Err(InvalidValues::Listen(listen.to_owned()))
}

/// Where clients connect.
fn port(listen: &str) -> Result<&str, InvalidValues> {
    let is_one = listen.parse::<u16>().is_ok() || address(listen).is_ok();
    if is_one { Ok(listen) } else { Err(InvalidValues::Listen(listen.to_owned())) }
}

fn is_plain(path: &str) -> bool {
    path.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '/' | '-' | '_' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::check::check;
    use crate::render::source::dumped;
    use crate::yaml;

    fn render(yaml: &str, caches: bool) -> Result<String, InvalidValues> {
        let config: Config = yaml::parse(yaml).expect("a configuration");
        auth_request(&config, Wishes { listen: "10.0.0.1:8080", caches })
    }

    const CONFIG: &str = "gate: {base_domains: [a.test, b.test]}\n\
        public: {listen: '10.0.0.2:7777'}\naccess: {address: '10.0.0.2:7777'}\n\
        forward_auth: {listen: 'unix:/run/decide.sock', groups: [{service: x, group: echo}, {service: y, group: echo}, {service: z, group: tea}]}";

    #[test]
    fn all_values_are_put_in_and_the_rules_hold() {
        for caches in [false, true] {
            let text = render(CONFIG, caches).expect("renders");
            for part in [
                "server unix:/run/decide.sock;",
                "listen 10.0.0.1:8080;",
                "server_name a.test *.a.test b.test *.b.test;",
                "\nupstream echo {",
                "\nupstream tea {",
                "\n    \"10.0.0.2:7777\" $tg_upstream;\n",
                "$tg_secret { default \"\"; }",
            ] {
                assert_eq!(text.matches(part).count(), 1, "{part}");
            }
            assert!(!text.contains("example.test *") && !text.contains("701") && !text.contains("# GROUPS"));
            assert_eq!(text.contains("\n        proxy_cache taskgate;"), caches);
            assert_eq!(check(&dumped(&text).expect("reads")), []);
        }
    }

    #[test]
    fn own_services_are_found_where_they_are() {
        let of = |sections: &str| {
            let yaml = format!("gate: {{base_domains: [a.test]}}\nforward_auth: {{}}\n{sections}");
            let text = render(&yaml, false).expect("renders");
            assert_eq!(check(&dumped(&text).expect("reads")), []);
            text
        };
        let here = of("public: {listen: '0.0.0.0:7012'}\naccess: {}");
        assert!(here.contains("\n    \"127.0.0.1:7012\" $tg_upstream;\n") && !here.contains("0.0.0.0"));
        let named = of("public: {listen: '0.0.0.0:7012'}\naccess: {address: 'taskgate.b.test:80'}");
        assert!(
            named.contains("# EDIT: each address that taskgate.b.test has, as in: \"10.0.0.5:80\" $tg_upstream;\n")
        );
    }

    #[test]
    fn a_secret_is_asked_for_and_not_printed() {
        let text =
            render("gate: {base_domains: [a.test]}\nforward_auth: {listen: 10.0.0.1:7013, secret: hidden}", false);
        let text = text.expect("renders");
        assert!(text.contains("default \"EDIT: the secret\"") && !text.contains("hidden"));
    }

    #[test]
    fn nothing_that_nginx_would_read_otherwise_is_put_in() {
        for (yaml, part) in [
            ("gate: {base_domains: [a.test]}", "no `forward_auth`"),
            ("forward_auth: {}", "no `gate.base_domains`"),
            ("{gate: {base_domains: ['a; return 200']}, forward_auth: {}}", "is no domain"),
            ("{gate: {base_domains: [a]}, forward_auth: {groups: [{service: x, group: 'a {'}]}}", "no name of a group"),
            ("{gate: {base_domains: [a]}, forward_auth: {listen: 'unix:/a;b'}}", "neither a port"),
            ("{gate: {base_domains: [a]}, forward_auth: {listen: 'localhost'}}", "neither a port"),
        ] {
            let error = render(yaml, false).expect_err(yaml);
            assert!(error.to_string().contains(part), "{yaml}: {error}");
        }
    }
}
