//! What is in force where: directives of outer blocks hold in inner ones that say nothing of their own.

use crate::render::check::variables::names;
use crate::render::syntax::{Directive, Place};

/// Directives that say where a request goes, and what with.
const OF_REQUESTS: [&str; 7] = [
    "proxy_pass",
    "grpc_pass",
    "proxy_set_header",
    "grpc_set_header",
    "proxy_method",
    "proxy_cache_key",
    "proxy_cookie_domain",
];

/// The part of a configuration that is about HTTP.
#[derive(Debug)]
pub struct Site<'a> {
    /// All directives of the main level; empty where a fragment is looked at.
    pub main: &'a [Directive],
    /// Those of `http`.
    pub http: &'a [Directive],
    /// Its servers.
    pub servers: Vec<Server<'a>>,
}

/// A server: its own scope and those of its locations.
#[derive(Debug)]
pub struct Server<'a> {
    /// The server's own.
    pub scope: Scope<'a>,
    /// Locations, also those in locations, and `if` and `limit_except` in them.
    pub scopes: Vec<Scope<'a>>,
}

/// A block, and the blocks around it.
#[derive(Clone, Debug)]
pub struct Scope<'a> {
    /// The directives of each block, the outermost first.
    chain: Vec<&'a [Directive]>,
    /// How it is written: `location = /x`.
    pub title: String,
    /// What a location matches by, without the modifier; `@name` of a named one; empty where it is none.
    pub pattern: &'a str,
    /// Whether it is `location = …`.
    pub is_exact: bool,
    /// Where it begins.
    pub place: &'a Place,
}

/// Where errors lead to.
#[derive(Debug)]
pub struct ErrorPage<'a> {
    /// The directive.
    pub directive: &'a Directive,
    /// The status that is answered instead: `=200`; none where that of the target counts.
    pub status: Option<&'a str>,
    /// The location or address.
    pub target: &'a str,
}

impl<'a> Site<'a> {
    /// Of a whole configuration, or of what belongs into `http`.
    #[must_use]
    pub fn new(directives: &'a [Directive]) -> Self {
        let http = directives.iter().find(|directive| directive.name == "http").and_then(|http| http.block.as_deref());
        let main = if http.is_some() { directives } else { &[] };
        let http = http.unwrap_or(directives);
        let servers = http.iter().filter(|directive| directive.name == "server");
        let servers = servers.filter_map(|server| {
            let chain = vec![http, server.block.as_deref()?];
            let scope = Scope { chain, title: "server".to_owned(), pattern: "", is_exact: false, place: &server.place };
            let mut scopes = Vec::new();
            scope.inner(&mut scopes);
            Some(Server { scope, scopes })
        });
        Self { main, http, servers: servers.collect() }
    }

    /// All directives of `http` and of blocks in it.
    pub fn walk(&self, visit: &mut impl FnMut(&'a Directive)) {
        walk(self.http, visit);
    }
}

fn walk<'a>(directives: &'a [Directive], visit: &mut impl FnMut(&'a Directive)) {
    for directive in directives {
        visit(directive);
        // Entries of a map are no directives.
        if let Some(block) =
            directive.block.as_deref().filter(|_| !matches!(directive.name.as_str(), "map" | "geo" | "types"))
        {
            walk(block, visit);
        }
    }
}

impl<'a> Server<'a> {
    /// The location that an `error_page` or `auth_request` with that target leads to.
    #[must_use]
    pub fn location(&self, target: &str) -> Option<&Scope<'a>> {
        let target = target.split('?').next().unwrap_or_default();
        self.scopes.iter().find(|scope| scope.pattern == target && (scope.is_exact || scope.is_named()))
    }
}

impl<'a> Scope<'a> {
    fn inner(&self, scopes: &mut Vec<Self>) {
        for directive in self.own_block() {
            let Some(block) = directive.block.as_deref() else { continue };
            if !matches!(directive.name.as_str(), "location" | "if" | "limit_except") {
                continue;
            }
            let mut chain = self.chain.clone();
            chain.push(block);
            let is_location = directive.name == "location";
            let scope = Self {
                chain,
                title: format!("{} {}", directive.name, directive.arguments.join(" ")),
                pattern: directive.arguments.last().map(String::as_str).filter(|_| is_location).unwrap_or_default(),
                is_exact: is_location && directive.argument(0) == "=",
                place: &directive.place,
            };
            scope.inner(scopes);
            scopes.push(scope);
        }
    }

    /// The directives of the block itself.
    #[must_use]
    pub fn own_block(&self) -> &'a [Directive] {
        self.chain.last().copied().unwrap_or_default()
    }

    /// Whether nothing but NGINX itself leads there.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.pattern.starts_with('@')
    }

    /// Whether it is a location.
    #[must_use]
    pub fn is_location(&self) -> bool {
        !self.pattern.is_empty()
    }

    /// The directive of that name in this very block.
    #[must_use]
    pub fn own(&self, name: &str) -> Option<&'a Directive> {
        self.own_block().iter().rfind(|directive| directive.name == name)
    }

    /// All directives of that name that are in force: those of the innermost block that has any.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<&'a Directive> {
        let of = |block: &&'a [Directive]| -> Vec<&'a Directive> {
            block.iter().filter(|directive| directive.name == name).collect()
        };
        self.chain.iter().rev().map(of).find(|found| !found.is_empty()).unwrap_or_default()
    }

    /// The first argument of the directive of that name that is in force; empty where there is none.
    #[must_use]
    pub fn value(&self, name: &str) -> &'a str {
        self.all(name).last().map(|directive| directive.argument(0)).unwrap_or_default()
    }

    /// Whether it is switched on.
    #[must_use]
    pub fn is_on(&self, name: &str) -> bool {
        self.value(name).eq_ignore_ascii_case("on")
    }

    /// What a directive with a name and a value, such as `proxy_set_header`, says of that name.
    #[must_use]
    pub fn field(&self, directive: &str, name: &str) -> Option<&'a str> {
        let found = self.all(directive).into_iter().rfind(|found| found.argument(0).eq_ignore_ascii_case(name));
        found.map(|found| found.argument(1))
    }

    /// The variables that a request from here is made of.
    #[must_use]
    pub fn used(&self) -> Vec<String> {
        let directives = OF_REQUESTS.iter().flat_map(|name| self.all(name));
        directives.flat_map(|directive| &directive.arguments).flat_map(|text| names(text)).collect()
    }

    /// Where that status leads to.
    #[must_use]
    pub fn error_page(&self, status: &str) -> Option<ErrorPage<'a>> {
        let of = |directive: &'a Directive| {
            let (target, codes) = directive.arguments.split_last()?;
            let status_of = codes.iter().find_map(|code| code.strip_prefix('='));
            codes.iter().any(|code| code == status).then_some(ErrorPage {
                directive,
                status: status_of.filter(|code| !code.is_empty()),
                target,
            })
        };
        self.all("error_page").into_iter().rev().find_map(of)
    }
}
