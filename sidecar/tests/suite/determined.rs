//! Discovery of Determined's tasks, and what keeps them from being taken for idle.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use taskgate::auth::actor::Actor;
use taskgate::config::load;
use taskgate::determined::provider::DeterminedProvider;
use taskgate::determined::settings::DeterminedSettings;
use taskgate::discovery::inventory::{Entry, Inventory};
use taskgate::discovery::policy::Authorisation;
use taskgate::discovery::provider::Provider;
use taskgate::discovery::publisher::{Mailbox, Publisher, Report};
use taskgate::discovery::settings::ProviderSettings;
use taskgate_core::identity::WireIdentity;
use taskgate_core::verdict::{Credential, Scheme};
use taskgate_emulators::determined::{Determined, Kind, Task};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(20);

fn settings(master: &Determined, rest: &str) -> Result<Arc<DeterminedSettings>, String> {
    let text = format!(
        "gate: {{base_domains: [tasks.example.test]}}\n\
         providers: [{{determined: {{master: \"{}\", poll_secs: 1, {rest}}}}}]\n",
        master.url()
    );
    let settings = load::read(&text, Path::new("/")).map_err(|error| error.to_string())?;
    let ours = |provider| match provider {
        ProviderSettings::Determined(settings) => Some(settings),
        _ => None,
    };
    Ok(settings.providers.into_iter().find_map(ours).expect("a provider"))
}

fn provider(master: &Determined) -> DeterminedProvider {
    let settings = settings(master, "username: taskgate, password: hunter2").expect("the configuration holds");
    DeterminedProvider::new(settings).expect("a client")
}

async fn site() -> Determined {
    let master = Determined::start().await.expect("starts");
    master.add_admin("taskgate", "hunter2");
    master.add_user("alice", "p");
    master
}

fn task(id: &str, kind: Kind) -> Task {
    Task::new(id, kind, "alice").port(2_900, "127.0.0.1:9".parse().expect("an address")).by_default()
}

fn named<'a>(inventory: &'a Inventory, task: &str) -> Option<&'a Arc<Entry>> {
    inventory.services.iter().find(|entry| entry.key.operation == task)
}

fn identity(actor: &str) -> WireIdentity {
    WireIdentity { actor: actor.into(), ..WireIdentity::default() }
}

fn shown(session: &str) -> Credential {
    Credential { scheme: Scheme::Bearer, name: None, value: session.into() }
}

/// What the provider says next.
async fn next(mailbox: &Mailbox) -> Report {
    let reports = tokio::time::timeout(PATIENCE, mailbox.take()).await.expect("a report");
    reports.into_values().next().expect("a report")
}

#[tokio::test]
async fn more_tasks_than_a_page_has_are_found_with_their_owners() {
    let master = site().await;
    for number in 0..1_001 {
        master.set_task(task(&format!("n{number}"), Kind::Notebook));
    }
    let inventory = provider(&master).look().await.expect("looks");
    let owned = inventory.services.iter().filter(|entry| entry.policy.owner.as_deref() == Some("alice")).count();
    assert_eq!((owned, inventory.problems.len()), (1_001, 0), "{:?}", inventory.problems);
}

#[tokio::test]
async fn what_fails_takes_nothing_away_and_what_ended_goes() {
    let master = site().await;
    master.set_task(task("a", Kind::Notebook));
    master.set_task(task("b", Kind::Shell));
    let (mailbox, stop) = (Arc::new(Mailbox::default()), CancellationToken::new());
    let provider = Arc::new(provider(&master));
    let publisher = Publisher::new("determined", Arc::clone(&mailbox));
    let running = {
        let (provider, stop) = (Arc::clone(&provider), stop.clone());
        tokio::spawn(async move { provider.run(publisher, stop).await })
    };
    let Report::Sees(first) = next(&mailbox).await else { panic!("sees nothing") };
    assert_eq!(first.services.len(), 2);
    // A list of one kind: whose notebook it is stays known.
    master.break_paths("/api/v1/notebooks", Some(StatusCode::BAD_GATEWAY));
    let Report::Sees(second) = next(&mailbox).await else { panic!("sees nothing") };
    assert_eq!(named(&second, "a").and_then(|entry| entry.policy.owner.as_deref()), Some("alice"));
    assert_eq!(second.problems.len(), 1, "{:?}", second.problems);
    // The list of all: the report says so, and the registry keeps what was there.
    master.break_paths("/api/v1/tasks", Some(StatusCode::BAD_GATEWAY));
    assert!(matches!(next(&mailbox).await, Report::Failed(reason) if reason.contains("502")));
    master.break_paths("/api/v1/notebooks", None);
    master.break_paths("/api/v1/tasks", None);
    master.remove_task("a");
    loop {
        if let Report::Sees(last) = next(&mailbox).await {
            assert!(named(&last, "a").is_none() && named(&last, "b").is_some());
            break;
        }
    }
    running.abort();
}

#[tokio::test]
async fn a_session_that_ended_is_begun_anew_and_a_wrong_password_says_so() {
    let master = site().await;
    let provider = provider(&master);
    provider.look().await.expect("looks");
    master.end_sessions("taskgate");
    provider.look().await.expect("looks again");
    assert_eq!(master.seen("/api/v1/auth/login").len(), 2);
    let wrong = settings(&master, "username: taskgate, password: s3cret").expect("the configuration holds");
    let error = DeterminedProvider::new(wrong).expect("a client").look().await.expect_err("refused");
    assert!(!error.contains("s3cret"), "{error}");
    for rest in ["username: taskgate", "password: p", "username: a, password: p, token: t"] {
        let error = settings(&master, rest).expect_err(rest);
        assert!(error.contains("providers[0].determined.username"), "{error}");
    }
}

#[tokio::test]
async fn what_is_in_use_is_not_idle_to_the_master() {
    let master = site().await;
    master.set_task(task("a", Kind::Notebook));
    master.set_task(task("b", Kind::Shell).unauthenticated());
    let provider = provider(&master);
    let inventory = provider.look().await.expect("looks");
    // The master's proxy hands on what it is shown: a task may be anybody's.
    let alice = Actor::new(identity("alice"), None).expect("an actor").found_by("determined");
    let session = shown(&master.session("alice"));
    for task in ["a", "b"] {
        let entry = named(&inventory, task).expect("a service");
        assert_eq!(provider.authorise(entry, &alice, Some(&session)).await, Authorisation::Allow);
        for ended in [false, true] {
            if ended {
                master.end_sessions("taskgate");
            }
            let before = master.begun(task);
            provider.touch(entry).await;
            assert_eq!(master.begun(task), before + 1);
        }
        let calls = master.seen(&format!("/proxy/{task}/"));
        assert_eq!(calls.len(), 2);
        for name in ["authorization", "cookie"] {
            assert!(calls.iter().all(|call| !call.headers.contains_key(name)), "{name} to {task}");
        }
    }
    assert_eq!(master.seen("/api/v1/auth/login").len(), 1, "nobody signs in to touch");
}

#[tokio::test]
async fn a_refused_login_is_not_tried_again_and_again() {
    let master = site().await;
    let wrong = settings(&master, "username: taskgate, password: s3cret").expect("the configuration holds");
    let provider = DeterminedProvider::new(wrong).expect("a client");
    for _ in 0..3 {
        assert!(provider.look().await.is_err());
    }
    assert_eq!(master.seen("/api/v1/auth/login").len(), 1);
    // A master in trouble refuses nothing.
    let provider = self::provider(&master);
    master.break_paths("/api/v1/auth/login", Some(StatusCode::BAD_GATEWAY));
    assert!(provider.look().await.is_err());
    master.break_paths("/api/v1/auth/login", None);
    provider.look().await.expect("looks");
}

#[tokio::test]
async fn a_name_that_another_source_gave_is_nobody_to_the_cluster() {
    let master = site().await;
    master.set_task(task("a", Kind::Notebook));
    let provider = provider(&master);
    let inventory = provider.look().await.expect("looks");
    let entry = named(&inventory, "a").expect("a service");
    let named = || Actor::new(identity("alice"), None).expect("an actor");
    let session = shown(&master.session("alice"));
    assert_eq!(provider.authorise(entry, &named().found_by("determined"), Some(&session)).await, Authorisation::Allow);
    // A certificate, a session of ours: no credential of the master's.
    for source in ["peers", ""] {
        let other = named().found_by(source);
        assert_eq!(provider.authorise(entry, &other, None).await, Authorisation::UnknownService, "{source}");
    }
    assert_eq!(provider.authorise_again(entry, &named()).await, Authorisation::Allow, "alice's own stream");
    // What somebody of that name shows takes nothing from alice, whose stream goes on.
    let invented = shown("invented");
    assert_eq!(provider.authorise(entry, &named().found_by("jwt"), Some(&invented)).await, Authorisation::AccessDenied);
    assert_eq!(provider.authorise_again(entry, &named()).await, Authorisation::Allow);
    master.end_sessions("alice");
    assert_eq!(provider.authorise_again(entry, &named()).await, Authorisation::AccessDenied);
    assert!(Actor::new(identity("task-token:a"), None).is_err(), "nobody is called like a holder of its token");
}

#[tokio::test]
async fn who_was_refused_keeps_nothing_open_until_they_are_let_in_again() {
    let master = site().await;
    master.add_user("bob", "p");
    let shared = task("a", Kind::Notebook).shared_with("bob");
    master.set_task(shared.clone());
    for people in ["nothing", "username"] {
        let rest = format!("username: taskgate, password: hunter2, people: {people}");
        let provider = DeterminedProvider::new(settings(&master, &rest).expect("holds")).expect("a client");
        let inventory = provider.look().await.expect("looks");
        let entry = named(&inventory, "a").expect("a service");
        let lets_in = async |name: &str, session: &str| {
            let actor = Actor::new(identity(name), None).expect("an actor").found_by("determined");
            provider.authorise(entry, &actor, Some(&shown(session))).await
        };
        let again = async |name: &str| {
            let actor = Actor::named_here(identity(name), None).expect("an actor");
            provider.authorise_again(entry, &actor).await
        };
        // Bob sees the task no more, and learns it by a request: what else he has open ends, all of it.
        let bob = master.session("bob");
        assert_eq!(lets_in("bob", &bob).await, Authorisation::Allow);
        master.set_task(task("a", Kind::Notebook));
        assert_eq!(lets_in("bob", &bob).await, Authorisation::UnknownService);
        for stream in 0..3 {
            assert_eq!(again("bob").await, Authorisation::AccessDenied, "{people}: stream {stream}");
        }
        master.set_task(shared.clone());
        assert_eq!(again("bob").await, Authorisation::AccessDenied, "{people}: nobody asked for him");
        assert_eq!(lets_in("bob", &bob).await, Authorisation::Allow);
        assert_eq!(again("bob").await, Authorisation::Allow);
        // The owner, of whom the policy alone would say yes.
        assert_eq!(lets_in("alice", &master.session("alice")).await, Authorisation::Allow);
        master.set_active("alice", false);
        for stream in 0..3 {
            assert_eq!(again("alice").await, Authorisation::AccessDenied, "{people}: stream {stream}");
        }
        master.set_active("alice", true);
    }
}

#[tokio::test]
async fn what_one_session_opened_does_not_end_with_another() {
    let master = site().await;
    master.set_task(task("a", Kind::Notebook));
    let provider = provider(&master);
    let inventory = provider.look().await.expect("looks");
    let entry = named(&inventory, "a").expect("a service");
    let alice = Actor::new(identity("alice"), None).expect("an actor").found_by("determined");
    let [terminal, browser, phone] = [(); 3].map(|()| master.session("alice"));
    for session in [&terminal, &browser, &phone] {
        assert_eq!(provider.authorise(entry, &alice, Some(&shown(session))).await, Authorisation::Allow);
    }
    // Signed out: one is found out about by asking again, the other by a request.
    master.end_session(&phone);
    assert_eq!(provider.authorise_again(entry, &alice).await, Authorisation::Allow);
    master.end_session(&browser);
    assert_eq!(provider.authorise(entry, &alice, Some(&shown(&browser))).await, Authorisation::AccessDenied);
    assert_eq!(provider.authorise_again(entry, &alice).await, Authorisation::Allow);
    master.end_session(&terminal);
    for _ in 0..2 {
        assert_eq!(provider.authorise_again(entry, &alice).await, Authorisation::AccessDenied);
    }
}
