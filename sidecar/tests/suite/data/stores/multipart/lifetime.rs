//! What every store can do with a file in parts.

use serde_json::{Value, json};
use taskgate::data::store::multipart::{Completion, UploadId};
use taskgate::data::store::{StoreError, WriteMode};

use super::stage::{File, Stage, md5, put_signed};

/// A file is put, completed with the tags of the answers, and there.
pub(super) async fn a_file_in_parts_becomes_an_object(stage: &Stage) {
    let file = File::new("large ü #1?%.bin");
    let upload = stage.begin(&file).await;
    let (status, signed) = stage.ask("/parts", &file, &json!({"upload_id": upload, "from": 1, "count": 2})).await;
    assert_eq!(status, 200, "{signed}");
    let mut etags = Vec::new();
    for (number, signed) in (1..).zip(signed["parts"].as_array().expect("parts")) {
        assert_eq!(signed["number"].as_u64(), Some(u64::from(number)));
        let answer = put_signed(signed, file.part(number)).await;
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
        let etag = answer.headers.get("etag").and_then(|value| value.to_str().ok()).unwrap_or_default();
        etags.push(json!({"number": number, "etag": etag}));
    }
    assert_eq!(stage.object(&file).await, None, "it is not whole yet");
    let done = json!({"upload_id": upload, "etags": etags});
    completed(stage, &file, &done).await;
    let read = stage.store.read(&file.key(), 16 << 20).await.expect("read").expect("an object");
    assert!(read == file.bytes, "the bytes are those of the file");
    let object = stage.object(&file).await.expect("an object");
    assert_eq!(object.content_md5.map(|digest| md5(&file.bytes) == base64(&digest)), Some(true));
    // Who did not see the answer asks again.
    completed(stage, &file, &done).await;
    let mut other = File::new("large ü #1?%.bin");
    other.bytes.pop();
    let (status, refused) = stage.ask("", &other, &json!({})).await;
    assert_eq!((status, refused["code"].as_str()), (409, Some("already-exists")), "another file of the same name");
    // Of the same content it may come again.
    let again = stage.begin(&file).await;
    for number in [2, 1] {
        stage.put(&file, &again, number).await;
    }
    completed(stage, &file, &json!({"upload_id": again})).await;
}

/// Who lost everything but the upload's name sees what is there, and goes on.
pub(super) async fn a_client_goes_on_where_it_was(stage: &Stage) {
    let file = File::new("resumed.bin");
    let upload = stage.begin(&file).await;
    assert_eq!(stage.there(&file, &upload).await, []);
    stage.put(&file, &upload, 2).await;
    assert_eq!(stage.there(&file, &upload).await, [(2, 100)]);
    let (status, refused) = stage.ask("/complete", &file, &json!({"upload_id": upload})).await;
    assert_eq!((status, refused["detail"].as_str()), (400, Some("part 1 is missing")));
    stage.put(&file, &upload, 1).await;
    assert_eq!(stage.there(&file, &upload).await, [(1, 8 << 20), (2, 100)]);
    completed(stage, &file, &json!({"upload_id": upload})).await;
    assert_eq!(stage.object(&file).await.map(|object| object.size), Some((8 << 20) + 100));
}

/// An upload that was given up is gone, and so are its parts where the store does that.
pub(super) async fn what_is_given_up_makes_no_object(stage: &Stage) {
    let file = File::new("given-up.bin");
    let upload = stage.begin(&file).await;
    stage.put(&file, &upload, 1).await;
    assert_eq!(stage.ask("/abort", &file, &json!({"upload_id": upload})).await, (204, Value::Null));
    let (status, refused) = stage.ask("/complete", &file, &json!({"upload_id": upload})).await;
    assert!(matches!(status, 400 | 404), "{refused}");
    assert_eq!(stage.object(&file).await, None);
}

/// Who has nothing in a project learns nothing of its uploads.
pub(super) async fn strangers_have_no_upload(stage: &Stage) {
    let file = File::new("mine.bin");
    let upload = stage.begin(&file).await;
    stage.put(&file, &upload, 1).await;
    let about = |more: &Value| {
        let mut about = json!({"upload_id": upload});
        for (name, value) in more.as_object().into_iter().flatten() {
            about[name] = value.clone();
        }
        about
    };
    for (path, more) in [
        ("", json!({})),
        ("/parts", about(&json!({"from": 1, "count": 1}))),
        ("/list", about(&json!({}))),
        ("/complete", about(&json!({}))),
        ("/abort", about(&json!({}))),
    ] {
        let (status, refused) = stage.ask_as("q", path, &file, &more).await;
        assert_eq!((status, refused["detail"].as_str()), (404, Some("project \"p\" not found")), "{path}");
    }
    assert_eq!(stage.there(&file, &upload).await, [(1, 8 << 20)], "it is still there");
}

/// The name of an upload is good for the key that it was begun with.
pub(super) async fn an_upload_leads_to_no_other_key(stage: &Stage) {
    let (file, other) = (File::new("one.bin"), File::new("other.bin"));
    let upload = stage.begin(&file).await;
    for number in [1, 2] {
        stage.put(&file, &upload, number).await;
    }
    let about = json!({"upload_id": upload});
    let (status, refused) = stage.ask("/complete", &other, &about).await;
    assert_eq!(status, 404, "{refused}");
    assert_ne!(stage.ask("/list", &other, &about).await.1["parts"][0]["number"], 1);
    let signed = stage.sign_any(&other, &upload).await;
    if let Some(signed) = signed {
        // Amazon's way refuses it. At Azure it is a part of the other file, to which the right is the same.
        put_signed(&signed, other.part(1)).await;
    }
    assert_eq!(stage.object(&other).await, None);
    assert_eq!(stage.there(&file, &upload).await, [(1, 8 << 20), (2, 100)]);
    completed(stage, &file, &about).await;
}

/// An object that came meanwhile is not replaced.
pub(super) async fn what_came_meanwhile_stays(stage: &Stage) {
    let file = File::new("taken.bin");
    let upload = stage.begin(&file).await;
    let mut etags = Vec::new();
    for number in [1, 2] {
        etags.push(stage.put(&file, &upload, number).await["etag"].as_str().expect("text").to_owned());
    }
    stage.store.write(&file.key(), "other"[..].into(), WriteMode::Replace).await.expect("written");
    let (status, refused) = stage.ask("/complete", &file, &json!({"upload_id": upload})).await;
    assert_eq!((status, refused["code"].as_str()), (409, Some("already-exists")), "{refused}");
    // The store refuses it by itself too: there is time between a look and the end.
    let completion = Completion { etags: &etags, mode: WriteMode::Create, content_md5: None };
    let multipart = stage.store.multipart().expect("parts");
    assert_eq!(multipart.complete(&file.key(), &UploadId::new(upload), &completion).await, Err(StoreError::Exists));
    assert_eq!(stage.store.read(&file.key(), 100).await.expect("read").as_deref(), Some(&b"other"[..]));
}

/// A part whose digest is not the one that was asked for is refused.
pub(super) async fn other_bytes_are_no_part(stage: &Stage) {
    let file = File::new("digests.bin");
    let upload = stage.begin(&file).await;
    let signed = stage.sign(&file, &upload, json!({"number": 2, "content_md5": md5(file.part(2))})).await;
    let answer = put_signed(&signed, &[0; 100]).await;
    assert_eq!(answer.status, 400, "another digest: {answer:?}");
    let answer = put_signed(&signed, file.part(2)).await;
    assert!(matches!(answer.status, 200 | 201), "{answer:?}");
}

/// A part of another length is refused, if not by the store then at the end.
pub(super) async fn parts_of_other_lengths_make_no_object(stage: &Stage, store_looks: bool) {
    let file = File::new("short.bin");
    let upload = stage.begin(&file).await;
    stage.put(&file, &upload, 1).await;
    // Without a digest, which would be looked at.
    let signed = stage.sign(&file, &upload, json!({"number": 2})).await;
    for bytes in [&file.part(1)[..101], &file.part(2)[..99]] {
        let status = put_signed(&signed, bytes).await.status;
        if store_looks {
            assert_eq!(status, 403);
        } else {
            assert_eq!(status, 201);
            let (status, refused) = stage.ask("/complete", &file, &json!({"upload_id": upload})).await;
            let detail = format!("part 2 has {} bytes, not 100", bytes.len());
            assert_eq!((status, refused["detail"].as_str()), (400, Some(&*detail)));
        }
    }
    assert_eq!(stage.object(&file).await, None);
    assert_eq!(stage.there(&file, &upload).await.len(), if store_looks { 1 } else { 2 });
    stage.put(&file, &upload, 2).await;
    completed(stage, &file, &json!({"upload_id": upload})).await;
}

async fn completed(stage: &Stage, file: &File, about: &Value) {
    let (status, answer) = stage.ask("/complete", file, about).await;
    assert_eq!((status, answer), (200, json!({"native_url": stage.uri(file)})));
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
