//! The order in which links and attributes were made.

use serde_json::json;
use taskgate_test_kit::HsdsUser;

use super::stage::{Stage, at};

const DOMAIN: &str = "/home/test_user1/order.h5";

const MAKE: &str = r#"
import sys
import h5pyd
with h5pyd.File(sys.argv[1], "w") as file:
    for name, is_tracked in (("tracked", True), ("plain", None)):
        group = file.create_group(name, track_order=is_tracked)
        for child in ("zoo", "ant", "mole", "bee"):
            group.create_group(child)
            group.attrs[child] = 1
"#;

const LIST: &str = r#"
import json, sys
import h5pyd
with h5pyd.File(sys.argv[1]) as file:
    print(json.dumps([[list(file[path]), list(file[path].attrs)] for path in sys.argv[2:]]))
"#;

#[tokio::test]
async fn groups_that_keep_the_order_of_creation_keep_it_in_copies() {
    let stage = Stage::empty().await;
    let python = async |program: &str, arguments: &[&str]| {
        stage.server.python(HsdsUser::One, program, arguments).await.expect("the program runs")
    };
    python(MAKE, &[DOMAIN]).await;
    stage.copy(at(DOMAIN, "/"), json!({}), at(DOMAIN, "/copy")).await.expect("a copy");
    let listed = python(LIST, &[DOMAIN, "/tracked", "/plain", "/copy/tracked", "/copy/plain"]).await;
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    let (made, sorted) = (json!(["zoo", "ant", "mole", "bee"]), json!(["ant", "bee", "mole", "zoo"]));
    assert_eq!((&listed[0][0], &listed[1][0]), (&made, &sorted), "what h5pyd makes of the source");
    assert_eq!((&listed[2], &listed[3]), (&listed[0], &listed[1]));
}
