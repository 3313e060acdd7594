//! Where a client may put a file: messages of `CreateUploadLocation`.

use buffa_types::google::protobuf::{Duration, Timestamp};
use taskgate_core::time::UnixTime;
use taskgate_idl::proto::flyteidl2::dataproxy::{CreateUploadLocationRequest, CreateUploadLocationResponse};

use crate::data::service::{SignedDuration, Upload, UploadAsk};

/// What the client wants to put.
pub(super) fn ask(request: CreateUploadLocationRequest) -> UploadAsk {
    UploadAsk {
        organization: request.org,
        project: request.project,
        domain: request.domain,
        filename: request.filename,
        filename_root: request.filename_root,
        content_md5: request.content_md5,
        content_sha256: None,
        content_length: request.content_length,
        expires_in: request.expires_in.as_option().map(length),
        add_content_md5_metadata: request.add_content_md5_metadata,
        resumable: false,
    }
}

/// Where it may put it.
pub(super) fn location(upload: Upload) -> CreateUploadLocationResponse {
    CreateUploadLocationResponse {
        signed_url: upload.request.url.expose().to_owned(),
        native_url: upload.native_url,
        expires_at: time(upload.request.expires_at).into(),
        headers: upload.request.headers.into_iter().collect(),
        ..Default::default()
    }
}

/// A length of time, as it was sent.
pub(super) fn length(duration: &Duration) -> SignedDuration {
    SignedDuration { seconds: duration.seconds, nanos: duration.nanos }
}

/// A point in time.
pub(super) fn time(time: UnixTime) -> Timestamp {
    let millis = time.as_millis();
    let nanos = i32::try_from(millis % 1000).unwrap_or_default() * 1_000_000;
    Timestamp { seconds: i64::try_from(millis / 1000).unwrap_or(i64::MAX), nanos, ..Default::default() }
}
