//! What a store does with requests that are not as they were signed: one column of the table in `docs/data.md`.
//!
//! The table says what was measured, and is compared with it, so that it stays true.

use taskgate::data::store::{Store, StoreError, UploadTerms};
use taskgate::digest::Digest;
use taskgate_test_kit::environment;

use super::support::{BODY, LONGER, OTHER, forged, key, put, put_without, race, upload};

/// Under which heading the table stands.
const HEADING: &str = "### What each store enforces";
/// What is said of what a store takes though it is not as it was signed.
const TAKEN: &str = "taken";

/// A store that is looked at.
pub(crate) struct Subject<'a> {
    /// What its column is called.
    pub(crate) column: &'static str,
    /// It.
    pub(crate) store: &'a dyn Store,
    /// The same, with a clock that is an hour behind.
    pub(crate) late: &'a dyn Store,
    /// The parameter of its URLs that has the signature.
    pub(crate) signature: &'static str,
    /// What it answers when it has taken an upload.
    pub(crate) success: u16,
    /// How often eight clients race; none: of that server it is known that several may win.
    pub(crate) rounds: Option<u32>,
    /// Whether it keeps bytes that it refused. No store that is used in earnest does.
    pub(crate) keeps_refused: bool,
}

/// Measures a store, and compares that with what is documented.
pub(crate) async fn are_documented(subject: &Subject<'_>) {
    let measured = measured(subject).await;
    assert_eq!(measured, documented(subject.column), "{HEADING}: {}", subject.column);
}

async fn measured(subject: &Subject<'_>) -> Vec<(String, String)> {
    let store = subject.store;
    let sign = async |name: &str, terms: &UploadTerms| store.sign_upload(&key(name), terms).await.expect("signed");
    let plain = UploadTerms { content_md5: None, md5_metadata: false, ..upload() };
    let exact = UploadTerms { content_length: Some(12), ..plain.clone() };
    let most = UploadTerms { max_length: Some(12), ..plain.clone() };
    let sha256 = UploadTerms { content_sha256: Some(*Digest::of(BODY).as_bytes()), ..plain.clone() };
    let create = UploadTerms { create_only: true, ..plain };

    let mut cells = Vec::new();
    let mut fault = async |row: &'static str, name: &str, status: u16| {
        if status >= 400 && !subject.keeps_refused {
            assert_eq!(store.head(&key(name)).await, Ok(None), "{row}: what was refused is there");
        }
        cells.push((row, cell(status)));
    };
    let signed = forged(&sign("f/a", &upload()).await, subject.signature);
    fault("another signature", "f/a", put(&signed, BODY).await).await;
    let signed = subject.late.sign_upload(&key("f/b"), &upload()).await.expect("signed");
    fault("an expired URL", "f/b", put(&signed, BODY).await).await;
    let signed = sign("f/c", &upload()).await;
    fault("other bytes than the MD5 digest says", "f/c", put(&signed, OTHER).await).await;
    let signed = sign("f/d", &upload()).await;
    fault("the same, and the digest left out", "f/d", put_without(&signed, "Content-MD5", OTHER).await).await;
    let signed = sign("f/g", &upload()).await;
    fault("the right bytes, and the digest left out", "f/g", put_without(&signed, "Content-MD5", BODY).await).await;
    let signed = sign("f/e", &exact).await;
    fault("more bytes than `content_length` says", "f/e", put(&signed, LONGER).await).await;
    let signed = sign("f/f", &most).await;
    fault("more bytes than `maxSize`, no length said", "f/f", put(&signed, LONGER).await).await;
    cells.push((
        "other bytes than the SHA-256 digest says",
        match store.sign_upload(&key("f/sha256"), &sha256).await {
            Ok(signed) => cell(put(&signed, OTHER).await),
            Err(StoreError::Unsupported(_)) => "not offered".to_owned(),
            Err(error) => panic!("{error}"),
        },
    ));
    let signed = sign("f/create", &create).await;
    assert_eq!(put(&signed, BODY).await, subject.success, "the first");
    cells.push(("a second upload of what may only be created", cell(put(&signed, OTHER).await)));
    cells.push(("eight such uploads at one time", winners(subject).await));
    cells.into_iter().map(|(row, cell)| (row.to_owned(), cell)).collect()
}

async fn winners(subject: &Subject<'_>) -> String {
    let mut several = subject.rounds.is_none();
    for round in 0..subject.rounds.unwrap_or(1) {
        let statuses = race(subject.store, &format!("f/race/{round}"), subject.success).await;
        let won = statuses.iter().filter(|status| **status == subject.success).count();
        let lost = statuses.iter().filter(|status| matches!(status, 403 | 409 | 412)).count();
        assert_eq!(won + lost, 8, "{statuses:?}");
        several |= won > 1;
    }
    if several { "several may win" } else { "one wins" }.to_owned()
}

fn cell(status: u16) -> String {
    if (200..300).contains(&status) { TAKEN.to_owned() } else { status.to_string() }
}

/// What `docs/data.md` says of a store: each fault, and what comes of it.
fn documented(column: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(environment::repository().join("docs/data.md")).expect("the page");
    let (_, section) = text.split_once(HEADING).expect("the section");
    let lines = section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let mut rows =
        lines.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<String>>());
    let place = rows.next().expect("a header").iter().position(|cell| cell == column).expect("the column");
    rows.skip(1).map(|row| (row[0].clone(), row[place].clone())).collect()
}
