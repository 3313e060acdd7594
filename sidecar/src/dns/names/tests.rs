//! Names with a clock that stands still unless nothing else can happen.

use std::sync::Mutex;

use super::*;
use crate::config::dns::DnsConfig;

const SECOND: Duration = Duration::from_secs(1);

/// Answers as it is told, and counts.
#[derive(Debug, Default)]
struct Oracle {
    says: Mutex<HashMap<Question, Answer>>,
    asked: Mutex<Vec<(String, Family)>>,
    delay: Mutex<Duration>,
}

#[async_trait::async_trait]
impl Lookup for Oracle {
    async fn look_up(&self, name: &DnsName, family: Family) -> Answer {
        let delay = *self.delay.lock().expect("a lock");
        tokio::time::sleep(delay).await;
        self.asked.lock().expect("a lock").push((name.to_string(), family));
        let says = self.says.lock().expect("a lock");
        says.get(&(name.clone(), family)).cloned().unwrap_or(Answer::Nothing(Some(30 * SECOND)))
    }
}

impl Oracle {
    fn say(&self, text: &str, answer: Answer) {
        let family = match &answer {
            Answer::Addresses(addresses, _) if addresses.iter().any(IpAddr::is_ipv6) => Family::Ipv6,
            _ => Family::Ipv4,
        };
        self.says.lock().expect("a lock").insert((name(text), family), answer);
    }

    fn has(&self, text: &str, addresses: &[&str], secs: u32) {
        let addresses = addresses.iter().map(|one| one.parse().expect(one)).collect();
        self.say(text, Answer::Addresses(addresses, secs * SECOND));
    }

    fn asked(&self) -> usize {
        self.asked.lock().expect("a lock").len()
    }
}

fn name(text: &str) -> DnsName {
    DnsName::parse(text).expect(text)
}

fn names(oracle: &Arc<Oracle>, families: DnsFamilies, followed: &[&str]) -> Names {
    let settings = DnsSettings::resolve(&DnsConfig { families, ..DnsConfig::default() }).expect("settings");
    let mut names = Names::with(Arc::new(settings), Arc::clone(oracle) as Arc<dyn Lookup>);
    let followed: Vec<DnsName> = followed.iter().map(|one| name(one)).collect();
    names.follow(followed.iter());
    names
}

fn shown(names: &Names, text: &str) -> Vec<String> {
    let found = names.of(&name(text)).expect("followed");
    found
        .addresses
        .iter()
        .map(|(address, is_reserve)| format!("{address}{}", if *is_reserve { "?" } else { "" }))
        .collect()
}

fn problem(names: &Names, text: &str) -> String {
    names.of(&name(text)).expect("followed").problem.clone().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn an_address_that_moves_is_followed_when_its_answer_ends() {
    let oracle = Arc::new(Oracle::default());
    oracle.has("a.test", &["192.0.2.1"], 30);
    let mut names = names(&oracle, DnsFamilies::Both, &["a.test", "A.test."]);
    names.settle().await;
    assert_eq!((shown(&names, "a.test"), oracle.asked()), (vec!["192.0.2.1".to_owned()], 2));
    names.renew().await;
    oracle.has("a.test", &["192.0.2.2"], 30);
    let started = Instant::now();
    names.renew().await;
    let waited = started.elapsed();
    assert_eq!(shown(&names, "a.test"), ["192.0.2.2"]);
    assert!(waited > 26 * SECOND && waited < 31 * SECOND, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn both_families_take_turns_unless_one_is_preferred() {
    let oracle = Arc::new(Oracle::default());
    oracle.has("a.test", &["192.0.2.1", "192.0.2.2"], 30);
    oracle.has("a.test", &["2001:db8::1"], 30);
    for (families, expected) in [
        (DnsFamilies::Both, vec!["192.0.2.1", "2001:db8::1", "192.0.2.2"]),
        (DnsFamilies::PreferIpv4, vec!["192.0.2.1", "192.0.2.2", "2001:db8::1?"]),
        (DnsFamilies::PreferIpv6, vec!["2001:db8::1", "192.0.2.1?", "192.0.2.2?"]),
        (DnsFamilies::Ipv4, vec!["192.0.2.1", "192.0.2.2"]),
        (DnsFamilies::Ipv6, vec!["2001:db8::1"]),
    ] {
        let mut names = names(&oracle, families, &["a.test"]);
        names.settle().await;
        assert_eq!(shown(&names, "a.test"), expected, "{families:?}");
        assert_eq!(problem(&names, "a.test"), "");
    }
    let mut names = names(&oracle, DnsFamilies::PreferIpv6, &["b.test"]);
    oracle.has("b.test", &["192.0.2.9"], 30);
    names.settle().await;
    assert_eq!(shown(&names, "b.test"), ["192.0.2.9"], "no reserve where there is nothing else");
}

#[tokio::test(start_paused = true)]
async fn what_was_known_stays_while_servers_are_in_trouble_and_goes_when_it_is_gone() {
    let oracle = Arc::new(Oracle::default());
    oracle.has("a.test", &["192.0.2.1"], 30);
    let mut names = names(&oracle, DnsFamilies::Both, &["a.test"]);
    names.settle().await;
    names.renew().await;
    oracle.say("a.test", Answer::Failed("the server says: Server Failure".into()));
    names.renew().await;
    assert_eq!(shown(&names, "a.test"), ["192.0.2.1"]);
    assert!(problem(&names, "a.test").contains("`a.test` can't be looked up again: the server says"), "{names:?}");
    let waited = tokio::time::timeout(86_400 * SECOND, names.renew()).await;
    assert!(waited.is_err(), "a day without servers changes nothing");
    oracle.say("a.test", Answer::Nothing(Some(SECOND)));
    names.renew().await;
    // Said once: the trouble is over, and the address is still there.
    assert_eq!((shown(&names, "a.test").len(), problem(&names, "a.test")), (1, String::new()));
    let started = Instant::now();
    names.renew().await;
    assert_eq!(shown(&names, "a.test"), [""; 0]);
    assert_eq!(problem(&names, "a.test"), "`a.test` has no addresses");
    assert!(started.elapsed() >= 5 * SECOND, "{:?}", started.elapsed());
    oracle.has("a.test", &["192.0.2.7"], 30);
    names.renew().await;
    assert_eq!((shown(&names, "a.test"), problem(&names, "a.test")), (vec!["192.0.2.7".to_owned()], String::new()));
}

#[tokio::test(start_paused = true)]
async fn a_name_without_a_first_answer_is_pending_for_a_while() {
    let oracle = Arc::new(Oracle::default());
    oracle.say("a.test", Answer::Failed("away".into()));
    let mut names = names(&oracle, DnsFamilies::Ipv4, &["a.test"]);
    names.settle().await;
    assert!(names.of(&name("a.test")).is_some_and(|found| found.is_pending && found.problem.is_none()), "{names:?}");
    let started = Instant::now();
    names.renew().await;
    assert!(!names.of(&name("a.test")).is_some_and(|found| found.is_pending), "{names:?}");
    assert_eq!(problem(&names, "a.test"), "`a.test` can't be looked up: away");
    assert!(started.elapsed() < 27 * SECOND, "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_name_leads_to_this_machine_only_where_that_is_permitted() {
    let oracle = Arc::new(Oracle::default());
    oracle.has("a.test", &["127.0.0.1", "169.254.169.254"], 30);
    let mut names = names(&oracle, DnsFamilies::Both, &["a.test"]);
    names.settle().await;
    assert_eq!(shown(&names, "a.test"), [""; 0]);
    assert!(problem(&names, "a.test").contains("leads to 127.0.0.1, which `dns.addresses`"), "{names:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_name_keeps_no_other_waiting_and_there_is_a_bound() {
    let oracle = Arc::new(Oracle::default());
    let many: Vec<String> = (0..MAX_NAMES + 5).map(|number| format!("n{number}.test")).collect();
    for one in &many {
        oracle.has(one, &["192.0.2.1"], 300);
    }
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut names = names(&oracle, DnsFamilies::Ipv4, &many);
    assert_eq!(names.known.len(), MAX_NAMES);
    names.settle().await;
    assert_eq!(oracle.asked(), MAX_NAMES);
    names.renew().await;
    // One that is asked now takes ever so long; what else changes is told in its time.
    *oracle.delay.lock().expect("a lock") = 3_600 * SECOND;
    let (slow, quick) = (name("slow.test"), name("quick.test"));
    names.follow([&slow].into_iter());
    let _ = tokio::time::timeout(SECOND, names.renew()).await;
    *oracle.delay.lock().expect("a lock") = Duration::ZERO;
    oracle.has("quick.test", &["192.0.2.5"], 30);
    names.follow([&slow, &quick].into_iter());
    let started = Instant::now();
    names.renew().await;
    assert_eq!((shown(&names, "quick.test").len(), names.known.len()), (1, 2));
    assert!(started.elapsed() < 2 * SECOND, "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_changes_in_one_second_is_told_once() {
    let oracle = Arc::new(Oracle::default());
    let many: Vec<String> = (0..100).map(|number| format!("n{number}.test")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut names = names(&oracle, DnsFamilies::Ipv4, &many);
    for one in &many {
        oracle.has(one, &["192.0.2.1"], 30);
    }
    names.settle().await;
    names.renew().await;
    for one in &many {
        oracle.has(one, &["192.0.2.2"], 30);
    }
    // They end at random within 3 s of each other.
    let mut told = 0;
    while many.iter().any(|one| shown(&names, one) != ["192.0.2.2"]) {
        names.renew().await;
        told += 1;
    }
    assert!(told <= 4, "{told}");
}
