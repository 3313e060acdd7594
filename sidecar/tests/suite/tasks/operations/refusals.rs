//! What is asked for in vain says so before it is accepted.

use serde_json::{Value, json};
use taskgate::tasks::operation::Rejection;

use super::stage::{Stage, at, part, request};

/// An operation, its sources, arguments and destinations, and why it is refused.
type Case<'a> = (&'a str, &'a [Value], Value, &'a [Value], &'a str);

const DATASETS: &str = "
f.create_dataset('x', data=np.zeros((6, 4), 'f8'))
f.create_dataset('y', data=np.zeros((6, 4), 'f8'))
f.create_dataset('row', data=np.zeros(4, 'f8'))
f.create_dataset('i', data=np.zeros((6, 4), 'i4'))
f.create_dataset('u', data=np.zeros((6, 4), 'u1'))
f.create_dataset('b', data=np.zeros((6, 4), '?'))
f.create_dataset('none', data=np.zeros((0, 4), 'f8'))
f.create_dataset('text', (6, 4), dtype=h5pyd.special_dtype(vlen=str))
f.create_group('g')
f['elsewhere'] = h5pyd.ExternalLink('/home/test_user1/other.h5', '/x')
";

#[tokio::test]
async fn requests_that_can_not_be_done_are_refused() {
    let stage = Stage::new().await;
    stage.python(DATASETS, &[]).await;
    stage.make_null("null").await;
    let cases: &[Case<'_>] = &[
        ("add", &[at("x")], json!({}), &[at("y")], "no operand `x2`"),
        ("add", &[at("x"), at("y")], json!({"x2": 1}), &[at("i")], "more operands"),
        ("add", &[at("x"), at("y"), at("i")], json!({}), &[at("row")], "1 to 2 locations"),
        ("add", &[at("x"), at("y")], json!({}), &[at("i")], "not cast to the int32"),
        ("add", &[at("x")], json!({"x2": "one"}), &[at("y")], "must be a number"),
        ("add", &[at("u")], json!({"x2": 300}), &[at("i")], "out of bounds"),
        ("add", &[at("x")], json!({"x2": 1, "y": 2}), &[at("y")], "`args.y`"),
        ("add", &[at("x")], json!({"x2": 1, "casting": "any"}), &[at("y")], "`args.casting`"),
        ("add", &[at("x")], json!({"x2": 1}), &[at("row")], "does not broadcast"),
        ("add", &[part("x", "[0:5,:]")], json!({"x2": 1}), &[at("y")], "does not broadcast"),
        ("add", &[part("x", "[0:9,:]")], json!({"x2": 1}), &[at("y")], "beyond"),
        ("add", &[part("x", "[0]")], json!({"x2": 1}), &[at("y")], "dimensions"),
        ("bitwise_and", &[at("x"), at("i")], json!({}), &[at("y")], "not for operands"),
        ("subtract", &[at("b")], json!({"x2": true}), &[at("i")], "not for operands"),
        ("modf", &[at("x")], json!({}), &[at("y")], "2 locations"),
        ("modf", &[at("row")], json!({}), &[at("y"), at("y")], "overlap"),
        ("modf", &[at("row")], json!({}), &[part("y", "[0:2,:]"), part("y", "[1:3,:]")], "overlap"),
        ("negative", &[part("x", "[0:3,:]")], json!({}), &[part("x", "[1:4,:]")], "overlap"),
        ("negative", &[part("x", "[0,:]")], json!({}), &[at("x")], "overlap"),
        ("negative", &[at("text")], json!({}), &[at("y")], "must hold numbers"),
        ("negative", &[at("x")], json!({}), &[at("text")], "must hold numbers"),
        ("negative", &[at("null")], json!({}), &[at("y")], "null dataspace"),
        ("negative", &[at("x")], json!({}), &[at("null")], "null dataspace"),
        ("negative", &[at("g")], json!({}), &[at("y")], "no dataset"),
        ("fill", &[], json!({}), &[at("y")], "`args.value` is missing"),
        ("fill", &[], json!({"value": 300}), &[at("u")], "out of bounds"),
        ("fill", &[], json!({"value": 2.5}), &[at("i")], "not cast to int32"),
        ("where", &[at("b"), at("x")], json!({}), &[at("y")], "no `y`"),
        ("clip", &[at("x")], json!({}), &[at("y")], "needs a bound"),
        ("sum", &[at("x")], json!({"axis": 2}), &[at("row")], "no axis 2"),
        ("sum", &[at("x")], json!({"axis": [0, -2]}), &[at("row")], "twice"),
        ("sum", &[at("x")], json!({"axis": 1}), &[at("row")], "shape"),
        ("sum", &[at("x")], json!({"axis": 0}), &[], "needs a destination"),
        ("sum", &[at("x")], json!({"ddof": 1}), &[], "`args.ddof`"),
        ("sum", &[at("x")], json!({"axis": 0}), &[part("x", "[0,:]")], "overlap"),
        ("argmax", &[at("x")], json!({"axis": [0, 1], "keepdims": 1}), &[], "`args.keepdims`"),
        ("max", &[at("none")], json!({}), &[], "of no elements"),
        ("mean", &[at("i")], json!({"axis": 0}), &[part("i", "[0,:]")], "not cast"),
    ];
    for (operation, src, args, des, reason) in cases {
        let refused = stage.check(&request(operation, src, args.clone(), des)).await;
        let is_told = matches!(&refused, Err(Rejection::Malformed(text)) if text.contains(reason));
        assert!(is_told, "{operation} {src:?} {args} {des:?}: {refused:?}");
    }
    let missing = stage.check(&request("negative", &[at("x")], json!({}), &[at("gone")])).await;
    assert!(matches!(&missing, Err(Rejection::NotFound(text)) if text.contains("des[0]")), "{missing:?}");
    // What is behind an external link is another domain, which nobody would flush.
    let other = stage.check(&request("negative", &[at("x")], json!({}), &[at("elsewhere")])).await;
    assert!(other.is_err(), "{other:?}");
}
