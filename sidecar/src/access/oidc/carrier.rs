//! Carries the requests of the `openidconnect` crate: bounded in time and size, following no redirect.

use std::pin::Pin;

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};

use crate::http::{self, HttpError};

/// Carries requests.
#[derive(Debug)]
pub(super) struct Carrier {
    pub(super) client: reqwest::Client,
}

impl<'c> AsyncHttpClient<'c> for Carrier {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let builder = self.client.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body);
            let answer = http::exchange(builder).await?;
            let mut response = HttpResponse::new(answer.body);
            *response.status_mut() = answer.status;
            *response.headers_mut() = answer.headers;
            Ok(response)
        })
    }
}
