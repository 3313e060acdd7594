//! Who may use what, by their own token and without one.

use serde_json::json;
use taskgate::arvados::access::Access;
use taskgate::arvados::client::Client;
use taskgate::arvados::lent::Lent;
use taskgate::arvados::uuid::Uuid;
use taskgate::auth::actor::Actor;
use taskgate::config::arvados::PeopleBy;
use taskgate::discovery::inventory::Entry;
use taskgate::discovery::policy::Authorisation;
use taskgate_core::identity::WireIdentity;
use taskgate_core::service::AccessLevel;
use taskgate_emulators::arvados::{Level, Submission};

use crate::arvados::support::{Stage, eventually, id, only, port};
use crate::kit::{START, bearer, outcome};

/// Alice's service, and what is asked about it.
struct Levels {
    stage: Stage,
    request: String,
    access: Access,
    entry: Entry,
}

impl Levels {
    async fn new() -> Self {
        Self::with(true).await
    }

    async fn with(admins: bool) -> Self {
        let stage = Stage::new().await;
        let project = stage.cluster.add_group(&stage.alice, "project");
        let ports = json!({"8080": port("private")});
        let (request, _) = stage.cluster.start_service(Submission::new(&stage.alice).owner(&project).ports(ports));
        let settings = stage.settings("");
        let client = Client::new(settings.cluster.clone()).expect("a client");
        let known = std::sync::Arc::default();
        let mut discovery =
            taskgate::arvados::discovery::Discovery::new(settings, client.clone(), None, std::sync::Arc::clone(&known));
        let entry = only(&discovery.round().await.expect("a round")).clone();
        Self { stage, request, access: Access::new(client, known, admins), entry }
    }

    /// As after a restart of the sidecar.
    async fn restart(&mut self) {
        let settings = self.stage.settings("");
        let client = Client::new(settings.cluster.clone()).expect("a client");
        let known = std::sync::Arc::default();
        let mut discovery =
            taskgate::arvados::discovery::Discovery::new(settings, client.clone(), None, std::sync::Arc::clone(&known));
        self.entry = only(&discovery.round().await.expect("a round")).clone();
        self.access = Access::new(client, known, true);
    }

    fn at(&self, access: AccessLevel) -> Entry {
        let mut entry = self.entry.clone();
        entry.policy.access = access;
        entry
    }

    /// What a user is told with a token of theirs, and without one; both have to agree.
    async fn told(&self, user: &str, access: AccessLevel) -> Authorisation {
        let token = self.stage.cluster.add_token(user);
        let (actor, entry) = (actor(user), self.at(access));
        let with = self.access.authorise(&entry, &actor, Some(&bearer(&token))).await;
        let without = self.access.authorise(&entry, &actor, None).await;
        assert_eq!(with, without, "{access:?}");
        with
    }
}

fn actor(uuid: &str) -> Actor {
    let identity = WireIdentity { actor: uuid.into(), arvados_user_uuid: Some(uuid.into()), ..WireIdentity::default() };
    Actor::new(identity, None).expect("an actor")
}

const ALL: [AccessLevel; 5] =
    [AccessLevel::CanRead, AccessLevel::CanWrite, AccessLevel::CanManage, AccessLevel::Owner, AccessLevel::Nobody];

#[tokio::test]
async fn levels_are_those_of_the_cluster() {
    use Authorisation::{AccessDenied, Allow, UnknownService};

    let levels = Levels::new().await;
    let cluster = &levels.stage.cluster;
    let [reader, writer, manager, stranger] =
        ["reader", "writer", "manager", "stranger"].map(|name| cluster.add_user(name));
    for (user, level) in [(&reader, Level::Read), (&writer, Level::Write), (&manager, Level::Manage)] {
        let _ = cluster.share(user, &levels.request, level);
    }
    for (user, expected) in [
        (&levels.stage.alice, [Allow, Allow, Allow, Allow, AccessDenied]),
        (&manager, [Allow, Allow, Allow, AccessDenied, AccessDenied]),
        (&writer, [Allow, Allow, AccessDenied, AccessDenied, AccessDenied]),
        (&reader, [Allow, AccessDenied, AccessDenied, AccessDenied, AccessDenied]),
        (&stranger, [UnknownService, UnknownService, UnknownService, UnknownService, UnknownService]),
    ] {
        for (access, expected) in ALL.into_iter().zip(expected) {
            assert_eq!(levels.told(user, access).await, expected, "{user} at {access:?}");
        }
    }
}

#[tokio::test]
async fn who_may_not_share_keeps_what_they_were_let_in_with() {
    let mut levels = Levels::new().await;
    let lent = Lent::default();
    levels.access = levels.access.lending(Some(lent.clone()));
    let cluster = &levels.stage.cluster;
    let (reader, container) = (cluster.add_user("reader"), levels.entry.key.operation.clone());
    let _ = cluster.share(&reader, &levels.request, Level::Read);
    assert_eq!(levels.told(&reader, AccessLevel::CanRead).await, Authorisation::Allow);
    let entry = levels.at(AccessLevel::CanRead);
    assert_eq!(levels.access.may_share(&entry, &actor(&reader), None).await, Authorisation::AccessDenied);
    let user = Uuid::parse(&reader).expect("a name");
    assert!(lent.of(&user, &container, START).await.is_some());
    // Who may not use it any more has nothing there.
    assert_eq!(levels.told(&reader, AccessLevel::Owner).await, Authorisation::AccessDenied);
    assert!(lent.of(&user, &container, START).await.is_none());
}

#[tokio::test]
async fn levels_come_by_projects_and_roles_too() {
    let levels = Levels::new().await;
    let cluster = &levels.stage.cluster;
    let project = cluster.field(&levels.request, "owner_uuid").as_str().expect("a project").to_owned();
    let role = cluster.add_group(&cluster.system_user(), "role");
    let carol = cluster.add_user("carol");
    let _ = cluster.share(&carol, &role, Level::Read);
    assert_eq!(levels.told(&carol, AccessLevel::CanRead).await, Authorisation::UnknownService);
    let _ = cluster.share(&role, &project, Level::Write);
    assert_eq!(levels.told(&carol, AccessLevel::CanWrite).await, Authorisation::Allow);
    assert_eq!(levels.told(&carol, AccessLevel::CanManage).await, Authorisation::AccessDenied);
}

#[tokio::test]
async fn a_role_that_may_change_the_request_itself_counts_with_a_token_and_without() {
    let levels = Levels::new().await;
    let cluster = &levels.stage.cluster;
    let role = cluster.add_group(&cluster.system_user(), "role");
    let carol = cluster.add_user("carol");
    let _ = cluster.share(&carol, &role, Level::Read);
    let _ = cluster.share(&role, &levels.request, Level::Write);
    assert_eq!(levels.told(&carol, AccessLevel::CanWrite).await, Authorisation::Allow);
    assert_eq!(levels.told(&carol, AccessLevel::CanManage).await, Authorisation::AccessDenied);
    let narrow = cluster.add_scoped_token(&carol, &["GET /arvados/v1/container_requests"]);
    let entry = levels.at(AccessLevel::CanWrite);
    let told = levels.access.authorise(&entry, &actor(&carol), Some(&bearer(&narrow))).await;
    assert_eq!(told, Authorisation::AccessDenied, "a token for less gives less");
}

#[tokio::test]
async fn readers_stay_in_when_the_sidecar_starts_after_somebody_else_renamed_the_request() {
    let mut levels = Levels::new().await;
    let [reader, stranger] = ["reader", "stranger"].map(|name| levels.stage.cluster.add_user(name));
    let _ = levels.stage.cluster.share(&reader, &levels.request, Level::Read);
    levels.stage.cluster.change(&levels.request, &levels.stage.bob, json!({"name": "renamed"}));
    levels.restart().await;
    assert_eq!(levels.told(&reader, AccessLevel::CanRead).await, Authorisation::Allow);
    assert_eq!(levels.told(&stranger, AccessLevel::CanRead).await, Authorisation::UnknownService);
    // With a second request of which nothing is known either, nobody can say who reads the owner's.
    let _ = levels.stage.cluster.submit(Submission::new(&levels.stage.bob).reusing(&levels.entry.key.operation));
    levels.restart().await;
    let told = levels.told(&levels.stage.alice.clone(), AccessLevel::Owner).await;
    assert_eq!(told, Authorisation::Allow);
    for user in [&levels.stage.bob, &stranger] {
        let told = levels.access.authorise(&levels.at(AccessLevel::CanRead), &actor(user), None).await;
        assert!(matches!(told, Authorisation::Unavailable(_)), "{told:?}");
    }
}

#[tokio::test]
async fn administrators_may_use_everything_where_the_operator_wants_that() {
    for (admins, expected) in [(true, Authorisation::Allow), (false, Authorisation::AccessDenied)] {
        let levels = Levels::with(admins).await;
        let root = levels.stage.cluster.add_user("boss");
        levels.stage.cluster.change(&root, &root, json!({"is_admin": true}));
        let token = levels.stage.cluster.add_token(&root);
        let entry = levels.at(AccessLevel::Owner);
        assert_eq!(levels.access.authorise(&entry, &actor(&root), Some(&bearer(&token))).await, expected);
    }
}

#[tokio::test]
async fn a_token_for_less_than_everything_gives_no_more_than_it_is_for() {
    let levels = Levels::new().await;
    let (cluster, alice) = (&levels.stage.cluster, &levels.stage.alice);
    let narrow = cluster.add_scoped_token(alice, &["GET /arvados/v1/users/current"]);
    let wide = cluster.add_scoped_token(alice, &["GET /arvados/v1/container_requests"]);
    let entry = levels.at(AccessLevel::Owner);
    let told = async |token: &str| levels.access.authorise(&entry, &actor(alice), Some(&bearer(token))).await;
    assert_eq!(told(&narrow).await, Authorisation::AccessDenied);
    assert_eq!(told(&wide).await, Authorisation::Allow);
}

#[tokio::test]
async fn who_reuses_a_container_has_no_level_on_it() {
    let levels = Levels::new().await;
    let (cluster, bob) = (&levels.stage.cluster, &levels.stage.bob);
    let _ = cluster.submit(Submission::new(bob).reusing(&levels.entry.key.operation));
    for access in ALL {
        assert_eq!(levels.told(bob, access).await, Authorisation::UnknownService, "{access:?}");
    }
}

#[tokio::test]
async fn nobody_of_another_platform_is_taken_for_one_of_this() {
    let levels = Levels::new().await;
    let same_name = WireIdentity { actor: levels.stage.alice.clone(), ..WireIdentity::default() };
    let somebody = Actor::new(same_name, None).expect("an actor");
    let entry = levels.at(AccessLevel::CanRead);
    assert_eq!(levels.access.authorise(&entry, &somebody, None).await, Authorisation::UnknownService);
    let public = levels.at(AccessLevel::Public);
    assert_eq!(levels.access.authorise(&public, &somebody, None).await, Authorisation::Allow);
}

#[tokio::test]
async fn who_signed_in_is_the_user_with_that_address_where_the_operator_says_so() {
    let mut levels = Levels::new().await;
    let signed_in = |actor: &str, email: Option<&str>| {
        let identity = WireIdentity { actor: actor.into(), email: email.map(Into::into), ..WireIdentity::default() };
        Actor::new(identity, None).expect("an actor")
    };
    let entry = levels.at(AccessLevel::Owner);
    // What they showed is not for the cluster, whatever it looks like.
    let theirs = bearer("v2/zzzzz-gj3su-999999999999999/0000");
    let alice = signed_in("a.smith", Some("alice@example.test"));
    assert_eq!(levels.access.authorise(&entry, &alice, Some(&theirs)).await, Authorisation::UnknownService);
    levels.access = levels.access.finding(PeopleBy::Email);
    assert_eq!(levels.access.authorise(&entry, &alice, Some(&theirs)).await, Authorisation::Allow);
    for nobody in [signed_in("alice", None), signed_in("x", Some("alice@elsewhere.test")), signed_in("x", Some("\"]"))]
    {
        assert_eq!(levels.access.authorise(&entry, &nobody, None).await, Authorisation::UnknownService, "{nobody:?}");
    }
    levels.access = levels.access.finding(PeopleBy::Username);
    assert_eq!(levels.access.authorise(&entry, &signed_in("alice", None), None).await, Authorisation::Allow);
    // Two of that name are nobody.
    let _ = levels.stage.cluster.add_user("alice");
    assert_eq!(levels.access.authorise(&entry, &signed_in("alice", None), None).await, Authorisation::UnknownService);
}

#[tokio::test]
async fn an_account_that_is_not_active_any_more_may_nothing() {
    let levels = Levels::new().await;
    let alice = &levels.stage.alice;
    let entry = levels.at(AccessLevel::Owner);
    levels.stage.cluster.change(alice, alice, json!({"is_active": false}));
    assert_eq!(levels.access.authorise(&entry, &actor(alice), None).await, Authorisation::UnknownService);
    levels.stage.cluster.remove(alice);
    assert_eq!(levels.access.authorise(&entry, &actor(alice), None).await, Authorisation::UnknownService);
}

#[tokio::test]
async fn nothing_is_tried_out_by_changing_it() {
    let levels = Levels::new().await;
    for access in ALL {
        levels.told(&levels.stage.bob, access).await;
    }
    let calls = levels.stage.cluster.seen("/arvados/v1/");
    assert!(calls.iter().all(|call| call.method == "GET"), "{calls:?}");
}

#[tokio::test]
async fn the_sidecar_tells_people_apart_by_their_tokens() {
    let stage = Stage::new().await;
    let (request, container) = stage.service("private", json!({"taskgate.access": {"8080": "can_read"}}));
    let [alice, bob] = [&stage.alice, &stage.bob].map(|user| stage.cluster.add_token(user));
    let sidecar = stage.sidecar("").await;
    let id = id(&sidecar, &container, 8080).await;
    let told = async |token: &str| outcome(&sidecar.verdict(&id, bearer(token)).await);
    assert_eq!(told(&alice).await, stage.alice);
    assert_eq!(told(&bob).await, "UnknownService");
    let nobodys = "v2/zzzzz-gj3su-999999999999999/0000";
    assert_eq!(told(nobodys).await, "CredentialRejected");
    let _ = stage.cluster.share(&stage.bob, &request, Level::Read);
    let other = stage.cluster.add_token(&stage.bob);
    assert_eq!(told(&other).await, stage.bob);
    // A level that is raised counts for what was decided before, too.
    stage.cluster.change(&request, &stage.alice, json!({"properties": {"taskgate.access": {"8080": "owner"}}}));
    eventually("the level is raised", async || told(&other).await == "AccessDenied").await;
    assert_eq!(told(&alice).await, stage.alice);
}
