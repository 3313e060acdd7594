//! What the sidecar's account needs: what the chart's Role gives it, and no more.

use std::collections::BTreeSet;

use serde_json::Value;
use taskgate::gateway::ledger::{LeaseError, Ledger as _, ReserveError};
use taskgate::gateway::plane::{Plane as _, PlaneError};
use taskgate_emulators::kubernetes::Rule;
use taskgate_test_kit::environment;

use super::stage::{MODES, REST, Stage, range, reserve, service, wish};

/// The rules that the chart writes into its Role.
pub(super) fn rules() -> Vec<Rule> {
    let path = environment::repository().join("deploy/helm/taskgate/files/gateway-rules.yaml");
    let text = std::fs::read_to_string(path).expect("the rules");
    let rules: Value = serde_saphyr::from_str(&text).expect("YAML");
    let texts = |value: &Value| -> Vec<String> {
        let all = value.as_array().expect("a list");
        all.iter().map(|text| text.as_str().expect("text").to_owned()).collect()
    };
    let rules = rules.as_array().expect("a list").iter().flat_map(|rule| {
        let (group, verbs) = (texts(&rule["apiGroups"]).concat(), texts(&rule["verbs"]));
        let each = move |resource| Rule { group: group.clone(), resource, verbs: verbs.clone() };
        texts(&rule["resources"]).into_iter().map(each).collect::<Vec<_>>()
    });
    rules.collect()
}

#[tokio::test]
async fn the_rules_of_the_chart_are_enough_and_each_is_needed() {
    let mut used = BTreeSet::new();
    for mode in MODES {
        let stage = Stage::start(mode).await;
        stage.cluster.allow(Some(rules()));
        let gateway = stage.life();
        let mut wish = wish(&gateway, range(3), &service("db", &["10.0.0.1:5432"])).await;
        stage.cluster.direct(taskgate_emulators::kubernetes::Script::OnDemand);
        let controller = async {
            let has_route = async || !stage.cluster.names("tcproutes").is_empty();
            taskgate_test_kit::wait_until(super::PATIENCE, "the route", has_route).await.expect("it is written");
            stage.cluster.direct(taskgate_emulators::kubernetes::Script::AtOnce);
        };
        let (programmed, ()) = tokio::join!(gateway.program(&wish), controller);
        programmed.expect("listens");
        wish.service = service("db", &["10.0.0.2:5432"]);
        gateway.program(&wish).await.expect("follows");
        assert_eq!(gateway.renew(std::slice::from_ref(&wish.lease)).await, Ok(Vec::new()));
        assert_eq!(gateway.release_unseen(&wish.lease, REST, REST).await, Ok(true));
        stage.clock.advance(REST);
        stage.life().observe().await.expect("looks");
        assert_eq!(stage.left(), Vec::<String>::new(), "{mode:?}");
        for call in stage.cluster.calls() {
            let mut words = call.split(' ');
            used.insert(format!("{} {}", words.next().expect("a verb"), words.next().expect("a resource")));
        }
    }
    let of = |resource: &str| {
        let verbs = used.iter().filter_map(|call| call.strip_suffix(resource)?.strip_suffix(' '));
        verbs.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    // Following is no call with an end, and services and routes hardly ever change.
    for rule in rules() {
        let used = of(&rule.resource);
        let seldom: &[&str] = if rule.resource == "gateways" { &["watch"] } else { &["watch", "get", "patch"] };
        let needless = rule.verbs.iter().filter(|verb| !used.contains(*verb) && !seldom.contains(&verb.as_str()));
        assert_eq!(needless.collect::<Vec<_>>(), Vec::<&String>::new(), "{}", rule.resource);
    }
}

#[tokio::test]
async fn an_account_that_may_not_is_told_what_it_may_not() {
    for mode in MODES {
        let stage = Stage::start(mode).await;
        stage.cluster.allow(Some(Vec::new()));
        let Err(LeaseError::Unavailable(reason)) = stage.life().list().await else { panic!("it may not") };
        assert!(reason.contains("the sidecar's account may not") && reason.contains("forbidden"), "{reason}");
        let mut some = rules();
        some.retain(|rule| rule.resource != "services");
        stage.cluster.allow(Some(some));
        let gateway = stage.life();
        let wish = wish(&gateway, range(3), &service("db", &["10.0.0.1:5432"])).await;
        let Err(PlaneError::Unavailable(reason)) = gateway.program(&wish).await else { panic!("it may not") };
        assert!(reason.contains("resource \"services\" in API group \"\" in the namespace \"edge\""), "{reason}");
        stage.cluster.allow(Some(Vec::new()));
        let other = service("other", &[]);
        assert!(matches!(reserve(&gateway, range(3), &other).await, Err(ReserveError::Unavailable(_))));
    }
}
