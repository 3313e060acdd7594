use std::path::Path;

use crate::config::load;
use crate::gateway::settings::{BackEnd, GatewaySettings};

fn read(section: &str, more: &str) -> Result<GatewaySettings, String> {
    let text = format!(
        "gate: {{base_domains: [tasks.example.test]}}\nproviders: [{{file: {{path: services.yaml}}}}]\n\
         internal_task_gateway: {section}\n{more}\n"
    );
    let settings = load::read(&text, Path::new("/")).map_err(|error| error.to_string())?;
    settings.gateway.ok_or_else(|| "no section".to_owned())
}

const ENVOY: &str = "xds: {}\nstate: {directory: /var/lib/taskgate}";

#[test]
fn it_is_envoy_with_a_file_or_a_gateway_of_kubernetes() {
    let settings = read("{gateway_ip: 192.0.2.1}", ENVOY).expect("holds");
    assert_eq!(settings.range.to_string(), "20000-32767");
    let BackEnd::Envoy(envoy) = settings.back_end else { panic!("not Envoy") };
    assert_eq!(envoy.store.expose(), "sqlite:/var/lib/taskgate/gateway.db");
    assert_eq!(envoy.tls, None);
    let settings =
        read("{gateway_ip: gw.example.test, gateway_name: tcp, gateway_namespace: edge}", "").expect("holds");
    let BackEnd::Kubernetes(gateway) = settings.back_end else { panic!("not Kubernetes") };
    assert_eq!((gateway.name.as_str(), gateway.namespace.as_str(), gateway.open), ("tcp", "edge", false));
}

#[test]
fn a_range_of_one_port_holds() {
    let one = "{gateway_ip: 192.0.2.1, gateway_port_range_start: 1025, gateway_port_range_end: 1025}";
    assert!(read(one, ENVOY).is_ok_and(|settings| settings.range.ports().count() == 1));
    let whole = "{gateway_ip: 192.0.2.1, gateway_port_range_start: 1025, gateway_port_range_end: 65535}";
    assert!(read(whole, ENVOY).is_ok_and(|settings| settings.range.ports().count() == 64_511));
}

#[test]
fn one_owner_gets_half_of_the_range_where_nothing_else_is_said() {
    for (section, expected) in [
        ("gateway_port_range_start: 1025, gateway_port_range_end: 1025", 1),
        ("gateway_port_range_start: 1025, gateway_port_range_end: 1027", 2),
        ("gateway_port_range_start: 20000, gateway_port_range_end: 32767", 6_384),
        ("ports_per_owner: 1", 1),
        ("gateway_port_range_start: 1025, gateway_port_range_end: 1026, ports_per_owner: 100000", 100_000),
    ] {
        let settings = read(&format!("{{gateway_ip: 192.0.2.1, {section}}}"), ENVOY).expect(section);
        assert_eq!(settings.ports_per_owner, expected, "{section}");
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (section, more, wanted) in [
        ("{gateway_ip: 192.0.2.1}", "", "`xds`"),
        ("{gateway_ip: 192.0.2.1}", "xds: {}", "`state.directory`"),
        ("{gateway_ip: 192.0.2.1, gateway_port_range_start: 1024}", ENVOY, "gateway_port_range_start"),
        ("{gateway_ip: 192.0.2.1, gateway_port_range_start: 32768}", ENVOY, "above its end"),
        ("{gateway_ip: 192.0.2.1, gateway_port_range_end: 65536}", ENVOY, "gateway_port_range_end"),
        ("{gateway_ip: \"192.0.2.1:80\"}", ENVOY, "gateway_ip"),
        ("{}", ENVOY, "gateway_ip"),
        ("{gateway_ip: 192.0.2.1, gateway_name: tcp}", ENVOY, "gateway_namespace"),
        ("{gateway_ip: 192.0.2.1, gateway_name: Tcp, gateway_namespace: x}", "", "gateway_name"),
        ("{gateway_ip: 192.0.2.1, gateway_name: tcp, gateway_namespace: a.b}", "", "gateway_namespace"),
        ("{gateway_ip: 192.0.2.1, gateway_name: tcp, gateway_namespace: x, store: \"sqlite:x\"}", "", "store"),
        (
            "{gateway_ip: 192.0.2.1, gateway_name: tcp, gateway_namespace: edge, kubernetes: {open: true}, source_ranges: [10.0.0.0/8]}",
            "",
            "source_ranges`: can't be enforced",
        ),
        (
            "{gateway_ip: 192.0.2.1, gateway_name: tcp, gateway_namespace: edge, client_certificates: {san_prefix: \"a/\"}}",
            "",
            "client_certificates`: can't be enforced",
        ),
        ("{gateway_ip: 192.0.2.1, ports_per_owner: 0}", ENVOY, "ports_per_owner`: is 0"),
        ("{gateway_ip: 192.0.2.1, ports_per_owner: -1}", ENVOY, "ports_per_owner"),
        ("{gateway_ip: 192.0.2.1, port_rest_secs: 2}", ENVOY, "port_rest_secs"),
        ("{gateway_ip: 192.0.2.1, program_timeout_secs: 0}", ENVOY, "program_timeout_secs"),
        ("{gateway_ip: 192.0.2.1, source_ranges: [all]}", ENVOY, "source_ranges[0]"),
        ("{gateway_ip: 192.0.2.1, envoy: {listen: localhost}}", ENVOY, "envoy.listen"),
        ("{gateway_ip: 192.0.2.1, envoy: {key_file: x}}", ENVOY, "envoy.certificate_file"),
        ("{gateway_ip: 192.0.2.1, store: \"mysql://x\"}", ENVOY, "store"),
        ("{gateway_ip: 192.0.2.1, envoy: {verdict_timeout_ms: 0}}", ENVOY, "envoy.verdict_timeout_ms"),
        ("{gateway_ip: 192.0.2.1, envoy: {max_connections_per_service: 0}}", ENVOY, "max_connections_per_service"),
        ("{gateway_ip: 192.0.2.1, envoy: {max_connections_per_service: 16385}}", ENVOY, "max_connections_per_service"),
        (
            "{gateway_ip: 192.0.2.1}",
            "xds: {}\nstate: {directory: /var/lib/taskgate}\ninternal: {secret: \"a;b\"}",
            "internal.secret",
        ),
        ("{gateway_ip: 192.0.2.1, port: 1}", ENVOY, "port"),
    ] {
        let refused = read(section, more).expect_err(section);
        assert!(refused.contains(wanted), "{section}: {refused}");
    }
}

#[test]
fn rights_are_taken_at_once_and_the_rest_after_a_restart() {
    let print = |section: &str| read(section, ENVOY).expect("holds").fingerprint;
    let before = print("{gateway_ip: 192.0.2.1}");
    assert_eq!(before, print("{gateway_ip: 192.0.2.1, source_ranges: [10.0.0.0/8]}"));
    let revoked =
        format!("{{gateway_ip: 192.0.2.1, client_certificates: {{revoked_sha256: [\"{}\"]}}}}", "ab".repeat(32));
    assert_eq!(before, print(&revoked));
    assert_ne!(before, print("{gateway_ip: 192.0.2.2}"));
    assert_ne!(before, print("{gateway_ip: 192.0.2.1, store: \"sqlite:/other.db\"}"));
}
