use std::io;
use std::sync::{Arc, Mutex};

use crate::data::service::{Upload, UploadAsk};
use crate::data::testing::{Parts, caller, lock};

/// Lines that were logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Signs an upload. Its address, and what was logged meanwhile.
async fn sign() -> (Upload, String) {
    let lines = Lines::default();
    let writer = lines.clone();
    let builder = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false);
    let _guard = tracing::subscriber::set_default(builder.with_max_level(tracing::Level::TRACE).finish());
    let (service, ..) = Parts::default().service();
    let ask = UploadAsk {
        project: "p".into(),
        domain: "d".into(),
        filename: "a b.txt".into(),
        content_md5: b"0123456789abcdef".to_vec(),
        content_length: 5,
        ..UploadAsk::default()
    };
    let upload = service.create_upload(&caller("ann"), ask).await.expect("is signed");
    let text = String::from_utf8(lock(&lines.0).clone()).expect("text");
    (upload, text)
}

#[tokio::test]
async fn a_line_says_what_was_signed_and_never_the_query() {
    // Another test that comes to the same line at the same time may have it found uninteresting for a moment.
    let (mut upload, mut text) = sign().await;
    for _ in 0..100 {
        if text.is_empty() {
            (upload, text) = sign().await;
        }
    }
    for part in [
        "taskgate::audit",
        "actor.id=\"ann\"",
        "data.event=\"upload\"",
        "data.store=\"main\"",
        "data.key=uploads/p/d/GAYTEMZUGU3DOOBZMFRGGZDFMY======/a b.txt",
        "data.digest=\"md5:MDEyMzQ1Njc4OWFiY2RlZg==\"",
        "data.size=5",
        "data.expires_at_ms=1000",
        "request.id=\"r1\"",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(upload.request.url.expose().contains("?signature=secret"));
    assert!(!text.contains("secret") && !text.contains('?'), "{text}");
    assert!(!format!("{upload:?}").contains("secret"));
}
