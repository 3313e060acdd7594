use proptest::prelude::*;

use super::*;
use crate::feed::FeedPage;
use crate::naming::PATH_TASK;
use crate::service::tests::example;
use crate::time::UnixTime;

const BASE: &str = "tasks.example.test";

fn domains() -> Domains {
    let gateway = Label::parse(b"taskgate").expect("a label");
    Domains::new(&[BASE.into(), "eu.tasks.example.test".into()], &[gateway]).expect("host names")
}

fn table() -> Table {
    let rows = [
        example(),
        Service {
            id: "2ef4261c",
            labels: vec!["spark-master-ui"],
            operation: "a6e04b98-bf982394-5103e8-55754a49",
            alias: Some("spark"),
            task: "master",
            services: vec!["ui"],
            ..example()
        },
    ];
    table_of(&rows)
}

fn table_of(rows: &[Service<'_>]) -> Table {
    let rows: Vec<Vec<u8>> = rows.iter().map(|row| row.pack().expect("a valid row").as_bytes().to_vec()).collect();
    let page = FeedPage {
        epoch: 1,
        from: 0,
        to: 1,
        last: 1,
        reset: true,
        complete: true,
        upserts: rows.iter().map(Vec::as_slice).collect(),
        removals: vec![],
        control: None,
    };
    let mut table = Table::new(1);
    table.apply(&page, UnixTime::default()).expect("applies");
    table
}

/// What the headers lead to: the id, or the denial.
fn resolved(headers: &[(&str, &[u8])], table: &Table) -> Result<String, Denial> {
    let request = Request::read(headers.iter().map(|(name, value)| (name.as_bytes(), *value)));
    resolve(&request, &domains(), table).map(|resolved| resolved.service.id.to_owned())
}

fn name(text: &str) -> Option<Host> {
    Some(Host::Name(text.into()))
}

#[test]
fn a_host_is_read_without_case_port_and_root_dot() {
    for text in ["a.b", "A.B", "a.b.", "a.b:80", "a.b.:80", "a.b:", "a.b:65535", "a.b:0"] {
        assert_eq!(Host::parse(text.as_bytes()), name("a.b"), "{text}");
    }
    for text in ["10.0.0.1", "10.0.0.1:80", "10.0.0.1.", "[::1]", "[::1]:80", "[fd00::7]:"] {
        assert_eq!(Host::parse(text.as_bytes()), Some(Host::Literal), "{text}");
    }
    assert_eq!(Host::parse(b""), Some(Host::Empty));
}

#[test]
fn what_is_no_host_is_not_read_as_one() {
    let long = "a.".repeat(200);
    for text in [
        ".",
        "..",
        ".a",
        "a..b",
        "a.b..",
        "a b",
        "a/b",
        "a\\b",
        "a@b",
        "a:b",
        "a:80:80",
        "a:65536",
        "a:-1",
        "a,b",
        "a%2eb",
        "*",
        "::1",
        "[::1",
        "[::1]x",
        "[a.b]",
        "[10.0.0.1]",
        "[fe80::1%25eth0]",
        "[]",
        "é",
        "a\0b",
        "a\r\nb",
        &long,
    ] {
        assert_eq!(Host::parse(text.as_bytes()), None, "{text:?}");
    }
    assert_eq!(Host::parse(b"a.b\xff"), None);
}

#[test]
fn the_longest_host_that_is_read_has_300_bytes() {
    assert!(Host::parse("a".repeat(MAX_HOST).as_bytes()).is_some());
    assert_eq!(Host::parse("a".repeat(MAX_HOST + 1).as_bytes()), None);
}

#[test]
fn base_domains_are_host_names() {
    let new = |base: &str| Domains::new(&[base.into()], &[]).map(|domains| domains.bases);
    assert_eq!(new(".Tasks.Example.Test."), Some(vec![BASE.to_owned()]));
    for base in ["", ".", "10.0.0.1", "[::1]", "*.example.test", "a b"] {
        assert_eq!(new(base), None, "{base:?}");
    }
}

#[test]
fn a_target_of_absolute_form_is_told_from_any_other() {
    let authority =
        |path: &str| absolute_authority(path.as_bytes()).map(|text| String::from_utf8_lossy(text).into_owned());
    assert_eq!(authority("http://a.b/c"), Some("a.b".into()));
    assert_eq!(authority("HTTPS://a.b:1?c"), Some("a.b:1".into()));
    assert_eq!(authority("http://a#b"), Some("a".into()));
    assert_eq!(authority("https:///c"), Some(String::new()));
    for path in ["", "*", "/", "/http://a", "//a/b", "http:/a/b/c", "ftp://a.b/c", "httpx://a.b"] {
        assert_eq!(authority(path), None, "{path}");
    }
}

#[test]
fn a_service_that_is_not_there_yet_is_told_from_one_that_does_not_exist() {
    let host: [(&str, &[u8]); 1] = [(":authority", b"00000000.tasks.example.test")];
    assert_eq!(resolved(&host, &table()), Err(Denial::UnknownService));
    assert_eq!(resolved(&host, &Table::new(1)), Err(Denial::TableLoading));
}

#[test]
fn a_target_that_comes_twice_is_refused() {
    let path: (&str, &[u8]) = (":path", b"http://2ef4261c.tasks.example.test/");
    let id: (&str, &[u8]) = ("x-yt-taskproxy-id", b"ae5cf6f5");
    assert_eq!(resolved(&[path, path], &table()), Err(Denial::DuplicateAddress));
    assert_eq!(resolved(&[id, path, path], &table()), Err(Denial::DuplicateAddress), "not passed over");
}

/// One way to name a service, as headers.
type Way = Vec<(&'static str, &'static [u8])>;

/// Ways that lead to the first service, the second one, none, or to a denial of their own.
fn way() -> impl Strategy<Value = Way> {
    let id = |value: &'static str| vec![("x-yt-taskproxy-id", value.as_bytes())];
    let triple = |operation: &'static str, task: &'static str, service: &'static str| -> Way {
        vec![
            ("x-yt-taskproxy-operation-id", operation.as_bytes()),
            ("x-yt-taskproxy-task-name", task.as_bytes()),
            ("x-yt-taskproxy-service", service.as_bytes()),
        ]
    };
    let host = |name: &'static str, value: &'static str| vec![(name, value.as_bytes())];
    prop::sample::select(vec![
        vec![],
        id("ae5cf6f5"),
        id("AE5CF6F5"),
        id("2ef4261c"),
        id("spark-master-ui"),
        id("00000000"),
        id("a.b"),
        triple("a8ef7695-3de07913-5103e8-e29a6707", "example_grpc_server", "server"),
        triple("a6e04b98-bf982394-5103e8-55754a49", "master", "ui"),
        triple("a6e04b98-bf982394-5103e8-55754a49", "master", "rest"),
        host(":authority", "ae5cf6f5.tasks.example.test"),
        host(":authority", "2ef4261c.tasks.example.test:80"),
        host(":authority", "ae5cf6f5.eu.tasks.example.test"),
        host(":authority", "a.b.tasks.example.test"),
        host(":authority", "taskgate.tasks.example.test"),
        host(":authority", "10.0.0.1"),
        host("host", "ae5cf6f5.tasks.example.test"),
        host("host", "2EF4261C.tasks.example.test."),
        host("host", "elsewhere.test"),
        host("host", "a@b"),
        host(":path", "http://2ef4261c.tasks.example.test/x"),
        host(":path", "/2ef4261c"),
    ])
}

proptest! {
    #[test]
    fn a_name_reads_back(parts in prop::collection::vec("[a-z0-9_]([a-z0-9_-]{0,10}[a-z0-9_])?", 1..5), dot in any::<bool>(), port in prop::option::of(any::<u16>())) {
        let text = parts.join(".");
        prop_assume!(text.parse::<core::net::Ipv4Addr>().is_err());
        let mut written = text.to_ascii_uppercase();
        if dot {
            written.push('.');
        }
        if let Some(port) = port {
            written.push_str(&format!(":{port}"));
        }
        prop_assert_eq!(Host::parse(written.as_bytes()), name(&text));
    }

    #[test]
    fn an_address_reads_as_one(v4 in any::<[u8; 4]>(), v6 in any::<[u16; 8]>(), port in any::<u16>()) {
        let v4 = core::net::SocketAddr::from((v4, port));
        let v6 = core::net::SocketAddr::from((v6, port));
        for text in [v4.to_string(), v4.ip().to_string(), v6.to_string(), format!("[{}]", v6.ip())] {
            prop_assert_eq!(Host::parse(text.as_bytes()), Some(Host::Literal), "{}", text);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(text in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Some(Host::Name(read)) = Host::parse(&text) {
            prop_assert_eq!(Host::parse(read.as_bytes()), name(&read), "what was read reads back");
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
            prop_assert!(read.bytes().all(plain), "{}", read);
        }
    }

    #[test]
    fn only_a_label_directly_under_a_base_domain_names_a_service(head in "[a-z0-9_.-]{0,12}", base in prop::sample::select(vec![BASE, "eu.tasks.example.test", "example.test", "xtasks.example.test"])) {
        let host = format!("{head}{base}");
        let expected = host
            .strip_suffix(".eu.tasks.example.test")
            .or_else(|| host.strip_suffix(".tasks.example.test").filter(|head| *head != "eu"))
            .filter(|head| Label::parse(head.as_bytes()).is_ok());
        match domains().place(&host) {
            Place::Label(label) => prop_assert_eq!(Some(label.as_str()), expected),
            Place::Nothing | Place::Elsewhere | Place::Paths => prop_assert_eq!(expected, None),
        }
    }

    #[test]
    fn every_way_leads_to_the_one_service(ways in prop::collection::vec(way(), 1..4)) {
        let table = table();
        let headers: Vec<(&str, &[u8])> = ways.iter().flatten().copied().collect();
        if let Ok(service) = resolved(&headers, &table) {
            for way in &ways {
                let alone = resolved(way, &table);
                prop_assert!(
                    alone == Ok(service.clone()) || alone == Err(Denial::AddressMissing),
                    "{:?} leads to {:?}, all together to {}", way, alone, service
                );
            }
        }
    }

    #[test]
    fn order_does_not_matter(ways in prop::collection::vec(way(), 1..4)) {
        let table = table();
        let headers: Vec<(&str, &[u8])> = ways.iter().flatten().copied().collect();
        let reversed: Vec<(&str, &[u8])> = headers.iter().rev().copied().collect();
        let (one, other) = (resolved(&headers, &table), resolved(&reversed, &table));
        prop_assert_eq!(one.is_ok(), other.is_ok());
        prop_assert_eq!(one.ok(), other.ok());
    }

    #[test]
    fn any_header_is_resolved_or_refused(values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..24), 8)) {
        let names = [
            ":authority", "host", ":path", "x-yt-taskproxy-id", "x-yt-taskproxy-operation-id",
            "x-yt-taskproxy-operation-alias", "x-yt-taskproxy-task-name", "x-yt-taskproxy-service",
        ];
        let headers: Vec<(&str, &[u8])> = names.iter().copied().zip(values.iter().map(Vec::as_slice)).collect();
        prop_assert!(resolved(&headers, &table()).is_err(), "no random bytes name a service");
    }
}

fn path_row(services: Vec<&'static str>, path: Option<&'static str>) -> Service<'static> {
    let id = ServiceDigest::of("7.a1", PATH_TASK, services.first().copied().unwrap_or_default()).suffix(8);
    let id = Box::leak(id.expect("an id").to_string().into_boxed_str());
    Service { id, labels: vec![], operation: "7.a1", alias: None, task: PATH_TASK, services, path, ..example() }
}

#[test]
fn a_path_names_a_service_on_path_hosts_alone() {
    let rows = [path_row(vec!["8265"], None), path_row(vec!["default"], Some("/proxy/7.a1/"))];
    let table = table_of(&rows);
    let domains = domains().with_path_hosts(&["Determined.example.test".into()]).expect("a host");
    let named = |host: &str, path: &str| {
        let headers = [(&b":authority"[..], host.as_bytes()), (b":path", path.as_bytes())];
        resolve(&Request::read(headers), &domains, &table).map(|found| (found.service.name().to_owned(), found.by_path))
    };
    assert_eq!(named("determined.example.test", "/proxy/7.a1:8265/x"), Ok(("8265".into(), true)));
    assert_eq!(named("DETERMINED.example.test:443", "/proxy/7.a1/"), Ok(("default".into(), true)));
    assert_eq!(named("determined.example.test", "/proxy/7.a1:8266/"), Err(Denial::UnknownService));
    assert_eq!(named("determined.example.test", "/api/v1/me"), Err(Denial::AddressMissing));
    assert_eq!(named("determined.example.test", "/proxy/7.a1"), Err(Denial::MalformedAddress));
    for host in ["example.test", "tasks.example.test", "taskgate.tasks.example.test"] {
        assert_eq!(named(host, "/proxy/7.a1:8265/"), Err(Denial::AddressMissing), "{host}");
    }
}
