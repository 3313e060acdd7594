//! Numbers that come out, against numpy with the same numbers.

use std::sync::Arc;

use serde_json::{Value, json};
use taskgate::tasks::operations::element_wise::Pace;

use super::stage::{DOMAIN, Stage, at, part, request};

const ORACLE: &str = include_str!("oracle.py");

/// An operation, its sources, arguments and destinations.
type Line<'a> = (&'static str, &'a [&'a str], Value, &'a [&'a str]);

/// A case, with destinations made for it.
struct Case {
    operation: &'static str,
    src: Vec<Value>,
    args: Value,
    des: Vec<Value>,
    is_exact: bool,
}

/// A source: a name, and a selection behind a space.
fn source(text: &str) -> Value {
    match text.split_once(' ') {
        Some((name, select)) => json!({"h5path": format!("/{name}"), "select": select}),
        None => json!({"h5path": format!("/{text}")}),
    }
}

/// A destination as `type shape`, and a selection behind another space.
fn destination(name: &str, text: &str) -> Value {
    let parts: Vec<&str> = text.split(' ').collect();
    let shape: Vec<u64> = parts[1]
        .split('x')
        .filter(|extent| !extent.is_empty())
        .map(|extent| extent.parse().expect("a shape"))
        .collect();
    let mut des = json!({"h5path": format!("/{name}"), "dtype": parts[0], "shape": shape});
    if let Some(select) = parts.get(2) {
        des["select"] = json!(select);
    }
    des
}

fn cases(lines: &[Line<'_>]) -> Vec<Case> {
    let case = |(number, (operation, src, args, des)): (usize, &Line<'_>)| Case {
        operation,
        src: src.iter().map(|text| source(text)).collect(),
        args: args.clone(),
        des: des.iter().enumerate().map(|(index, text)| destination(&format!("to{number}_{index}"), text)).collect(),
        is_exact: !matches!(
            *operation,
            "absolute" | "sin" | "exp" | "log10" | "hypot" | "sum" | "mean" | "std" | "var" | "power"
        ),
    };
    lines.iter().enumerate().map(case).collect()
}

/// Does all cases, and has numpy look at what came out.
async fn compare(lines: &[Line<'_>]) -> Stage {
    let stage = Stage::new().await;
    let cases = cases(lines);
    let listed: Vec<Value> = cases
        .iter()
        .map(|case| json!({"op": case.operation, "src": case.src, "args": case.args, "des": case.des, "exact": case.is_exact}))
        .collect();
    let listed = Value::from(listed).to_string();
    stage.python(ORACLE, &["make", &listed]).await;
    for case in &cases {
        let of = |locations: &[Value]| -> Vec<Value> {
            let location = |location: &Value| {
                let mut location = location.clone();
                let object = location.as_object_mut().expect("an object");
                object.retain(|key, _| matches!(key.as_str(), "h5path" | "select"));
                object.insert("domain".to_owned(), json!(DOMAIN));
                location
            };
            locations.iter().map(location).collect()
        };
        let request = request(case.operation, &of(&case.src), case.args.clone(), &of(&case.des));
        let done = stage.run(&request).await;
        assert!(done.is_ok(), "{request:?}: {done:?}");
    }
    let wrong = stage.python(ORACLE, &["compare", &listed]).await;
    assert_eq!(wrong.trim(), "[]");
    stage
}

#[tokio::test]
async fn functions_are_numpys() {
    compare(&[
        ("add", &["f8", "g8"], json!({}), &["f8 60x40"]),
        ("add", &["f8", "row"], json!({}), &["f8 60x40"]),
        ("multiply", &["column", "row"], json!({}), &["f8 60x40"]),
        ("subtract", &["scalar", "f8"], json!({}), &["f4 60x40"]),
        ("add", &["u1", "i2be"], json!({}), &["i2 60x40"]),
        ("add", &["u1"], json!({"x2": 3}), &["u1 60x40"]),
        ("subtract", &["i4"], json!({"x1": 1000}), &["i4 60x40"]),
        ("multiply", &["f4be"], json!({"x2": 2}), &[">f4 60x40"]),
        ("divide", &["i4", "u1"], json!({}), &["f8 60x40"]),
        ("floor_divide", &["i4", "u1"], json!({}), &["i4 60x40"]),
        ("remainder", &["f8", "g8"], json!({}), &["f8 60x40"]),
        ("power", &["f8"], json!({"x2": 2}), &["f8 60x40"]),
        ("maximum", &["f8", "f4be"], json!({}), &["f8 60x40"]),
        ("less", &["f8", "g8"], json!({}), &["? 60x40"]),
        ("equal", &["u8", "i4"], json!({}), &["? 60x40"]),
        ("logical_and", &["b", "u1"], json!({}), &["? 60x40"]),
        ("sqrt", &["f8"], json!({}), &["f8 60x40"]),
        ("sqrt", &["u1"], json!({}), &["f2 60x40"]),
        ("sin", &["f8"], json!({}), &["f8 60x40"]),
        ("exp", &["f4be"], json!({}), &[">f4 60x40"]),
        ("hypot", &["f8", "row"], json!({}), &["f8 60x40"]),
        ("absolute", &["c16"], json!({}), &["f8 60x40"]),
        ("add", &["c16"], json!({"x2": {"r": 1, "i": -2}}), &["c16 60x40"]),
        ("conjugate", &["c16"], json!({}), &[">c16 60x40"]),
        ("invert", &["b"], json!({}), &["? 60x40"]),
        ("isnan", &["f2"], json!({}), &["? 60x40"]),
        ("bitwise_and", &["i2be", "u1"], json!({}), &[">i2 60x40"]),
        ("trunc", &["f8"], json!({"casting": "unsafe"}), &["i4 60x40"]),
        // Parts of datasets, with steps, and with a number alone, which is no axis.
        ("negative", &["f8 [1:60:2,0:40:3]"], json!({}), &["f8 40x60 [0:30,5:33:2]"]),
        ("add", &["i4 [5,:]", "i4 [:,0:1]"], json!({}), &["i8 60x40"]),
        ("add", &["row", "row"], json!({}), &["f8 60x40 [7,:]"]),
        ("square", &["i4 [3,4]"], json!({}), &["i4 "]),
        ("add", &["scalar"], json!({"x2": 1}), &["f8 5x5 [1:4,::2]"]),
        // Two results.
        ("modf", &["f8"], json!({}), &["f8 60x40", ">f4 60x40"]),
        ("frexp", &["f4be"], json!({}), &["f4 60x40", "i4 60x40"]),
        ("divmod", &["i4", "u1"], json!({}), &["i4 60x40", "i8 70x40 [10:70,:]"]),
        // No elements.
        ("add", &["none", "none"], json!({}), &["f8 0x5"]),
    ])
    .await;
}

#[tokio::test]
async fn choices_fills_and_casts_are_numpys() {
    compare(&[
        ("where", &["b", "f8", "g8"], json!({}), &["f8 60x40"]),
        ("where", &["b", "i4"], json!({"y": -1}), &["i4 60x40"]),
        ("where", &["f8", "row"], json!({"x": "nan"}), &["f8 60x40"]),
        ("where", &["u1"], json!({"x": 1, "y": 2.5}), &["f8 60x40"]),
        ("clip", &["f8"], json!({"min": -1, "max": 1.5}), &["f8 60x40"]),
        ("clip", &["i4"], json!({"min": null, "max": 100}), &["i4 60x40"]),
        ("clip", &["f8", "row"], json!({}), &["f8 60x40"]),
        ("clip", &["u1", "u1 [0,:]"], json!({"min": 3}), &["u1 60x40"]),
        ("fill", &[], json!({"value": 42}), &[">i4 60x40"]),
        ("fill", &[], json!({"value": "nan"}), &["f4 60x40 [::7,3:9]"]),
        ("fill", &[], json!({"value": true}), &["? 9"]),
        ("fill", &[], json!({"value": {"r": 1, "i": 2}}), &["c8 9"]),
        ("fill", &[], json!({"value": 1e300}), &["f4 "]),
        ("astype", &["f8"], json!({}), &["i4 60x40"]),
        ("astype", &["f4be"], json!({}), &["u1 60x40"]),
        ("astype", &["i2be"], json!({}), &[">f2 60x40"]),
        ("astype", &["u8"], json!({}), &["i8 60x40"]),
        ("astype", &["c16"], json!({}), &["f8 60x40"]),
        ("astype", &["b"], json!({}), &["i1 60x40"]),
        ("astype", &["f8 [::2,::2]"], json!({}), &["? 30x20"]),
    ])
    .await;
}

#[tokio::test]
async fn reductions_are_numpys() {
    let stage = compare(&[
        ("sum", &["i4"], json!({}), &["i8 "]),
        ("sum", &["f4be [1:,:]"], json!({"axis": 0}), &["f4 40"]),
        ("sum", &["u1"], json!({"axis": 1, "keepdims": true}), &["u8 60x1"]),
        ("min", &["f8 [1:,:]"], json!({"axis": -1}), &["f8 59"]),
        ("max", &["f8"], json!({"axis": 0}), &["f8 40"]),
        ("argmax", &["i4"], json!({}), &["i8 1"]),
        ("argmin", &["cube"], json!({"axis": 1}), &["i8 20x13"]),
        ("mean", &["i2be"], json!({"axis": [0]}), &[">f8 40"]),
        ("mean", &["f2 [1:,:]"], json!({}), &["f2 "]),
        ("std", &["cube"], json!({"axis": [0, 2], "ddof": 1}), &["f8 9"]),
        ("var", &["f8 [1:60:3,::2]"], json!({"axis": 1}), &["f8 20"]),
        ("count", &["u1"], json!({"axis": 0}), &["i8 40"]),
        ("prod", &["cube [0:2,0:2,0:3]"], json!({}), &["i8 "]),
        ("any", &["b"], json!({"axis": 0}), &["? 40"]),
        ("all", &["b"], json!({"axis": 0, "keepdims": true}), &["? 1x40"]),
        ("sum", &["cube [3,:,:]"], json!({"axis": 0}), &["i8 20x13 [4,:]"]),
        ("sum", &["none"], json!({"axis": 0}), &["f8 5"]),
        ("max", &["cube"], json!({"axis": []}), &["i2 20x9x13"]),
    ])
    .await;
    let source = |path: &str| json!({"domain": DOMAIN, "h5path": path});
    let value = stage.run(&request("max", &[source("/column")], json!({}), &[])).await;
    assert_eq!(value, Ok(json!({"value": 29})));
    let value = stage.run(&request("mean", &[source("/none")], json!({}), &[])).await;
    assert_eq!(value, Ok(json!({"value": "nan"})));
}

#[tokio::test]
async fn large_datasets_are_cut_along_their_chunks() {
    let stage = Stage::new().await;
    let make = "
x = np.arange(3_000_000, dtype='>i4').reshape(1500, 2000)
f.create_dataset('x', data=x, chunks=(256, 1024))
f.create_dataset('y', (1500, 2000), dtype='f8', chunks=(1024, 256))
f.create_dataset('rows', (1500,), dtype='f8')
f.create_dataset('half', (1500, 1000), dtype='i4')
";
    stage.python(make, &[]).await;
    for request in [
        request("multiply", &[at("x")], json!({"x2": 0.5}), &[at("y")]),
        request("mean", &[at("x")], json!({"axis": 1}), &[at("rows")]),
        request("negative", &[part("x", "[:,1:2000:2]")], json!({}), &[at("half")]),
    ] {
        assert_eq!(stage.check(&request).await, Ok(()));
        let done = stage.attempt(&request, Pace::default(), &Arc::default()).await;
        assert!(done.is_ok(), "{request:?}: {done:?}");
    }
    let look = "
x = np.arange(3_000_000, dtype='i4').reshape(1500, 2000)
assert np.array_equal(f['y'][...], x * 0.5)
assert np.array_equal(f['rows'][...], x.mean(axis=1))
assert np.array_equal(f['half'][...], -x[:, 1::2])
";
    stage.python(look, &[]).await;
}
