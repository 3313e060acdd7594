//! Links to what a run left behind: messages of `CreateDownloadLink`.

use taskgate_idl::proto::flyteidl2::dataproxy::{
    ArtifactType, CreateDownloadLinkRequest, CreateDownloadLinkResponse, PreSignedURLs,
    create_download_link_request::Source,
};

use crate::api::flyte::{names, upload};
use crate::data::error::DataError;
use crate::data::service::{Artifact, Download, DownloadAsk, DownloadSource};

/// What the client wants to get.
pub(super) fn ask(request: CreateDownloadLinkRequest) -> Result<DownloadAsk, DataError> {
    let artifact = match request.artifact_type.as_known() {
        Some(ArtifactType::ARTIFACT_TYPE_REPORT) => Artifact::Report,
        Some(ArtifactType::ARTIFACT_TYPE_CODE_BUNDLE) => Artifact::CodeBundle,
        Some(ArtifactType::ARTIFACT_TYPE_UNSPECIFIED) | None => Artifact::Unspecified,
    };
    let source = match request.source {
        None => None,
        Some(Source::ActionAttemptId(attempt)) => {
            let action = names::required_action(attempt.action_id.into_option())?;
            Some(DownloadSource::Attempt(action, names::attempt(attempt.attempt)?))
        }
        Some(Source::AppId(app)) => Some(DownloadSource::App(app.name)),
        Some(Source::TaskId(task)) => Some(DownloadSource::Task(names::task(*task)?)),
    };
    Ok(DownloadAsk { artifact, source, expires_in: request.expires_in.as_option().map(upload::length) })
}

/// How it gets it.
pub(super) fn link(download: &Download) -> CreateDownloadLinkResponse {
    let urls = PreSignedURLs {
        signed_url: download.requests.iter().map(|request| request.url.expose().to_owned()).collect(),
        expires_at: upload::time(download.expires_at).into(),
        ..Default::default()
    };
    CreateDownloadLinkResponse { pre_signed_urls: urls.into(), ..Default::default() }
}
