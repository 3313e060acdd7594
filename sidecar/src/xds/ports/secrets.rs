//! What listeners with TLS refer to by name: the certificate that proxies show, and whose clients they take. One of
//! each, for all ports.
//!
//! They are offered together: a proxy that can't use one says so of whichever came last. And each is there in two forms
//! that mean the same: what Envoy refused it does not look at again in the same bytes, but says that it took it (measured
//! with 1.40).

use std::fmt;
use std::sync::Arc;

use envoy_types::pb::envoy::service::discovery::v3::Resource;
use envoy_types::pb::google::protobuf::Any;

use crate::digest::Digest;
use crate::xds::ports::proxy::Standing;

/// The type of the resources.
pub const TYPE_URL: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretName {
    /// The certificate that is shown, and its key.
    Certificate,
    /// The authorities whose clients are taken.
    ClientCa,
}

/// Both, as proxies should have them.
///
/// Invariant: the version is of the content, so that a sidecar that starts again changes nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secrets {
    version: Arc<str>,
    attempt: u32,
    forms: Arc<[[Vec<u8>; 2]; 2]>,
}

/// What one proxy said of them, on one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The versions that it has.
    pub held: [Option<Arc<str>>; 2],
    /// The attempt that it did not take last.
    pub refused: Option<Refusal>,
}

/// What it did not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The version.
    pub version: Arc<str>,
    /// The attempt.
    pub attempt: u32,
    /// Why, as it says.
    pub reason: Arc<str>,
}

impl SecretName {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Certificate, Self::ClientCa];

    /// The one of that name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|secret| secret.as_str() == name)
    }

    /// Its name. It begins as those of all our resources do.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Certificate => "taskgate-tcp/certificate",
            Self::ClientCa => "taskgate-tcp/client-ca",
        }
    }

    /// Its place in [`Self::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Certificate => 0,
            Self::ClientCa => 1,
        }
    }
}

impl Secrets {
    /// The first attempt at these messages: a certificate and authorities, in two forms.
    #[must_use]
    pub fn new(first: [Vec<u8>; 2], other: [Vec<u8>; 2]) -> Self {
        let [certificate, client_ca] = &first;
        let version = format!("{:016x}", Digest::of_parts(&[certificate.as_slice(), client_ca.as_slice()]).prefix());
        Self { version: version.into(), attempt: 0, forms: Arc::new([first, other]) }
    }

    /// The next attempt, in the other form.
    #[must_use]
    pub fn again(&self) -> Self {
        Self { attempt: self.attempt.wrapping_add(1), ..self.clone() }
    }

    /// The version of both.
    #[must_use]
    pub const fn version(&self) -> &Arc<str> {
        &self.version
    }

    /// How often they were offered anew.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// One, in the form of this attempt.
    #[must_use]
    pub fn resource(&self, name: SecretName) -> Resource {
        self.form(name, !self.attempt.is_multiple_of(2))
    }

    /// One in the other form. Who took this, or refused it, looks at [`Self::resource`] for sure.
    #[must_use]
    pub fn prelude(&self, name: SecretName) -> Resource {
        self.form(name, self.attempt.is_multiple_of(2))
    }

    fn form(&self, name: SecretName, is_other: bool) -> Resource {
        let [first, other] = &*self.forms;
        let [certificate, client_ca] = if is_other { other } else { first };
        let body = match name {
            SecretName::Certificate => certificate,
            SecretName::ClientCa => client_ca,
        };
        Resource {
            name: name.as_str().to_owned(),
            version: self.version.as_ref().to_owned(),
            resource: Some(Any { type_url: TYPE_URL.to_owned(), value: body.clone() }),
            ..Resource::default()
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "secrets {}, attempt {}", self.version, self.attempt)
    }
}

impl Said {
    /// How it stands to these.
    #[must_use]
    pub fn standing(&self, secrets: &Secrets) -> Standing {
        if let Some(refusal) = self.refused.as_ref().filter(|refusal| refusal.is_of(secrets)) {
            return Standing::Refuses(Arc::clone(&refusal.reason));
        }
        let holds = self.held.iter().all(|held| held.as_ref() == Some(secrets.version()));
        if holds { Standing::Holds } else { Standing::Pending }
    }
}

impl Refusal {
    /// Whether these are what was refused, in the same messages.
    #[must_use]
    pub fn is_of(&self, secrets: &Secrets) -> bool {
        self.version == secrets.version && self.attempt == secrets.attempt
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xds::ports::PREFIX;

    #[test]
    fn names_read_back_and_are_ours() {
        for (index, name) in SecretName::ALL.into_iter().enumerate() {
            assert_eq!((SecretName::of(name.as_str()), name.index()), (Some(name), index));
            assert!(name.as_str().starts_with(PREFIX), "{name:?}");
        }
        assert_eq!(SecretName::of("taskgate-tcp/0123abcd/20000"), None);
    }

    #[test]
    fn the_version_is_of_the_content_whatever_the_attempt() {
        let bodies = |text: &str| [text.as_bytes().to_vec(), b"a".to_vec()];
        let secrets = |text: &str| Secrets::new(bodies(text), bodies("other"));
        let first = secrets("c");
        assert_eq!(first, secrets("c"));
        assert_ne!(first.version(), secrets("d").version());
        let (certificate, again) = (SecretName::Certificate, first.again());
        assert_eq!((again.version(), again.attempt()), (first.version(), 1));
        assert_ne!(again.resource(certificate), first.resource(certificate));
        assert_eq!(again.again().resource(certificate), first.resource(certificate));
        for secrets in [first, again] {
            assert_ne!(secrets.prelude(certificate), secrets.resource(certificate), "{secrets:?}");
        }
    }
}
