//! Prime factors: the first operation that the design of tasks speaks of.

use serde_json::json;
use taskgate::tasks::operation::{Rejection, WorkError};

use super::stage::{Stage, at, part, request};

const DATASETS: &str = r#"
def vlen(name, shape, base='i8'):
    return f.create_dataset(name, shape, dtype=h5pyd.special_dtype(vlen=np.dtype(base)))

f.create_dataset('n', data=np.int64(42))
vlen('one', (1,))
vlen('scalar', ())
f.create_dataset('many', data=np.arange(-50, 150, dtype='>i2').reshape(10, 20))
vlen('lists', (10, 20), '>i4')
f.create_dataset('big', data=np.array([2**64 - 1, 18446744073709551557, 0, 1], dtype='u8'))
vlen('bigs', (4,), 'u8')
vlen('small', (4,), 'i1')
f.create_dataset('grows', (1,), maxshape=(None,), dtype='i4')
f.create_dataset('fixed', (1,), dtype='i8')
f.create_dataset('x', data=np.float64(42))
"#;

#[tokio::test]
async fn forty_two_is_two_times_three_times_seven() {
    let stage = Stage::new().await;
    stage.python(DATASETS, &[]).await;
    for des in ["one", "scalar", "grows"] {
        let done = stage.run(&request("factor", &[at("n")], json!({}), &[at(des)])).await;
        assert!(done.is_ok(), "{des}: {done:?}");
    }
    let done = stage.run(&request("factor", &[at("many")], json!({}), &[at("lists")])).await;
    assert_eq!(done, Ok(json!({"elements": 200})));
    assert!(stage.run(&request("factor", &[at("big")], json!({}), &[at("bigs")])).await.is_ok());
    let printed = stage
        .python(
            "
assert list(f['one'][...][0]) == [2, 3, 7], f['one'][...]
assert list(np.ravel(f['scalar'][()])) == [2, 3, 7], f['scalar'][()]
assert f['grows'].shape == (3,) and list(f['grows'][...]) == [2, 3, 7]
numbers, lists = f['many'][...], f['lists'][...]
for index in np.ndindex(numbers.shape):
    number, factors = int(numbers[index]), lists[index]
    factors = [] if np.isscalar(factors) else [int(factor) for factor in factors]
    assert (int(np.prod(factors)) == number if abs(number) > 1 else factors == ([-1] if number < 0 else [])), (number, factors)
big = [[int(factor) for factor in np.atleast_1d(factors)] for factors in f['bigs'][...][:2]]
assert big == [[3, 5, 17, 257, 641, 65537, 6700417], [18446744073709551557]], big
print('right')
",
            &[],
        )
        .await;
    assert_eq!(printed.trim(), "right");

    // -3 is -1 times 3: one factor fewer than before, so that the dataset shrinks.
    let one = stage.run(&request("factor", &[part("many", "[2,7]")], json!({}), &[at("grows")])).await;
    assert_eq!(one, Ok(json!({"elements": 2})));
}

#[tokio::test]
async fn what_can_not_be_factored_says_why() {
    let stage = Stage::new().await;
    stage.python(DATASETS, &[]).await;
    for (src, des, reason) in [
        (at("x"), at("one"), "must hold integers"),
        (at("n"), at("fixed"), "variable-length"),
        (at("many"), at("grows"), "one number"),
        (at("many"), at("one"), "does not broadcast"),
    ] {
        let refused = stage.check(&request("factor", &[src], json!({}), &[des])).await;
        assert!(matches!(&refused, Err(Rejection::Malformed(text)) if text.contains(reason)), "{refused:?}");
    }
    let refused = stage.check(&request("factor", &[at("gone")], json!({}), &[at("one")])).await;
    assert!(matches!(&refused, Err(Rejection::NotFound(text)) if text.contains("src[0]")), "{refused:?}");
    let failed = stage.run(&request("factor", &[at("big")], json!({}), &[at("small")])).await;
    assert!(matches!(failed, Err(WorkError::Permanent { code: "does-not-fit", .. })), "{failed:?}");
}
