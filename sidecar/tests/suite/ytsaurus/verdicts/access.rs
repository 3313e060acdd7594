//! Who may use an operation's services, asked of the cluster directly.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;
use taskgate::auth::actor::Actor;
use taskgate::discovery::inventory::{Entry, ServiceKey};
use taskgate::discovery::policy::{Authorisation, Policy};
use taskgate::ytsaurus::access::{Access, Acls};
use taskgate_core::identity::WireIdentity;
use taskgate_core::service::{AccessLevel, Protocol};
use taskgate_emulators::ytsaurus::{ClusterError, Fault, Ytsaurus};
use tokio::time::Instant;

use crate::ytsaurus::support::{client, yson};
use crate::ytsaurus::verdicts::stage::with_operation;

fn actor(name: &str) -> Actor {
    Actor::new(WireIdentity { actor: name.into(), ..WireIdentity::default() }, None).expect("an actor")
}

fn entry(operation: &str, access: AccessLevel) -> Entry {
    let key = ServiceKey { operation: operation.into(), task: "web".into(), service: "ui".into() };
    Entry {
        key: Arc::new(key),
        alternatives: Vec::new(),
        alias: None,
        protocol: Protocol::Http,
        endpoints: Vec::new(),
        policy: Policy { access, owner: Some("alice".into()), grants: Vec::new(), revision: 0 },
        forward_credential: false,
        names: Vec::new(),
        vouched: false,
        path: None,
    }
}

fn access(cluster: &Ytsaurus) -> (Access, Arc<Acls>) {
    let acls = Arc::new(Acls::default());
    (Access::new(client(&cluster.url()), Arc::clone(&acls)), acls)
}

#[tokio::test]
async fn levels_are_permissions_of_the_cluster() {
    let (cluster, operation) = with_operation().await;
    let (access, _) = access(&cluster);
    let acl = "[{action=allow; subjects=[bob]; permissions=[read]}; \
               {action=allow; subjects=[carol]; permissions=[read; manage]}]";
    cluster.set_acl(operation, yson(acl));
    let allowed =
        async |level, name: &str| match access.authorise(&entry(&operation.to_string(), level), &actor(name)).await {
            Authorisation::Allow => true,
            Authorisation::AccessDenied => false,
            other => panic!("{other:?}"),
        };
    let expected = [
        (AccessLevel::CanRead, [true, true, true, false]),
        (AccessLevel::CanWrite, [true, false, true, false]),
        (AccessLevel::CanManage, [true, false, true, false]),
    ];
    for (level, expected) in expected {
        for (name, expected) in ["alice", "bob", "carol", "mallory"].into_iter().zip(expected) {
            assert_eq!(allowed(level, name).await, expected, "{name} at {level:?}");
        }
    }
    // Names alone decide about the rest.
    let calls = cluster.count("check_operation_permission");
    for (level, name, expected) in [
        (AccessLevel::Owner, "alice", true),
        (AccessLevel::Owner, "carol", false),
        (AccessLevel::Nobody, "alice", false),
        (AccessLevel::Public, "mallory", true),
    ] {
        assert_eq!(allowed(level, name).await, expected, "{name} at {level:?}");
    }
    assert_eq!(cluster.count("check_operation_permission"), calls);
}

#[tokio::test]
async fn an_operation_that_is_gone_is_no_service_any_more() {
    let (cluster, operation) = with_operation().await;
    let (access, _) = access(&cluster);
    cluster.remove_operation(operation);
    let entry = entry(&operation.to_string(), AccessLevel::CanRead);
    assert_eq!(access.authorise(&entry, &actor("alice")).await, Authorisation::UnknownService);
}

#[tokio::test]
async fn a_user_who_is_gone_may_not_whatever_the_name() {
    let (cluster, operation) = with_operation().await;
    let (access, _) = access(&cluster);
    let entry = entry(&operation.to_string(), AccessLevel::CanRead);
    for name in ["dave", "жанна é", "a\"b\\"] {
        assert_eq!(access.authorise(&entry, &actor(name)).await, Authorisation::AccessDenied, "{name}");
    }
    // As the cluster quotes names.
    let error = ClusterError::generic(r#"No such user "\xd0\xb6""#);
    cluster.fail("check_operation_permission", 2, Fault::Refuse { status: 400, error });
    assert_eq!(access.authorise(&entry, &actor("ж")).await, Authorisation::AccessDenied);
    let other = access.authorise(&entry, &actor("з")).await;
    assert!(matches!(other, Authorisation::Unavailable(_)), "{other:?}");
}

#[tokio::test]
async fn an_old_cluster_is_tried_again_now_and_then() {
    let (cluster, operation) = with_operation().await;
    let (access, acls) = access(&cluster);
    cluster.set_command("check_operation_permission", false);
    let entry = entry(&operation.to_string(), AccessLevel::CanRead);
    let decided = async |name: &str| access.authorise(&entry, &actor(name)).await;
    let Authorisation::Unavailable(reason) = decided("bob").await else { panic!("decided") };
    assert!(reason.contains("no access list of its own"), "{reason}");
    let acl = r#"[{"action": "allow", "subjects": ["bob", "\u00d0\u00b0"], "permissions": ["read"]}]"#;
    let acl: Arc<RawValue> = RawValue::from_string(acl.into()).expect("JSON").into();
    acls.replace(HashMap::from([(operation.to_string(), acl)]));
    assert_eq!(decided("bob").await, Authorisation::Allow);
    assert_eq!(decided("mallory").await, Authorisation::AccessDenied);
    cluster.add_user("а", "token");
    assert_eq!(decided("а").await, Authorisation::Allow);
    assert_eq!(cluster.count("check_operation_permission"), 1);
    // Renewed, the cluster counts as old for a while.
    cluster.set_command("check_operation_permission", true);
    assert_eq!(decided("bob").await, Authorisation::Allow);
    assert_eq!(cluster.count("check_operation_permission"), 1);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(600)).await;
    tokio::time::resume();
    assert_eq!(decided("bob").await, Authorisation::Allow);
    assert_eq!((cluster.count("check_operation_permission"), cluster.count("check_permission_by_acl")), (2, 4));
}

#[tokio::test]
async fn a_cluster_that_hangs_is_not_waited_for_long() {
    let (cluster, operation) = with_operation().await;
    let (access, _) = access(&cluster);
    cluster.fail("check_operation_permission", u64::MAX, Fault::Hang);
    let started = Instant::now();
    let decided = access.authorise(&entry(&operation.to_string(), AccessLevel::CanRead), &actor("alice")).await;
    assert!(matches!(decided, Authorisation::Unavailable(_)), "{decided:?}");
    assert!(started.elapsed() < Duration::from_millis(2_500), "{:?}", started.elapsed());
}
