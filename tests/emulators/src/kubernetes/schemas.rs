//! The structure of the Gateway API's resources, as its definitions have it, where gateways of TCP use it.

use super::resource::{GATEWAYS, ROUTES, Resource, SETS};
use super::schema::{Field, Form, Schema, default, optional, required};

const NAME: Schema = Schema::Text(253, Form::Subdomain);
const SECTION: Schema = Schema::Text(253, Form::Subdomain);
const NAMESPACE: Schema = Schema::Text(63, Form::Subdomain);
const GROUP: Schema = Schema::Text(253, Form::Word);
const KIND: Schema = Schema::Text(63, Form::Word);
const PORT: Schema = Schema::Number(1, 65_535);
const GATEWAY_GROUP: &str = "\"gateway.networking.k8s.io\"";

const ROUTE_KIND: Schema = Schema::Object(&[default("group", GATEWAY_GROUP, GROUP), required("kind", KIND)]);

const ALLOWED_ROUTES: Schema = Schema::Object(&[
    optional("kinds", Schema::List(0, 8, &ROUTE_KIND)),
    default(
        "namespaces",
        "{\"from\": \"Same\"}",
        Schema::Object(&[
            default("from", "\"Same\"", Schema::Text(64, Form::OneOf(&["All", "Selector", "Same"]))),
            optional("selector", Schema::Any),
        ]),
    ),
]);

const LISTENER: Schema = Schema::Object(&[
    required("name", SECTION),
    optional("hostname", Schema::Text(253, Form::Free)),
    required("port", PORT),
    required("protocol", Schema::Text(255, Form::Free)),
    optional("tls", Schema::Object(&[default("mode", "\"Terminate\"", Schema::Text(64, Form::Free))])),
    default("allowedRoutes", "{\"namespaces\": {\"from\": \"Same\"}}", ALLOWED_ROUTES),
]);

const ALLOWED_LISTENERS: Schema = Schema::Object(&[default(
    "namespaces",
    "{\"from\": \"None\"}",
    Schema::Object(&[
        default("from", "\"None\"", Schema::Text(64, Form::OneOf(&["All", "Selector", "Same", "None"]))),
        optional("selector", Schema::Any),
    ]),
)]);

/// Of how many listeners at most is another rule: clusters raise it.
const GATEWAY: Schema = Schema::Object(&[
    required("gatewayClassName", NAME),
    required("listeners", Schema::List(1, usize::MAX, &LISTENER)),
    optional("addresses", Schema::List(0, 16, &Schema::Any)),
    optional("infrastructure", Schema::Any),
    optional("allowedListeners", ALLOWED_LISTENERS),
]);

const SET: Schema = Schema::Object(&[
    required(
        "parentRef",
        Schema::Object(&[
            default("group", GATEWAY_GROUP, GROUP),
            default("kind", "\"Gateway\"", KIND),
            required("name", NAME),
            optional("namespace", NAMESPACE),
        ]),
    ),
    required("listeners", Schema::List(1, 64, &LISTENER)),
]);

const PARENT: Schema = Schema::Object(&[
    default("group", GATEWAY_GROUP, GROUP),
    default("kind", "\"Gateway\"", KIND),
    optional("namespace", NAMESPACE),
    required("name", NAME),
    optional("sectionName", SECTION),
    optional("port", PORT),
]);

const BACKEND: Schema = Schema::Object(&[
    default("group", "\"\"", GROUP),
    default("kind", "\"Service\"", KIND),
    required("name", NAME),
    optional("namespace", NAMESPACE),
    optional("port", PORT),
    default("weight", "1", Schema::Number(0, 1_000_000)),
]);

const RULE_FIELDS: &[Field] = &[optional("name", SECTION), required("backendRefs", Schema::List(1, 16, &BACKEND))];

const ROUTE: Schema = Schema::Object(&[
    optional("parentRefs", Schema::List(0, 32, &PARENT)),
    required("rules", Schema::List(1, 1, &Schema::Object(RULE_FIELDS))),
]);

/// In the older version there may be several rules.
const ROUTE_V1ALPHA2: Schema = Schema::Object(&[
    optional("parentRefs", Schema::List(0, 32, &PARENT)),
    required("rules", Schema::List(1, 16, &Schema::Object(RULE_FIELDS))),
]);

/// The structure of a resource's `spec`.
pub(super) fn of(resource: &Resource, version: &str) -> Option<&'static Schema> {
    match resource {
        resource if *resource == GATEWAYS => Some(&GATEWAY),
        resource if *resource == SETS => Some(&SET),
        resource if *resource == ROUTES && version == "v1" => Some(&ROUTE),
        resource if *resource == ROUTES => Some(&ROUTE_V1ALPHA2),
        _ => None,
    }
}
