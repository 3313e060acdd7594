//! How ingresses differ in what they can do with an answer.

use serde::Deserialize;

/// Who asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// Caddy's `forward_auth`, or `reverse_proxy` with `handle_response`.
    Caddy,
    /// Envoy's `ext_authz`.
    Envoy,
    /// Any other.
    #[default]
    Generic,
    /// HAProxy with the script of `forward-auth/`.
    Haproxy,
    /// NGINX's `auth_request`, which understands 2xx, 401 and 403 and passes on none of the rest.
    Nginx,
    /// Traefik's `ForwardAuth`, which chooses no upstream and changes no path.
    Traefik,
}

impl Dialect {
    /// The label of metrics and logs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Caddy => "caddy",
            Self::Envoy => "envoy",
            Self::Generic => "generic",
            Self::Haproxy => "haproxy",
            Self::Nginx => "nginx",
            Self::Traefik => "traefik",
        }
    }

    /// Whether it can change a request's path, for credentials in the query.
    #[must_use]
    pub const fn rewrites_path(self) -> bool {
        match self {
            Self::Caddy | Self::Generic | Self::Haproxy | Self::Nginx => true,
            Self::Envoy | Self::Traefik => false,
        }
    }

    /// Whether a request goes where the answer says. Otherwise it goes where the ingress's own rule says.
    #[must_use]
    pub const fn chooses_upstream(self) -> bool {
        match self {
            Self::Caddy | Self::Envoy | Self::Generic | Self::Haproxy | Self::Nginx => true,
            Self::Traefik => false,
        }
    }

    /// Whether a refusal is passed on to the client as it is. Otherwise the ingress asks for it once more.
    #[must_use]
    pub const fn passes_refusals_on(self) -> bool {
        match self {
            Self::Caddy | Self::Envoy | Self::Generic | Self::Haproxy | Self::Traefik => true,
            Self::Nginx => false,
        }
    }

    /// Whether a refusal of a gRPC call may have the status 200, which is how gRPC says it. To who takes every 2xx for a
    /// yes it would be one; those who look for the address that a yes has, or ask for the refusal alone, know better.
    #[must_use]
    pub const fn tells_yes_from_200(self) -> bool {
        match self {
            Self::Caddy | Self::Haproxy => true,
            // Envoy makes gRPC's answer of the status by itself.
            Self::Envoy | Self::Generic | Self::Nginx | Self::Traefik => false,
        }
    }

    /// Whether it removes by itself what a job must not see of a request, and keeps only what it is told to keep.
    /// Otherwise it is told what to remove.
    #[must_use]
    pub const fn removes_by_itself(self) -> bool {
        match self {
            Self::Nginx => true,
            Self::Caddy | Self::Envoy | Self::Generic | Self::Haproxy | Self::Traefik => false,
        }
    }

    /// What a header of an answer is called for it. NGINX compares names letter by letter, each header with each of the
    /// two dozen names that it wants to know: for it they differ from the first letter on.
    #[must_use]
    pub fn header(self, name: &str) -> &str {
        if self != Self::Nginx {
            return name;
        }
        match name {
            "x-taskgate-actor" => "actor-taskgate",
            "x-taskgate-assertion" => "assertion-taskgate",
            "x-taskgate-cookie" => "cookie-taskgate",
            "x-taskgate-denial" => "denial-taskgate",
            "x-taskgate-edit-authorization" => "edit-authorization-taskgate",
            "x-taskgate-edit-cookie" => "edit-cookie-taskgate",
            "x-taskgate-job-authorization" => "job-authorization-taskgate",
            "x-taskgate-level" => "level-taskgate",
            "x-taskgate-next" => "next-taskgate",
            "x-taskgate-protocol" => "protocol-taskgate",
            "x-taskgate-rule" => "rule-taskgate",
            "x-taskgate-service" => "service-taskgate",
            "x-taskgate-set-cookie-1" => "set-cookie-1-taskgate",
            "x-taskgate-set-cookie-2" => "set-cookie-2-taskgate",
            "x-taskgate-status" => "status-taskgate",
            "x-taskgate-third" => "third-taskgate",
            "x-taskgate-upstream" => "upstream-taskgate",
            "x-taskgate-uri" => "uri-taskgate",
            "x-taskgate-visitor" => "visitor-taskgate",
            _ => name,
        }
    }

    /// Whether `Set-Cookie` of a permitting answer reaches the client. Otherwise the lines come one by one under names
    /// of their own.
    #[must_use]
    pub const fn takes_set_cookie(self) -> bool {
        match self {
            Self::Envoy | Self::Generic | Self::Traefik => true,
            Self::Caddy | Self::Haproxy | Self::Nginx => false,
        }
    }
}
