//! `docs/reference/denials.md` says of each denial what clients are told.

use std::fmt::Write as _;
use std::fs;

use taskgate_core::denial::Denial;
use taskgate_core::reply::{Client, reply};

use super::place::{read, repository};

const BEGIN: &str = "<!-- generated from core/src/denial.rs and core/src/reply.rs -->";
const END: &str = "<!-- end of the generated part -->";

fn table() -> String {
    let mut text = "| code | HTTP | gRPC | Retry-After | what it means and what to do |\n|---|---|---|---|---|\n".to_owned();
    for denial in Denial::ALL {
        let api = reply(denial, Client::Api);
        let grpc = reply(denial, Client::Grpc).grpc_status.expect("gRPC clients get a gRPC status");
        let retry = api.headers.iter().find(|(name, _)| *name == "retry-after").map_or("", |(_, value)| value);
        let body: serde_json::Value = serde_json::from_str(&api.body).expect("problem JSON");
        let say = |key: &str| body[key].as_str().expect("text").to_owned();
        let (code, status, title, detail) = (denial.code(), api.status, say("title"), say("detail"));
        writeln!(text, "| `{code}` | {status} | {grpc} | {retry} | {title}. {detail} |").expect("text grows");
    }
    text
}

#[test]
fn the_page_has_the_table_that_the_code_makes() {
    let path = repository().join("docs/reference/denials.md");
    let page = read(&path);
    let (before, rest) = page.split_once(BEGIN).expect("the page has the generated part");
    let (found, after) = rest.split_once(END).expect("the generated part ends");
    let table = table();
    if std::env::var_os("TASKGATE_UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{before}{BEGIN}\n{table}{END}{after}")).expect("the page can be written");
        return;
    }
    assert_eq!(found.trim(), table.trim(), "run `make docs` to write the page anew");
}
