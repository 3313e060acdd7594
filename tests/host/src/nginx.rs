//! What a configuration of NGINX makes of a request around the filter.
//!
//! Why: on WasmX the filter sets variables, and the configuration does the rest. A test that reads the
//! file that operators copy finds a line that is missing there. Never a whole NGINX: one server, one
//! location that the filter stands in, and what that one hands on to where it has no address.

mod syntax;

use std::collections::BTreeMap;

use crate::Headers;
use crate::stream::property_path;
use syntax::Directive;

/// A configuration, as far as it matters to the filter's location.
#[derive(Clone, Debug, Default)]
pub struct NginxConf {
    /// `set`, in order.
    variables: Vec<(String, String)>,
    maps: BTreeMap<String, Map>,
    /// `add_header`.
    added: Vec<(String, String)>,
    /// Where requests go: to the first that has an address.
    ways: Vec<Way>,
    in_access: bool,
    zones: Vec<String>,
    configuration: String,
}

#[derive(Clone, Debug)]
struct Map {
    source: String,
    entries: Vec<(String, String)>,
    default: String,
}

#[derive(Clone, Debug)]
struct Way {
    address: String,
    http2: bool,
    headers: Vec<(String, String)>,
}

/// Where a request went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// What stood for the address.
    pub address: String,
    /// Whether HTTP/2 is spoken there.
    pub http2: bool,
}

/// Variables of one request.
pub(crate) type Variables = BTreeMap<Vec<u8>, Vec<u8>>;

impl NginxConf {
    /// Reads a whole `nginx.conf` with one server, whose `location /` has the filter.
    ///
    /// # Errors
    /// What is not there.
    pub fn parse(text: &str) -> Result<Self, String> {
        let main = syntax::parse(text)?;
        let http = syntax::block(&main, "http", &[]).ok_or("no `http`")?;
        let server = syntax::block(http, "server", &[]).ok_or("no `server`")?;
        let location = syntax::block(server, "location", &["/"]).ok_or("no `location /`")?;
        let filters = syntax::values(location, "proxy_wasm");
        let [[_, configuration]] = filters[..] else {
            return Err("not one `proxy_wasm` with a configuration in `location /`".into());
        };
        // A location inherits lists of these only where it has none of its own.
        let pairs = |name: &str, inner: &[Directive]| {
            let own = syntax::pairs(inner, name);
            if own.is_empty() { syntax::pairs(server, name) } else { own }
        };
        let way = |inner: &[Directive], pass: &str, scheme: &str, header: &str| {
            let address = syntax::values(inner, pass).first()?.first()?.strip_prefix(scheme)?.to_owned();
            Some(Way { address, http2: pass == "grpc_pass", headers: pairs(header, inner) })
        };
        let mut ways = vec![way(location, "proxy_pass", "http://", "proxy_set_header").ok_or("no `proxy_pass`")?];
        let elsewhere = syntax::values(location, "error_page");
        let nowhere = elsewhere.iter().find(|line| line.first().is_some_and(|status| status == "500"));
        if let Some(name) = nowhere.and_then(|line| line.last()).map(|name| name.trim_start_matches('=').trim())
            && let Some(step) = syntax::block(server, "location", &[name])
        {
            ways.extend(way(step, "grpc_pass", "grpc://", "grpc_set_header"));
        }
        let wasm = syntax::block(&main, "wasm", &[]).unwrap_or_default();
        Ok(Self {
            variables: syntax::pairs(server, "set"),
            maps: http.iter().filter_map(Map::read).collect(),
            added: pairs("add_header", location),
            ways,
            in_access: syntax::values(http, "proxy_wasm_request_headers_in_access") == [["on"]],
            configuration: configuration.clone(),
            zones: syntax::values(wasm, "shm_kv").iter().filter_map(|line| line.first().cloned()).collect(),
        })
    }

    /// The filter's own configuration.
    pub fn configuration(&self) -> &str {
        &self.configuration
    }

    /// The names that `set` declares.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|(name, _)| name.as_str())
    }

    /// Whether the filter sees requests in the access phase.
    pub(crate) fn in_access(&self) -> bool {
        self.in_access
    }

    /// The zones of shared data.
    pub(crate) fn zones(&self) -> &[String] {
        &self.zones
    }

    /// What `set` makes of a request that has just arrived.
    pub(crate) fn begin(&self, request: &Headers, variables: &mut Variables) {
        for (name, template) in &self.variables {
            let value = self.value(template, request, variables).unwrap_or_default();
            variables.insert(property_path(&["ngx", name]), value);
        }
    }

    /// Where a request goes that the filter let go on, and with which headers. `None`: nowhere.
    pub(crate) fn forward(
        &self,
        client: &Headers,
        changed: &Headers,
        variables: &Variables,
    ) -> Option<(Destination, Headers)> {
        self.ways.iter().find_map(|way| {
            let address = self.value(&way.address, client, variables).filter(|address| !address.is_empty())?;
            let address = String::from_utf8_lossy(&address).into_owned();
            let mut headers = changed.clone();
            for (name, template) in &way.headers {
                // What NGINX itself knows is left alone: it is the same with and without the filter.
                let Some(value) = self.value(template, client, variables) else { continue };
                headers.remove(name.as_bytes());
                if !value.is_empty() {
                    headers.add(name.as_bytes(), &value);
                }
            }
            Some((Destination { address, http2: way.http2 }, headers))
        })
    }

    /// Adds what `add_header` has for an answer.
    pub(crate) fn answer(&self, request: &Headers, variables: &Variables, headers: &mut Headers) {
        for (name, template) in &self.added {
            let value = self.value(template, request, variables).unwrap_or_default();
            if !value.is_empty() {
                headers.add(name.as_bytes(), &value);
            }
        }
    }

    /// What a value with variables comes to. `None` where one is NGINX's own.
    fn value(&self, template: &str, request: &Headers, variables: &Variables) -> Option<Vec<u8>> {
        let mut parts = template.split('$');
        let mut value = parts.next().unwrap_or_default().as_bytes().to_vec();
        for part in parts {
            let end = part.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(part.len());
            let (name, rest) = part.split_at(end);
            value.extend(self.variable(name, request, variables)?);
            value.extend_from_slice(rest.as_bytes());
        }
        Some(value)
    }

    fn variable(&self, name: &str, request: &Headers, variables: &Variables) -> Option<Vec<u8>> {
        if let Some(value) = variables.get(&property_path(&["ngx", name])) {
            return Some(value.clone());
        }
        if let Some(map) = self.maps.get(name) {
            return self.mapped(map, request, variables);
        }
        let header = name.strip_prefix("http_")?.replace('_', "-");
        // Several lines are one: cookies as browsers write them, all else as a list.
        let separator: &[u8] = if header == "cookie" { b"; " } else { b", " };
        Some(request.values(&header).collect::<Vec<_>>().join(separator))
    }

    fn mapped(&self, map: &Map, request: &Headers, variables: &Variables) -> Option<Vec<u8>> {
        if map.entries.iter().any(|(key, _)| key.starts_with('~')) {
            return None;
        }
        let source = self.value(&map.source, request, variables)?;
        let found = map.entries.iter().find(|(key, _)| key.as_bytes().eq_ignore_ascii_case(&source));
        self.value(found.map_or(&map.default, |(_, value)| value), request, variables)
    }
}

impl Map {
    fn read(directive: &Directive) -> Option<(String, Self)> {
        let ("map", [source, name]) = (directive.name.as_str(), directive.values.as_slice()) else { return None };
        let mut map = Self { source: source.clone(), entries: Vec::new(), default: String::new() };
        for entry in &directive.block {
            let Some(value) = entry.values.first() else { continue };
            match entry.name.as_str() {
                "default" => map.default.clone_from(value),
                key => map.entries.push((key.to_owned(), value.clone())),
            }
        }
        Some((name.trim_start_matches('$').to_owned(), map))
    }
}
