//! What signed downloads have alike.

use crate::data::store::DownloadTerms;

/// The parameters with which S3 and Google Cloud Storage are told which headers the answer has.
pub(crate) fn v4_parameters(terms: &DownloadTerms) -> Vec<(&str, &str)> {
    let disposition = terms.content_disposition.as_deref().map(|value| ("response-content-disposition", value));
    let content_type = terms.content_type.as_deref().map(|value| ("response-content-type", value));
    disposition.into_iter().chain(content_type).collect()
}
