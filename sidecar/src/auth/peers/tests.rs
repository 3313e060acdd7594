use taskgate_core::time::UnixTime;

use super::*;

const END: UnixTime = UnixTime::from_millis(2_000_000_000_000);

fn config() -> ClientCertificatesConfig {
    let user = |san: Option<&str>, subject: Option<&str>, actor: &str| CertificateUserConfig {
        san: san.map(str::to_owned),
        subject: subject.map(str::to_owned),
        actor: actor.to_owned(),
        groups: vec!["ml".to_owned()],
    };
    ClientCertificatesConfig {
        users: vec![
            user(Some("spiffe://x/alice"), None, "alice"),
            user(Some("bob.example.test"), None, "bob"),
            user(None, Some("CN=carol,O=x"), "carol"),
        ],
        san_prefix: Some("spiffe://x/users/".to_owned()),
        revoked_sha256: vec!["AA:".repeat(31) + "AA"],
    }
}

fn rules() -> PeerRules {
    let networks = ["10.0.0.0/8", "fd00::/8"].iter().map(|text| text.parse().expect("a network")).collect();
    PeerRules::resolve(&config(), networks).expect("holds")
}

fn shown(uri: Option<&str>, dns: Option<&str>, subject: Option<&str>) -> PeerCertificate {
    let bytes = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
    PeerCertificate::new([1; 32], END).named(bytes(uri), bytes(dns), bytes(subject))
}

fn actor(identification: Identification) -> Option<String> {
    match identification {
        Identification::Identified(actor) => Some(actor.name().to_owned()),
        Identification::Rejected(_) | Identification::Refused(_) => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn names_in_certificates_become_users() {
    let who = |uri, dns, subject| actor(rules().of_certificate(&shown(uri, dns, subject)));
    assert_eq!(who(Some("spiffe://x/alice"), None, None).as_deref(), Some("alice"));
    assert_eq!(who(Some("other:"), Some("bob.example.test"), None).as_deref(), Some("bob"));
    assert_eq!(who(None, None, Some("CN=carol,O=x")).as_deref(), Some("carol"));
    assert_eq!(who(Some("spiffe://x/users/dave"), None, None).as_deref(), Some("dave"));
    for (uri, dns, subject) in [
        (None, None, None),
        (Some("spiffe://x/alice/"), None, None),
        (Some("spiffe://X/alice"), None, None),
        (Some("spiffe://x/users/"), None, None),
        (Some("spiffe://x/users/eve/alice"), None, None),
        (Some("spiffe://x/users/share:1"), None, None),
        (None, None, Some("spiffe://x/alice")),
        (Some("CN=carol,O=x"), None, Some("O=x,CN=carol")),
    ] {
        assert_eq!(who(uri, dns, subject), None, "{uri:?} {dns:?} {subject:?}");
    }
}

#[test]
fn a_user_has_the_groups_and_the_end_of_the_certificate() {
    let Identification::Identified(alice) = rules().of_certificate(&shown(Some("spiffe://x/alice"), None, None)) else {
        panic!("alice is known");
    };
    assert_eq!((alice.groups(), alice.expires_at()), (&["ml".to_owned()][..], Some(END)));
}

#[test]
fn a_revoked_certificate_is_nobodys() {
    let name = Some(b"spiffe://x/alice".to_vec());
    let revoked = PeerCertificate::new([0xaa; 32], END).named(name, None, None);
    assert_eq!(rules().of_certificate(&revoked), Identification::Rejected("certificate is revoked"));
}

#[test]
fn addresses_are_good_for_what_is_public_alone() {
    let from = |text: &str, access| actor(rules().of_address(text.parse().expect("an address"), access));
    assert_eq!(from("10.1.2.3", AccessLevel::Public).as_deref(), Some("source:10.0.0.0/8"));
    assert_eq!(from("fd00::1", AccessLevel::Public).as_deref(), Some("source:fd00::/8"));
    assert_eq!(from("11.1.2.3", AccessLevel::Public), None);
    assert_eq!(from("10.1.2.3", AccessLevel::CanRead), None);
    assert_eq!(from("10.1.2.3", AccessLevel::Nobody), None);
    let none = PeerRules::resolve(&config(), Arc::from([])).expect("holds");
    let denied = none.of_address([10, 1, 2, 3].into(), AccessLevel::Public);
    assert_eq!(denied, Identification::Refused("address is in none of `source_ranges`"), "nothing is open by default");
}

#[test]
fn what_could_mean_anybody_is_refused() {
    let refused = |change: fn(&mut ClientCertificatesConfig)| {
        let mut config = config();
        change(&mut config);
        PeerRules::resolve(&config, Arc::from([])).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(refused(|_| ()), Ok(()));
    assert!(refused(|config| config.san_prefix = Some(" ".into())).is_err_and(|error| error.contains("san_prefix")));
    assert!(refused(|config| config.users[0].san = None).is_err_and(|error| error.contains("users[0]")));
    assert!(refused(|config| config.users[0].subject = Some("CN=a".into())).is_err());
    assert!(refused(|config| config.users[1].actor = "source:10.0.0.0/8".into()).is_err());
    assert!(refused(|config| config.users[1].actor = "share:1".into()).is_err());
    assert!(refused(|config| config.users[1].actor = String::new()).is_err());
    assert!(refused(|config| config.revoked_sha256.push("abc".into())).is_err_and(|error| error.contains("[1]")));
}

#[test]
fn what_changes_who_is_who_shows() {
    let text = |rules: &PeerRules| format!("{rules:?}");
    let other = |change: fn(&mut ClientCertificatesConfig)| {
        let mut config = config();
        change(&mut config);
        text(&PeerRules::resolve(&config, rules().source_ranges).expect("holds"))
    };
    assert_eq!(other(|_| ()), text(&rules()));
    assert_ne!(other(|config| config.revoked_sha256.clear()), text(&rules()));
    assert_ne!(other(|config| config.users.truncate(1)), text(&rules()));
    assert_ne!(text(&PeerRules::resolve(&config(), Arc::from([])).expect("holds")), text(&rules()));
}
