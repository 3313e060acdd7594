//! From running containers to services.

use serde_json::json;
use taskgate_core::service::AccessLevel;
use taskgate_emulators::arvados::{Level, Submission};

use crate::arvados::support::{Stage, only, port, reasons};

const LISTED: &str = ", addresses: [10.1.0.0/16]";

#[tokio::test]
async fn a_container_that_runs_is_a_service_for_each_published_port() {
    let stage = Stage::new().await;
    let ports = json!({"8080": port("private"), "80": port("public")});
    let addresses = json!({"taskgate.addr": {"8080": "10.1.2.3:8888", "80": "10.1.2.3:80"}});
    let (request, container) =
        stage.cluster.start_service(Submission::new(&stage.alice).ports(ports).properties(addresses));
    let inventory = stage.discovery(LISTED).round().await.expect("a round");
    assert_eq!(reasons(&inventory), "");
    let seen: Vec<_> = inventory
        .services
        .iter()
        .map(|entry| {
            let endpoints: Vec<String> = entry.endpoints.iter().map(|one| one.address.to_string()).collect();
            (entry.key.service.as_str(), entry.policy.access, endpoints.join(" "))
        })
        .collect();
    let expected = [
        ("port_80", AccessLevel::Public, "10.1.2.3:80".to_owned()),
        ("port_8080", AccessLevel::Owner, "10.1.2.3:8888".to_owned()),
    ];
    assert_eq!(seen, expected);
    let entry = &inventory.services[1];
    assert_eq!((entry.key.operation.as_str(), entry.key.task.as_str()), (container.as_str(), "container"));
    assert_eq!(entry.policy.owner.as_deref(), Some(stage.alice.as_str()));
    assert_eq!(entry.names, [format!("{container}-8080"), format!("{request}-8080")]);
    assert!(!entry.vouched && !entry.forward_credential);
}

#[tokio::test]
async fn pages_are_read_until_one_is_empty() {
    let stage = Stage::new().await;
    for _ in 0..9 {
        stage.service("private", json!({}));
    }
    stage.cluster.set_page(2);
    let inventory = stage.discovery("").round().await.expect("a round");
    assert_eq!(inventory.services.len(), 9);
    // Nothing but an empty page ends a listing.
    let lists = stage.cluster.seen("/arvados/v1/container_requests").len();
    assert!(lists >= 6, "{lists}");
}

#[tokio::test]
async fn a_container_has_names_before_it_starts_and_none_after_its_end() {
    let stage = Stage::new().await;
    let submission = Submission::new(&stage.alice).ports(json!({"8080": port("private")}));
    let (_, container) = stage.cluster.submit(submission);
    let mut discovery = stage.discovery(LISTED);
    let inventory = discovery.round().await.expect("a round");
    assert!(only(&inventory).endpoints.is_empty());
    assert_eq!(only(&inventory).policy.owner.as_deref(), Some(stage.alice.as_str()));
    assert_eq!(reasons(&inventory), "", "to have no address yet is no trouble");
    stage.cluster.set_state(&container, "Locked");
    assert!(only(&discovery.round().await.expect("a round")).endpoints.is_empty());
    stage.cluster.run(&container, &stage.alice);
    assert_eq!(discovery.round().await.expect("a round").services.len(), 1);
    stage.cluster.set_state(&container, "Complete");
    assert!(discovery.round().await.expect("a round").services.is_empty());
    let mut without = stage.discovery(", starting: false");
    let submission = Submission::new(&stage.alice).ports(json!({"8080": port("private")}));
    let _ = stage.cluster.submit(submission);
    assert!(without.round().await.expect("a round").services.is_empty());
}

#[tokio::test]
async fn a_second_request_of_another_user_changes_nothing() {
    let stage = Stage::new().await;
    let (_, container) = stage.service("private", json!({}));
    let mut discovery = stage.discovery(", private: can_read");
    let before = discovery.round().await.expect("a round");
    // Bob asks for the same, with an open port and an address of his; Arvados gives him alice's container.
    let bobs = Submission::new(&stage.bob)
        .ports(json!({"8080": port("public"), "9999": port("public")}))
        .properties(json!({"taskgate.access": {"8080": "public"}, "taskgate.addr": {"8080": "10.1.6.6:6"}}))
        .reusing(&container);
    let (request, _) = stage.cluster.submit(bobs);
    for discovery in [&mut discovery, &mut stage.discovery(", private: can_read")] {
        let after = discovery.round().await.expect("a round");
        let (one, two) = (only(&before), only(&after));
        assert_eq!((&one.key, &one.policy, &one.endpoints), (&two.key, &two.policy, &two.endpoints));
        assert!(reasons(&after).contains("only restrict"), "{}", reasons(&after));
        // His own name for it leads to alice's service, with alice's policy.
        assert!(two.names.contains(&format!("{request}-8080")));
    }
}

#[tokio::test]
async fn who_changes_a_request_last_does_not_become_its_owner() {
    let stage = Stage::new().await;
    let (request, _) = stage.service("private", json!({"taskgate.access": {"8080": "owner"}}));
    let mut discovery = stage.discovery("");
    assert_eq!(only(&discovery.round().await.expect("a round")).policy.access, AccessLevel::Owner);
    let open = json!({"properties": {"taskgate.access": {"8080": "public"}}});
    stage.cluster.change(&request, &stage.bob, open.clone());
    for discovery in [&mut discovery, &mut stage.discovery("")] {
        let entry = only(&discovery.round().await.expect("a round")).clone();
        assert_eq!((entry.policy.access, entry.policy.owner.as_deref()), (AccessLevel::Owner, Some(&*stage.alice)));
    }
    // Alice changes its name, and not what bob wrote.
    stage.cluster.change(&request, &stage.alice, json!({"name": "mine"}));
    assert_eq!(only(&discovery.round().await.expect("a round")).policy.access, AccessLevel::Owner);
    stage.cluster.change(&request, &stage.alice, json!({"properties": {}}));
    discovery.round().await.expect("a round");
    stage.cluster.change(&request, &stage.alice, open);
    assert_eq!(only(&discovery.round().await.expect("a round")).policy.access, AccessLevel::Public);
}

#[tokio::test]
async fn what_the_owner_restricted_stays_so_when_the_sidecar_starts_anew() {
    let stage = Stage::new().await;
    let (request, _) = stage.service("public", json!({"taskgate.access": {"8080": "owner"}}));
    stage.cluster.change(&request, &stage.bob, json!({"name": "renamed"}));
    let inventory = stage.discovery("").round().await.expect("a round");
    assert_eq!(only(&inventory).policy.access, AccessLevel::Owner);
    // Nobody widens what is there without a word.
    stage.cluster.change(&request, &stage.bob, json!({"properties": {"taskgate.access": {"8080": "public"}}}));
    let inventory = stage.discovery(", public: false").round().await.expect("a round");
    assert_eq!(only(&inventory).policy.access, AccessLevel::CanRead);
    let (request, _) = stage.service("private", json!({}));
    stage.cluster.change(&request, &stage.bob, json!({"properties": {"taskgate.access": {"8080": "public"}}}));
    let inventory = stage.discovery("").round().await.expect("a round");
    assert!(inventory.services.iter().any(|entry| entry.policy.access == AccessLevel::Owner), "{inventory:?}");
}

#[tokio::test]
async fn a_container_that_adds_its_address_does_not_make_others_words_its_own() {
    let stage = Stage::new().await;
    let (request, _) = stage.service("private", json!({"taskgate.access": {"8080": "owner"}}));
    let mut discovery = stage.discovery(LISTED);
    discovery.round().await.expect("a round");
    let theirs = json!({"8080": "public"});
    stage.cluster.change(&request, &stage.bob, json!({"properties": {"taskgate.access": theirs}}));
    discovery.round().await.expect("a round");
    let whole = json!({"properties": {"taskgate.access": theirs, "taskgate.addr": {"8080": "10.1.2.3:8888"}}});
    stage.cluster.change(&request, &stage.alice, whole);
    let inventory = discovery.round().await.expect("a round");
    assert_eq!((only(&inventory).policy.access, only(&inventory).endpoints.len()), (AccessLevel::Owner, 1));
}

#[tokio::test]
async fn an_address_is_one_owners_alone() {
    let stage = Stage::new().await;
    let address = json!({"taskgate.addr": {"8080": "10.1.2.3:8888"}});
    let (_, first) = stage.service("private", address.clone());
    let bobs = Submission::new(&stage.bob).ports(json!({"8080": port("public")}));
    let (_, second) = stage.cluster.start_service(bobs.properties(json!({"taskgate.addr": "[::ffff:10.1.2.3]:8888"})));
    let mut discovery = stage.discovery(LISTED);
    for _ in 0..2 {
        let inventory = discovery.round().await.expect("a round");
        for entry in &inventory.services {
            assert_eq!(entry.endpoints.is_empty(), entry.key.operation == second, "{entry:?}");
        }
        assert!(reasons(&inventory).contains("of somebody else"), "{}", reasons(&inventory));
    }
    // Where the first one is over, it is free.
    stage.cluster.set_state(&first, "Complete");
    discovery.round().await.expect("a round");
    assert_eq!(only(&discovery.round().await.expect("a round")).endpoints.len(), 1);
}

#[tokio::test]
async fn one_owner_has_room_for_so_many_services() {
    let stage = Stage::new().await;
    let ports: serde_json::Map<_, _> = (1..=100).map(|number| (number.to_string(), port("private"))).collect();
    for _ in 0..5 {
        let _ = stage.cluster.start_service(Submission::new(&stage.bob).ports(ports.clone().into()));
    }
    let (_, container) = stage.service("private", json!({}));
    let inventory = stage.discovery("").round().await.expect("a round");
    assert_eq!(inventory.services.len(), 257);
    assert!(inventory.services.iter().any(|entry| entry.key.operation == container));
    assert!(reasons(&inventory).contains("more than 256 services"), "{}", reasons(&inventory));
}

#[tokio::test]
async fn the_owners_own_request_gives_its_names_first() {
    let stage = Stage::new().await;
    let bobs = Submission::new(&stage.bob).ports(json!({"8080": port("private")}));
    let (older, container) = stage.cluster.submit(bobs);
    for _ in 0..7 {
        let _ = stage.cluster.submit(Submission::new(&stage.bob).reusing(&container));
    }
    let (request, _) = stage.cluster.submit(Submission::new(&stage.alice).reusing(&container));
    stage.cluster.run(&container, &stage.alice);
    for number in 0..9 {
        let _ = stage.cluster.name_port(&stage.alice, &format!("name{number}"), &request, 8080);
    }
    let inventory = stage.discovery("").round().await.expect("a round");
    let names = &only(&inventory).names;
    assert!(names.contains(&format!("{request}-8080")) && names.contains(&"name0".to_owned()), "{names:?}");
    assert!(!names.contains(&format!("{older}-8080")), "{names:?}");
}

#[tokio::test]
async fn the_level_is_what_the_owner_says_within_what_the_operator_permits() {
    for (written, rest, expected) in [
        (json!({}), "", AccessLevel::Owner),
        (json!({}), ", private: can_write", AccessLevel::CanWrite),
        (json!({"taskgate.access": {"8080": "can_manage"}}), "", AccessLevel::CanManage),
        (json!({"taskgate.access": {"8080": "nobody"}}), ", private: can_read", AccessLevel::Nobody),
        (json!({"taskgate.access": {"8080": "public"}}), "", AccessLevel::Public),
        (json!({"taskgate.access": {"8080": "public"}}), ", public: false", AccessLevel::CanRead),
        (json!({"taskgate.access": {"8080": "everybody"}}), ", private: can_read", AccessLevel::Nobody),
    ] {
        let stage = Stage::new().await;
        stage.service("private", written.clone());
        let inventory = stage.discovery(rest).round().await.expect("a round");
        assert_eq!(only(&inventory).policy.access, expected, "{written} {rest}");
    }
}

#[tokio::test]
async fn an_address_counts_where_the_operator_permits_it() {
    for (address, rest, expected) in [
        ("10.1.2.3:8888", LISTED, true),
        ("10.2.2.3:8888", LISTED, false),
        ("10.1.2.3:8888", "", false),
        ("127.0.0.1:7010", ", addresses: [0.0.0.0/0]", false),
        ("169.254.169.254:80", ", addresses: [0.0.0.0/0]", false),
        ("127.0.0.1:7010", ", addresses: [127.0.0.0/8]", true),
        ("node1:80", ", addresses: [0.0.0.0/0]", false),
    ] {
        let stage = Stage::new().await;
        stage.service("private", json!({"taskgate.addr": {"8080": address}}));
        let inventory = stage.discovery(rest).round().await.expect("a round");
        assert_eq!(!only(&inventory).endpoints.is_empty(), expected, "{address} {rest}");
        assert_eq!(reasons(&inventory).is_empty(), expected, "{address} {rest}");
    }
}

#[tokio::test]
async fn a_port_that_is_not_published_is_its_owners_alone() {
    let stage = Stage::new().await;
    let properties = json!({"taskgate.addr": {"8080": "10.1.2.3:1", "22": "10.1.2.3:2"},
        "taskgate.access": {"22": "public"}});
    stage.service("private", properties);
    let inventory = stage.discovery(LISTED).round().await.expect("a round");
    assert_eq!(only(&inventory).key.service, "port_8080");
    assert!(reasons(&inventory).contains("not published"));
    let inventory = stage.discovery(", addresses: [10.1.0.0/16], unpublished: true").round().await.expect("a round");
    let entry = inventory.services.iter().find(|entry| entry.key.service == "port_22").expect("the port");
    assert_eq!(entry.policy.access, AccessLevel::Owner);
}

#[tokio::test]
async fn friendly_names_are_the_owners_to_give() {
    let stage = Stage::new().await;
    let (request, container) = stage.service("private", json!({}));
    let name = |user: &str, name: &str| {
        let _ = stage.cluster.name_port(user, name, &request, 8080);
    };
    name(&stage.alice, "ollama");
    name(&stage.bob, "grabbed");
    name(&stage.alice, "Upper");
    name(&stage.alice, "a.b");
    name(&stage.alice, &"x".repeat(64));
    name(&stage.alice, "zzzzz-dz642-000000000000009-8080");
    name(&stage.alice, "");
    let inventory = stage.discovery("").round().await.expect("a round");
    assert_eq!(only(&inventory).names, [format!("{container}-8080"), "ollama".into(), format!("{request}-8080")]);
    let reasons = reasons(&inventory);
    for part in ["`grabbed` is not the owner's", "`Upper` has upper case", "like that of a record", "longer than 63"] {
        assert!(reasons.contains(part), "{part}: {reasons}");
    }
}

#[tokio::test]
async fn what_is_shared_with_the_anonymous_user_is_open_to_all() {
    let stage = Stage::new().await;
    let anonymous = stage.cluster.add_token(&stage.cluster.anonymous_user());
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("anonymous");
    std::fs::write(&path, &anonymous).expect("writes");
    let project = stage.cluster.add_group(&stage.alice, "project");
    let ports = json!({"1": port("private"), "2": port("private")});
    let properties = json!({"taskgate.access": {"1": "can_read"}});
    let submission = Submission::new(&stage.alice).owner(&project).ports(ports).properties(properties);
    let _ = stage.cluster.start_service(submission);
    let mut discovery = stage.discovery(&format!(", anonymous_token_file: \"{}\"", path.display()));
    let mut levels = async || {
        let inventory = discovery.round().await.expect("a round");
        inventory.services.iter().map(|entry| entry.policy.access).collect::<Vec<_>>()
    };
    assert_eq!(levels().await, [AccessLevel::CanRead, AccessLevel::Owner]);
    let link = stage.cluster.share(&stage.cluster.anonymous_group(), &project, Level::Read);
    assert_eq!(levels().await, [AccessLevel::Public, AccessLevel::Owner]);
    stage.cluster.remove(&link);
    assert_eq!(levels().await, [AccessLevel::CanRead, AccessLevel::Owner]);
}

#[tokio::test]
async fn a_bad_port_costs_itself_alone() {
    let stage = Stage::new().await;
    let ports = json!({"8080": port("private"), "0": port("public"), "80x": port("public"), "81": {"access": "all"}});
    let _ = stage.cluster.start_service(Submission::new(&stage.alice).ports(ports));
    let _ = stage.cluster.start_service(Submission::new(&stage.bob).ports(json!({"1": null})));
    let inventory = stage.discovery("").round().await.expect("a round");
    assert_eq!(only(&inventory).key.service, "port_8080");
    assert_eq!(reasons(&inventory).matches("published port").count(), 4, "{}", reasons(&inventory));
}
