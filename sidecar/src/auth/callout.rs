//! An HTTP service that knows credentials.
//!
//! 2xx with a login name identifies, 401 rejects the credential, 403 refuses its holder. Everything
//! else is no answer: a service that is down, slow or confused decides nothing.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};
use taskgate_core::verdict::{Credential, Scheme};
use url::Url;

use crate::auth::actor::Actor;
use crate::auth::fields::{Fields, NoVisitor};
use crate::auth::source::{Identification, Question, Source};
use crate::config::resolve::{Files, InvalidSetting};
use crate::config::sources::{CalloutConfig, CalloutMode};
use crate::http::{self, Answer, HttpError};
use crate::secret::SecretText;

/// The settings of a callout.
#[derive(Clone, Debug)]
pub struct CalloutSettings {
    url: Url,
    mode: CalloutMode,
    timeout: Duration,
    authorization: Option<SecretText>,
    fields: Fields,
}

/// The source that asks a service.
#[derive(Debug)]
pub struct Callout {
    settings: CalloutSettings,
    client: Client,
}

/// What a service is asked in the mode `decide`.
#[derive(Serialize)]
struct Decide<'a> {
    id: &'a str,
    service: &'a str,
    operation: &'a str,
    task: &'a str,
    owner: Option<&'a str>,
    credential: DecideCredential<'a>,
}

#[derive(Serialize)]
struct DecideCredential<'a> {
    scheme: Scheme,
    name: Option<&'a str>,
    value: &'a str,
}

impl CalloutSettings {
    /// Checks a callout's configuration.
    ///
    /// # Errors
    /// [`InvalidSetting`].
    pub fn resolve(
        key: &str,
        config: CalloutConfig,
        deadline: Duration,
        files: &mut Files<'_>,
    ) -> Result<Self, InvalidSetting> {
        let url = http::parse_url(&config.url)
            .map_err(|error| InvalidSetting::new(format!("{key}.url"), error.to_string()))?;
        let timeout = Duration::from_millis(config.timeout_ms);
        if timeout.is_zero() || timeout >= deadline {
            let reason = "is not between 1 and `verdicts.deadline_ms`";
            return Err(InvalidSetting::new(format!("{key}.timeout_ms"), reason));
        }
        let name = format!("{key}.authorization");
        let authorization = files.secret(&name, config.authorization, config.authorization_file.as_deref())?;
        if let Some(secret) = &authorization {
            if config.mode == CalloutMode::Whoami {
                let reason = "with `mode: whoami` the visitor's own credential is shown; drop this";
                return Err(InvalidSetting::new(name, reason));
            }
            if HeaderValue::from_str(secret.expose()).is_err() {
                return Err(InvalidSetting::new(name, "has characters that no header may have"));
            }
        }
        let fields = Fields {
            actor: config.actor_field,
            email: config.email_field,
            groups: config.groups_field,
            // It is the platform's own word, not that of somebody who gave an address.
            is_address_verified: false,
        };
        Ok(Self { url, mode: config.mode, timeout, authorization, fields })
    }

    /// The service's own secret.
    #[must_use]
    pub fn authorization(&self) -> Option<&SecretText> {
        self.authorization.as_ref()
    }
}

impl Callout {
    /// A source that asks a service.
    ///
    /// # Errors
    /// [`HttpError::Client`].
    pub fn new(settings: CalloutSettings) -> Result<Self, HttpError> {
        let client = http::client(settings.timeout)?;
        Ok(Self { settings, client })
    }

    fn request(&self, question: Question<'_>) -> Option<RequestBuilder> {
        let url = self.settings.url.clone();
        match self.settings.mode {
            CalloutMode::Decide => {
                let key = &question.service.entry.key;
                let mut request = self.client.post(url).json(&Decide {
                    id: question.service.id.as_str(),
                    service: &key.service,
                    operation: &key.operation,
                    task: &key.task,
                    owner: question.service.entry.policy.owner.as_deref(),
                    credential: DecideCredential {
                        scheme: question.credential.scheme,
                        name: question.credential.name.as_deref(),
                        value: &question.credential.value,
                    },
                });
                if let Some(secret) = &self.settings.authorization {
                    request = request.header(AUTHORIZATION, sensitive(secret.expose())?);
                }
                Some(request)
            }
            CalloutMode::Whoami => {
                let (name, value) = as_it_came(question.credential)?;
                Some(self.client.get(url).header(name, value).header("accept", "application/json"))
            }
        }
    }

    fn read(&self, answer: &Answer) -> Identification {
        match (answer.status, self.settings.mode) {
            (status, _) if status.is_success() => self.visitor(&answer.body),
            (StatusCode::UNAUTHORIZED, _) => Identification::Rejected("the service rejects it"),
            (StatusCode::FORBIDDEN, CalloutMode::Decide) => Identification::Refused("the service refuses its holder"),
            (StatusCode::FORBIDDEN, CalloutMode::Whoami) => Identification::Rejected("the service refuses it"),
            (status, _) => Identification::Unavailable(format!("the service answered {}", status.as_u16())),
        }
    }

    fn visitor(&self, body: &[u8]) -> Identification {
        let Ok(object) = serde_json::from_slice::<Map<String, Value>>(body) else {
            return Identification::Unavailable("the service's answer is no JSON object".into());
        };
        match self.settings.fields.read(&object) {
            Ok(identity) => match Actor::new(identity, None) {
                Ok(actor) => Identification::Identified(actor),
                Err(_) => Identification::Rejected("the service names someone who can't be named in a header"),
            },
            Err(NoVisitor::Anonymous) => Identification::Rejected("the service knows nobody by it"),
            Err(NoVisitor::Missing | NoVisitor::Unverified) => {
                let field = &self.settings.fields.actor;
                Identification::Unavailable(format!("the service's answer has no login name in `{field}`"))
            }
        }
    }
}

#[async_trait]
impl Source for Callout {
    fn name(&self) -> &'static str {
        "callout"
    }

    async fn identify(&self, question: Question<'_>) -> Identification {
        let Some(request) = self.request(question) else { return Identification::NotRequested };
        match http::exchange(request).await {
            Ok(answer) => self.read(&answer),
            Err(error) => Identification::Unavailable(error.to_string()),
        }
    }
}

/// The header that a credential came in; a query parameter goes as a bearer token. None where it
/// would be another header than it was.
fn as_it_came(credential: &Credential) -> Option<(HeaderName, HeaderValue)> {
    let value = &credential.value;
    match credential.scheme {
        Scheme::Bearer | Scheme::Query => Some((AUTHORIZATION, sensitive(&format!("Bearer {value}"))?)),
        Scheme::Oauth => Some((AUTHORIZATION, sensitive(&format!("OAuth {value}"))?)),
        Scheme::Cookie => {
            let name = credential.name.as_deref().filter(|name| !name.is_empty() && !name.contains([';', '=', ' ']))?;
            if value.contains(';') {
                return None;
            }
            Some((COOKIE, sensitive(&format!("{name}={value}"))?))
        }
        // Our own is nobody else's.
        Scheme::Session | Scheme::Peer => None,
    }
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(scheme: Scheme, name: Option<&str>, value: &str) -> Option<String> {
        let credential = Credential { scheme, name: name.map(ToOwned::to_owned), value: value.into() };
        as_it_came(&credential).map(|(name, value)| format!("{name}: {}", value.to_str().expect("text")))
    }

    #[test]
    fn credentials_go_as_they_came_or_not_at_all() {
        assert_eq!(header(Scheme::Bearer, None, "t").as_deref(), Some("authorization: Bearer t"));
        assert_eq!(header(Scheme::Oauth, None, "t").as_deref(), Some("authorization: OAuth t"));
        assert_eq!(header(Scheme::Query, Some("token"), "t").as_deref(), Some("authorization: Bearer t"));
        assert_eq!(header(Scheme::Cookie, Some("sid"), "a=b").as_deref(), Some("cookie: sid=a=b"));
        assert_eq!(header(Scheme::Cookie, None, "t"), None);
        assert_eq!(header(Scheme::Cookie, Some("sid"), "t; admin=1"), None);
        assert_eq!(header(Scheme::Cookie, Some("a; b"), "t"), None);
        assert_eq!(header(Scheme::Bearer, None, "t\r\nx: y"), None);
    }
}
