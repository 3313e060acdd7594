//! A large file in one piece that can be gone on with: tus 1.0, as the local store speaks it.

use indicatif::ProgressBar;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Method};

use crate::cli::data::api::Place;
use crate::cli::data::signed::Failure;
use crate::cli::data::source::Source;

const UPLOAD_LENGTH: &str = "upload-length";
const UPLOAD_OFFSET: &str = "upload-offset";
/// What bytes are sent as.
const BYTES: &str = "application/offset+octet-stream";

/// Sends what is missing. `kept` is how many bytes the store is known to have.
pub(super) async fn send(
    place: &Place,
    source: &Source,
    sender: &Client,
    bar: &ProgressBar,
    kept: &mut u64,
) -> Result<(), Failure> {
    let request = &place.request;
    // The URL is the upload itself: created again, it says how far it is.
    let create = request.request(sender, Method::POST)?.header(UPLOAD_LENGTH, source.size).header(CONTENT_LENGTH, 0);
    let created = match request.send(create, bar).await {
        Ok(created) => created,
        Err(Failure::Done) => return Ok(()),
        Err(failure) => return Err(failure),
    };
    *kept = offset(created.headers(), source.size)?;
    bar.set_position(*kept);
    if *kept == source.size {
        return Ok(());
    }
    let patch = request
        .request(sender, Method::PATCH)?
        .header(UPLOAD_OFFSET, *kept)
        .header(CONTENT_TYPE, BYTES)
        .header(CONTENT_LENGTH, source.size - *kept)
        .body(source.body(*kept, source.size, bar));
    let answer = request.send(patch, bar).await?;
    *kept = offset(answer.headers(), source.size)?;
    if *kept == source.size {
        return Ok(());
    }
    Err(Failure::Passing("the store did not take all of it".to_owned(), None))
}

/// How far the upload is.
fn offset(headers: &HeaderMap, size: u64) -> Result<u64, Failure> {
    let offset = headers.get(UPLOAD_OFFSET).and_then(|value| value.to_str().ok()?.parse().ok());
    offset
        .filter(|offset| *offset <= size)
        .ok_or_else(|| Failure::Final("the store does not say how far the upload is".to_owned()))
}
