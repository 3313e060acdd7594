//! Digests against Python's, and the scan of a domain.

use serde_json::json;
use taskgate::tasks::operation::Rejection;

use super::stage::{Stage, at, part, request};

const DATASETS: &str = "
import hashlib, zlib
x = np.arange(60000, dtype='>i4').reshape(200, 300)
f.create_dataset('x', data=x, chunks=(64, 64))
f.create_dataset('pi', data=np.float64(3.14))
f.create_dataset('nothing', (0, 3), dtype='i2')
f.create_dataset('words', (2,), dtype=h5pyd.special_dtype(vlen=str))
f['words'][...] = ['eins', 'zwei']
f.create_dataset('text', (), dtype=h5pyd.special_dtype(vlen=str))
f.create_dataset('bytes', (1,), dtype='S70')
f.create_group('g')
part = np.ascontiguousarray(x[3:150:7, 10:20])
words = b''.join(len(word).to_bytes(4, 'little') + word for word in (b'eins', b'zwei'))
sha = lambda data: hashlib.sha256(data).hexdigest()
print(json.dumps([sha(x.tobytes()), sha(part.tobytes()), sha(np.float64(3.14).tobytes()), sha(b''), sha(words), '%08x' % zlib.crc32(x.tobytes())]))
";

#[tokio::test]
async fn digests_are_pythons() {
    let stage = Stage::new().await;
    let expected: Vec<String> = serde_json::from_str(&stage.python(DATASETS, &[]).await).expect("digests");
    stage.make_null("null").await;
    let [x, window, pi, empty, words, crc] = expected.as_slice() else { panic!("{expected:?}") };
    for (src, right, bytes) in [
        (at("x"), x, 240_000),
        (part("x", "[3:150:7,10:20]"), window, 840),
        (at("pi"), pi, 8),
        (at("nothing"), empty, 0),
        (at("null"), empty, 0),
        (at("words"), words, 16),
    ] {
        let done = stage.run(&request("checksum", std::slice::from_ref(&src), json!({}), &[])).await;
        assert_eq!(done, Ok(json!({"algorithm": "sha256", "checksum": right, "bytes": bytes})), "{src}");
    }
    let done = stage.run(&request("checksum", &[at("x")], json!({"algorithm": "crc32"}), &[])).await;
    assert_eq!(done, Ok(json!({"algorithm": "crc32", "checksum": crc, "bytes": 240_000})));

    for (args, des) in [(json!({}), "text"), (json!({}), "bytes"), (json!({"attribute": "sum of x"}), "g")] {
        let done = stage.run(&request("checksum", &[at("x")], args, &[at(des)])).await;
        assert!(done.is_ok(), "{des}: {done:?}");
    }
    let again = stage.run(&request("checksum", &[at("x")], json!({"attribute": "sum of x"}), &[at("g")])).await;
    assert!(again.is_ok(), "{again:?}");
    let program = "
text = lambda value: value.decode() if isinstance(value, bytes) else str(value)
print(json.dumps([text(f['text'][()]), text(f['bytes'][0]), text(f['g'].attrs['sum of x'])]))
";
    let found: Vec<String> = serde_json::from_str(&stage.python(program, &[]).await).expect("texts");
    assert_eq!(found, [x.clone(), x.clone(), x.clone()]);

    for (src, args, des, reason) in [
        ("x", json!({"algorithm": "md5"}), "text", "sha256 or crc32"),
        ("x", json!({}), "words", "one text"),
        ("x", json!({}), "pi", "must hold text"),
        ("text", json!({}), "text", "overlap"),
        ("g", json!({}), "text", "no dataset"),
    ] {
        let refused = stage.check(&request("checksum", &[at(src)], args, &[at(des)])).await;
        assert!(matches!(&refused, Err(Rejection::Malformed(text)) if text.contains(reason)), "{refused:?}");
    }
}

#[tokio::test]
async fn a_domain_is_scanned_anew() {
    let stage = Stage::new().await;
    stage.python("f.create_dataset('x', data=np.arange(1000))", &[]).await;
    let done = stage.run(&request("rescan", &[], json!({}), &[at("/")])).await;
    assert_eq!(done, Ok(json!({"domain": super::stage::DOMAIN})));
    let printed = stage.python("print(f.total_size > 0, f.num_objects)", &[]).await;
    assert!(printed.starts_with("True"), "{printed}");
}
