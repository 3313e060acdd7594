//! What must hold of the gate whatever headers it is given.

use proptest::prelude::*;

use super::*;
use crate::edit::FieldEdit;

type Header = (Vec<u8>, Vec<u8>);

/// Names that mean something, in several spellings, and a few that mean nothing.
const NAMES: [&str; 26] = [
    ":authority",
    "host",
    ":path",
    ":method",
    "authorization",
    "Authorization",
    "x-taskgate-authorization",
    "x_taskgate_authorization",
    "cookie",
    "Cookie",
    "x-yt-taskproxy-id",
    "X-YT-TaskProxy-Id",
    "x_yt_taskproxy_id",
    "x-yt-taskproxy-operation-id",
    "x-yt-taskproxy-task-name",
    "x-yt-taskproxy-service",
    "x-forwarded-user",
    "X_Forwarded-User",
    "x-forwarded-groups",
    "x_yt_user_name",
    "x-arvados-user-uuid",
    "x-taskgate-up1",
    "X-Taskgate_Protocol",
    "content-type",
    "accept",
    "x-app",
];

fn value() -> impl Strategy<Value = Vec<u8>> {
    let known: Vec<Vec<u8>> = [
        "ae5cf6f5.tasks.example.test",
        "2ef4261c.tasks.example.test",
        "aaaa1111.tasks.example.test",
        "bbbb2222.tasks.example.test:80",
        "cccc3333.tasks.example.test",
        "dddd4444.tasks.example.test",
        "eeee5555.tasks.example.test",
        "taskgate.tasks.example.test",
        "ae5cf6f5",
        "2ef4261c",
        "aaaa1111",
        "a8ef7695-3de07913-5103e8-e29a6707",
        "example_grpc_server",
        "server",
        "Bearer tok",
        "OAuth tok",
        "Basic tok",
        "tok",
        "/p?api_token=tok&a=1",
        "/p?a=1&%61pi_token=tok",
        "a=1; YTCypressCookie=tok; b=2",
        "YTCypressCookie tok; b=2",
        "__Host-taskgate=tok",
        "application/grpc",
        "text/html",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .chain(sealed_values())
    .collect();
    prop_oneof![
        8 => prop::sample::select(known),
        1 => prop::collection::vec(any::<u8>(), 0..24),
        1 => "[a-zA-Z0-9=;&?/ ._%-]{0,24}".prop_map(String::into_bytes),
    ]
}

/// Good and ended sessions, as cookies and as bearers.
fn sealed_values() -> Vec<Vec<u8>> {
    ["ae5cf6f5", "bbbb2222", "aaaa1111"]
        .iter()
        .flat_map(|id| [token(id, after(1)), token(id, NOW)])
        .flat_map(|token| [format!("a=1; __Host-taskgate={token}"), format!("Bearer {token}")])
        .map(String::into_bytes)
        .collect()
}

fn headers() -> impl Strategy<Value = Vec<Header>> {
    let name = prop_oneof![
        8 => prop::sample::select(NAMES.as_slice()).prop_map(|name| name.as_bytes().to_vec()),
        1 => "[xX][_-][tT]askgate[_-][a-z0-9_-]{0,60}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..48),
    ];
    let host = prop::option::weighted(
        0.9,
        prop::sample::select(vec!["ae5cf6f5", "2ef4261c", "aaaa1111", "bbbb2222", "eeee5555"]),
    );
    (host, prop::collection::vec((name, value()), 0..7)).prop_map(|(host, mut headers)| {
        if let Some(host) = host {
            headers.retain(|(name, _)| name != b":authority");
            headers.insert(0, (b":authority".to_vec(), format!("{host}.{BASE}").into_bytes()));
        }
        headers
    })
}

fn read(headers: &[Header]) -> Request<'_> {
    Request::read(headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice())))
}

/// Whose the addresses are; they are all of one service.
fn owner(edits: &RequestEdits) -> Option<Service<'static>> {
    services().into_iter().find(|service| {
        edits
            .upstream
            .candidates
            .iter()
            .all(|address| service.endpoints.iter().any(|endpoint| endpoint.address == *address))
    })
}

fn contains(headers: &[Header], text: &str) -> bool {
    headers.iter().any(|(_, value)| value.windows(text.len()).any(|part| part == text.as_bytes()))
}

/// The decision once the sidecar has answered what it is asked, and what it was asked.
fn decided(gate: &mut Gate, headers: &[Header], answer: VerdictAnswer) -> (Decision, Option<VerdictQuery>) {
    match gate.on_request(&read(headers), NOW) {
        Step::Done(decision) => (decision, None),
        Step::Ask(question) => {
            let learned = gate.learn(question.key, answer, NOW);
            (gate.on_verdict(question.pending, &learned), Some(question.query))
        }
    }
}

/// The name as a job's server may read it: without case, `_` as `-`.
fn folded(name: &[u8]) -> String {
    name.iter().map(|byte| if *byte == b'_' { '-' } else { char::from(byte.to_ascii_lowercase()) }).collect()
}

/// Written down once more, and not taken from the product.
fn is_ours(name: &[u8]) -> bool {
    let name = folded(name);
    let identity =
        ["x-forwarded-user", "x-forwarded-email", "x-forwarded-groups", "x-arvados-user-uuid", "x-yt-user-name"];
    name.starts_with("x-taskgate-") || name.starts_with("x-yt-taskproxy-") || identity.contains(&name.as_str())
}

/// What the job gets, identity and addresses aside.
fn carried_out(headers: &[Header], edits: &RequestEdits) -> Vec<Header> {
    let mut left = headers.to_vec();
    left.retain(|(name, _)| !edits.remove.iter().any(|gone| gone.eq_ignore_ascii_case(name)));
    let mut edit = |name: &[u8], edit: &FieldEdit| {
        if *edit != FieldEdit::Keep {
            left.retain(|(found, _)| !found.eq_ignore_ascii_case(name));
        }
        if let FieldEdit::Set(value) = edit {
            left.push((name.to_vec(), value.clone()));
        }
    };
    edit(b"authorization", &edits.authorization);
    edit(b"cookie", &edits.cookie);
    if let Some(path) = &edits.path {
        edit(b":path", &FieldEdit::Set(path.clone()));
    }
    left
}

fn values<'h>(headers: &'h [Header], name: &'h str) -> impl Iterator<Item = String> {
    headers
        .iter()
        .filter(move |(found, _)| found.eq_ignore_ascii_case(name.as_bytes()))
        .map(|(_, value)| value.iter().map(|byte| char::from(*byte)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn nobody_gets_in_without_a_session_or_a_verdict(headers in headers()) {
        match gate().on_request(&read(&headers), NOW) {
            Step::Ask(question) => {
                let query = question.query;
                prop_assert!(contains(&headers, &query.credential.value), "asked about what was not sent");
                prop_assert!(!query.credential.value.starts_with("tg1."), "a sealed token goes nowhere");
            }
            Step::Done(Decision::Permit(edits)) => {
                let service = owner(&edits).expect("addresses of one service");
                let session = contains(&headers, &token(service.id, after(1)));
                prop_assert!(service.access == AccessLevel::Public || session, "{} let somebody in", service.id);
                prop_assert!(session || edits.identity().is_none(), "an identity out of nothing");
            }
            Step::Done(Decision::Redirect(reply)) => prop_assert!(false, "{:?}", reply),
            Step::Done(Decision::Refuse(..)) => {}
        }
    }

    #[test]
    fn who_is_asked_about_is_who_is_reached(headers in headers()) {
        if let (Decision::Permit(edits), Some(query)) = decided(&mut gate(), &headers, allow(30)) {
            prop_assert_eq!(owner(&edits).map(|service| service.id), Some(query.service.as_str()));
        }
    }

    #[test]
    fn a_denial_or_no_answer_lets_nobody_in(headers in headers()) {
        for (answer, denial) in [(deny(), Denial::AccessDenied), (VerdictAnswer::Unavailable, Denial::VerdictUnavailable)] {
            if let (decision, Some(_)) = decided(&mut gate(), &headers, answer) {
                prop_assert_eq!(outcome(decision), Err(denial));
            }
        }
    }

    #[test]
    fn what_is_ours_never_survives_and_nothing_else_is_lost(headers in headers()) {
        if let (Decision::Permit(edits), _) = decided(&mut gate(), &headers, allow(30)) {
            let left = carried_out(&headers, &edits);
            prop_assert!(!left.iter().any(|(name, _)| is_ours(name)), "{:?}", left);
            let touched = ["authorization", "cookie", ":path"];
            let others = |headers: &[Header]| -> Vec<Header> {
                headers.iter().filter(|(name, _)| !is_ours(name) && !touched.contains(&folded(name).as_str())).cloned().collect()
            };
            prop_assert_eq!(others(&left), others(&headers));
        }
    }

    #[test]
    fn no_credential_of_the_platform_reaches_a_job(headers in headers()) {
        if let (Decision::Permit(edits), query) = decided(&mut gate(), &headers, allow(30))
            && owner(&edits).is_some_and(|service| !service.forward_credential)
        {
            let left = carried_out(&headers, &edits);
            for value in values(&left, "authorization") {
                let value = value.trim_start().to_ascii_lowercase();
                prop_assert!(!value.starts_with("oauth tok") && !value.starts_with("bearer tg1."), "{}", value);
            }
            for crumb in values(&left, "cookie").flat_map(|line| line.split(';').map(str::to_owned).collect::<Vec<_>>()) {
                let name = crumb.split_once('=').map(|(name, _)| name.trim_matches(' ').to_owned());
                prop_assert!(!["YTCypressCookie", "__Host-taskgate"].map(|ours| Some(ours.into())).contains(&name), "{}", crumb);
                prop_assert!(!crumb.trim_start().starts_with("YTCypressCookie "), "{}", crumb);
            }
            for path in values(&left, ":path") {
                prop_assert!(!path.contains("pi_token=tok"), "{}", path);
            }
            let bearer_was_used = query.is_some_and(|query| query.credential.scheme == crate::verdict::Scheme::Bearer)
                && values(&headers, "x-taskgate-authorization").next().is_none();
            prop_assert!(!(bearer_was_used && values(&left, "authorization").next().is_some()), "the one that was used");
        }
    }

    #[test]
    fn the_order_of_different_headers_does_not_matter(headers in headers()) {
        let mut names = std::collections::HashSet::new();
        let headers: Vec<Header> = headers.into_iter().filter(|(name, _)| names.insert(folded(name))).collect();
        let text = |headers: &[Header]| match decided(&mut gate(), headers, allow(30)) {
            (Decision::Permit(mut edits), query) => {
                edits.remove.sort();
                format!("{edits:?} {query:?}")
            }
            (decision, query) => format!("{decision:?} {query:?}"),
        };
        let reversed: Vec<Header> = headers.iter().rev().cloned().collect();
        prop_assert_eq!(text(&headers), text(&reversed));
    }

    #[test]
    fn a_gate_that_knows_nothing_refuses_everything(headers in headers()) {
        let mut gate = Gate::new(7, true);
        prop_assert_eq!(settled(gate.on_request(&read(&headers), NOW)), Some(Err(Denial::TableLoading)));
    }
}
