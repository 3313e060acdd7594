//! The command line: `yt …`.

use super::client::{Client, TOKEN, TWO_WIRES, WIRE, cluster, yson};

const TABLE: &str = "//sys/task_proxies/services";
const PORTS: &str = "//sys/exec_nodes/n1:9012/orchid/exec_node/job_controller/active_jobs/1-2-384-4/job_ports";

#[tokio::test]
async fn whoami_with_the_new_command_and_without() {
    let cluster = cluster().await;
    for config in WIRE {
        let client = Client::of(&cluster).config(config);
        cluster.reset_calls();
        assert_eq!(client.yt(&["whoami"]).await, "alice\n", "{config}");
        assert_eq!((cluster.count("get_current_user"), cluster.count("whoami")), (1, 0), "{config}");
        cluster.set_command("get_current_user", false);
        cluster.reset_calls();
        assert_eq!(client.yt(&["whoami"]).await, "alice\n", "{config}");
        assert_eq!((cluster.count("get_current_user"), cluster.count("whoami")), (0, 1), "{config}");
        cluster.set_command("get_current_user", true);
    }
}

#[tokio::test]
async fn a_wrong_token_is_the_clients_own_error() {
    let cluster = cluster().await;
    for (token, reason) in [("nobodys", "Token was not recognized"), ("", "Client is missing credentials")] {
        for config in WIRE {
            let client = Client::of(&cluster).token(token).config(config);
            let printed = client.try_yt(&["list", "/"], "").await;
            assert!(!printed.succeeded);
            assert!(printed.err.contains("has failed to authenticate at emulator"), "{}", printed.err);
            assert!(printed.err.contains(reason), "{}", printed.err);
        }
    }
    cluster.revoke_token(TOKEN);
    let printed = Client::of(&cluster).try_yt(&["whoami"], "").await;
    assert!(!printed.succeeded && printed.err.contains("has failed to authenticate"), "{}", printed.err);
}

#[tokio::test]
async fn nodes_are_made_found_and_listed() {
    let cluster = cluster().await;
    for (index, config) in TWO_WIRES.into_iter().enumerate() {
        let client = Client::of(&cluster).config(config);
        let directory = format!("//home/d{index}");
        assert_eq!(client.yt(&["exists", &directory]).await, "false\n");
        let id = client.yt(&["create", "map_node", &format!("{directory}/x"), "--recursive"]).await;
        assert_eq!(client.yt(&["exists", &directory]).await, "true\n");
        assert_eq!(client.yt(&["get", &format!("{directory}/x/@id")]).await, format!("\"{}\"", id.trim()) + "\n");
        assert_eq!(client.yt(&["list", &directory]).await, "x\n");
        client.yt(&["set", &format!("{directory}/x/@note"), "{a=[1;%true]}"]).await;
        let note = client.yt(&["get", &format!("{directory}/x/@note"), "--format", "<format=text>yson"]).await;
        assert_eq!(yson(&note), yson("{a=[1;%true]}"));
        let again = client.try_yt(&["create", "map_node", &directory], "").await;
        assert!(again.err.contains("already exists"), "{}", again.err);
        client.yt(&["remove", "--recursive", &directory]).await;
        assert_eq!(client.yt(&["exists", &directory]).await, "false\n");
    }
}

#[tokio::test]
async fn rows_come_back_in_every_format() {
    let cluster = cluster().await;
    let client = Client::of(&cluster);
    client.yt(&["create", "table", TABLE]).await;
    let rows = "{\"domain\":\"d1\",\"n\":1}\n{\"domain\":\"é\",\"n\":2}\n";
    for (index, config) in TWO_WIRES.into_iter().enumerate() {
        let client = Client::of(&cluster).config(config);
        let written = client.try_yt(&["write-table", "--format", "json", TABLE], rows).await;
        assert!(written.succeeded, "{config}: {}", written.err);
        assert_eq!(client.yt(&["read-table", "--format", "json", TABLE]).await, rows, "{config}");
        let read = client.yt(&["read-table", "--format", "<format=text>yson", TABLE]).await;
        assert_eq!(read, "{\"domain\"=\"d1\";\"n\"=1;};\n{\"domain\"=\"\\xE9\";\"n\"=2;};\n", "{config}");
        assert_eq!(cluster.writes(TABLE), 2 * index as u64 + 1, "{config}");
        // A format of this name means characters, not bytes.
        let utf8 = "<encode_utf8=%false>json";
        client.try_yt(&["write-table", "--format", utf8, TABLE], "{\"a\":\"ы\"}\n").await;
        assert_eq!(client.yt(&["read-table", "--format", utf8, TABLE]).await, "{\"a\":\"ы\"}\n", "{config}");
    }
    client.try_yt(&["write-table", "--format", "json", TABLE], "").await;
    assert_eq!(client.yt(&["read-table", "--format", "json", TABLE]).await, "");
    assert_eq!(client.yt(&["get", &format!("{TABLE}/@row_count")]).await, "0\n");
}

#[tokio::test]
async fn values_are_printed_in_the_format_that_is_asked_for() {
    let cluster = cluster().await;
    cluster.set("//home/v", yson("{a=<x=1>\"ы\";b=2u}")).unwrap();
    for config in WIRE {
        let client = Client::of(&cluster).config(config);
        assert_eq!(client.yt(&["get", PORTS]).await, "[\n    27001;\n    27002;\n]\n", "{config}");
        assert_eq!(client.yt(&["get", PORTS, "--format", "json"]).await, "[27001,27002]\n", "{config}");
        assert_eq!(client.yt(&["list", "//sys/exec_nodes"]).await, "n1:9012\n", "{config}");
        let value = client.yt(&["get", "//home/v", "--format", "<format=text>yson"]).await;
        assert_eq!(yson(&value), yson("{a=\"ы\";b=2u}"), "{config}");
        let missing = client.try_yt(&["get", "//sys/exec_nodes/n2:9012/orchid"], "").await;
        assert!(missing.err.contains("Error resolving path //sys/exec_nodes/n2:9012/orchid"), "{}", missing.err);
    }
}

#[tokio::test]
async fn operations_and_jobs_are_listed() {
    let cluster = cluster().await;
    for config in TWO_WIRES {
        let client = Client::of(&cluster).config(config);
        let format = ["--format", "json"];
        let listed =
            client.yt(&[&["list-operations", "--state", "running", "--limit", "100"], &format[..]].concat()).await;
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        assert_eq!(listed["operations"][0]["id"], "a-b-c-d", "{config}");
        assert_eq!(listed["operations"][0]["brief_spec"]["alias"], "*web");
        assert_eq!(listed["operations"][0]["runtime_parameters"]["annotations"]["task_proxy"]["enabled"], true);
        assert_eq!((&listed["incomplete"], &listed["user_counts"]["alice"]), (&false.into(), &1.into()));
        let jobs = client.yt(&[&["list-jobs", "a-b-c-d", "--job-state", "running"], &format[..]].concat()).await;
        let jobs: serde_json::Value = serde_json::from_str(&jobs).unwrap();
        assert_eq!(jobs["jobs"][0]["id"], "1-2-384-4", "{config}");
        assert_eq!(jobs["jobs"][0]["address"], "n1:9012");
        assert_eq!(jobs["state_counts"], serde_json::json!({"running": 1}));
        let none = client.try_yt(&["list-jobs", "1-1-3e8-1"], "").await;
        assert!(none.err.contains("No such operation 1-1-3e8-1") && none.err.contains("1915"), "{}", none.err);
    }
}

#[tokio::test]
async fn permissions_are_checked() {
    let cluster = cluster().await;
    cluster.deny("bob", "read", "//sys/task_proxies");
    for config in TWO_WIRES {
        let client = Client::of(&cluster).config(config);
        for (user, action) in [("alice", "allow"), ("bob", "deny")] {
            let checked = client.yt(&["check-permission", user, "read", "//sys/task_proxies"]).await;
            assert_eq!(yson(&checked).field("action"), Some(&action.into()), "{config}");
            let operation = ["check-operation-permission", "a-b-c-d", "--user", user, "--permission", "read"];
            let checked = client.yt(&operation).await;
            assert!(checked.contains(&format!("\"{action}\"")), "{config}: {checked}");
        }
    }
    let denied = Client::of(&cluster).token("bobs-token").try_yt(&["get", "//sys/task_proxies"], "").await;
    assert!(denied.err.contains("Access denied for user \"bob\"") && denied.err.contains("901"), "{}", denied.err);
    cluster.set_command("check_operation_permission", false);
    let operation = ["check-operation-permission", "a-b-c-d", "--user", "bob", "--permission", "read"];
    let unknown = Client::of(&cluster).try_yt(&operation, "").await;
    assert!(unknown.err.contains("is not supported"), "{}", unknown.err);
}
