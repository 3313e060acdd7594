//! How containers are called at the controller: `https://*.containers.example.test/`.

use reqwest::Url;

use crate::arvados::relay::Target;

/// The origins of a cluster's containers.
///
/// Invariant: `before` is a scheme of HTTP with `://`, and `after` the rest of a host's name, with a port or without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origins {
    before: &'static str,
    after: String,
}

impl Origins {
    /// Reads `ExternalURL`: an address whose host begins with `*`. None where it is another, as one with ports
    /// instead of names is.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        let url = url.trim().trim_end_matches('/');
        let (before, rest) = [("https://", url.strip_prefix("https://")), ("http://", url.strip_prefix("http://"))]
            .into_iter()
            .find_map(|(scheme, rest)| Some((scheme, rest?)))?;
        let default = if before == "https://" { ":443" } else { ":80" };
        let after = rest.strip_suffix(default).unwrap_or(rest).strip_prefix('*')?.to_ascii_lowercase();
        let origins = Self { before, after };
        let probe = Url::parse(&origins.text("x")).ok()?;
        let is_bare = probe.path() == "/" && probe.query().is_none() && probe.fragment().is_none();
        let is_named = probe.username().is_empty() && probe.domain().is_some_and(|domain| domain.contains('.'));
        (is_bare && is_named && !origins.after.contains(['*', '/', '?', '#', '@'])).then_some(origins)
    }

    /// The address of a request to a service, with path and query as they came. None where they can't be sent as
    /// they are: another path is another request.
    #[must_use]
    pub fn url(&self, target: &Target, path_and_query: &str) -> Option<Url> {
        let authority = self.authority(target);
        let whole = Url::parse(&format!("{}{authority}{path_and_query}", self.before)).ok()?;
        let sent = match whole.query() {
            Some(query) => format!("{}?{query}", whole.path()),
            None => whole.path().to_owned(),
        };
        (sent == path_and_query && whole.fragment().is_none()).then_some(whole)
    }

    /// What the controller calls a service: a host's name, with a port or without.
    #[must_use]
    pub fn authority(&self, target: &Target) -> String {
        format!("{}-{}{}", target.container, target.port, self.after)
    }

    fn text(&self, name: &str) -> String {
        format!("{}{name}{}", self.before, self.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arvados::uuid::Uuid;

    fn url(external: &str, path: &str) -> Option<String> {
        let container = Uuid::parse("zzzzz-dz642-000000000000001").expect("a name");
        let url = Origins::parse(external)?.url(&Target { container, port: 8080 }, path)?;
        Some(url.to_string())
    }

    #[test]
    fn hosts_are_made_as_the_cluster_says() {
        let expected = "https://zzzzz-dz642-000000000000001-8080.containers.example.test/a%2Fb//c?x=1&y";
        assert_eq!(url("https://*.containers.example.test/", "/a%2Fb//c?x=1&y").as_deref(), Some(expected));
        let dashes = "https://zzzzz-dz642-000000000000001-8080--containers.example.test:8443/";
        assert_eq!(url("https://*--containers.example.test:8443", "/").as_deref(), Some(dashes));
    }

    #[test]
    fn the_same_address_may_be_written_in_several_ways() {
        let plain = Origins::parse("https://*.containers.example.test/");
        for text in ["https://*.containers.example.test", "https://*.Containers.example.test:443/"] {
            assert_eq!(Origins::parse(text), plain, "{text}");
        }
        assert_ne!(Origins::parse("https://*.containers.example.test:80/"), plain);
    }

    #[test]
    fn other_addresses_are_none() {
        for external in [
            "",
            "https://containers.example.test/",
            "https://a.*.example.test/",
            "https://*.*.example.test/",
            "https://*.example.test/path",
            "https://*@example.test/",
            "https://*.example.test?x",
            "ftp://*.example.test/",
            "https://*",
        ] {
            assert_eq!(Origins::parse(external), None, "{external}");
        }
    }

    #[test]
    fn a_path_that_would_become_another_is_not_sent() {
        for path in ["/a/../b", "/a/%2e%2e/b", "/a/./b", "/a b", "", "a", "/a\\b", "/a#b", "http://other.test/"] {
            assert_eq!(url("https://*.containers.example.test/", path), None, "{path}");
        }
    }
}
