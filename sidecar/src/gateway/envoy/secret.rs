//! The certificate that Envoy shows, and the authorities whose clients it takes: by the names of files, so that no key
//! passes through here.
//!
//! Listeners refer to them by name, and Envoy then follows the files by itself: it reads them again when something is
//! renamed in the directory that they are in, as `mv` does, and a volume of Kubernetes. What it can't use replaces
//! nothing. All of that was measured with Envoy 1.40.

use std::path::{Path, PathBuf};

use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::common_tls_context::ValidationContextType;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, CommonTlsContext, SdsSecretConfig, Secret, TlsCertificate, secret,
};
use prost::Message as _;

use crate::gateway::envoy::message::{ads, file};
use crate::gateway::settings::EnvoyTlsFiles;
use crate::xds::ports::secrets::{SecretName, Secrets};

/// What a listener says of them.
pub(super) fn context() -> CommonTlsContext {
    let of = |name: SecretName| SdsSecretConfig { name: name.as_str().to_owned(), sds_config: Some(ads()) };
    CommonTlsContext {
        tls_certificate_sds_secret_configs: vec![of(SecretName::Certificate)],
        validation_context_type: Some(ValidationContextType::ValidationContextSdsSecretConfig(of(
            SecretName::ClientCa,
        ))),
        ..CommonTlsContext::default()
    }
}

/// The secrets with these files. The other form of them has other names for the same files.
pub(super) fn secrets(files: &EnvoyTlsFiles) -> Secrets {
    let respelled = EnvoyTlsFiles {
        certificate_file: respelled(&files.certificate_file),
        key_file: respelled(&files.key_file),
        client_ca_file: respelled(&files.client_ca_file),
    };
    Secrets::new(bodies(files), bodies(&respelled))
}

/// The same file by another name: `/etc/./tcp.crt` for `/etc/tcp.crt`.
fn respelled(path: &Path) -> PathBuf {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => parent.join(".").join(name),
        _ => Path::new(".").join(path),
    }
}

fn bodies(files: &EnvoyTlsFiles) -> [Vec<u8>; 2] {
    let certificate = TlsCertificate {
        certificate_chain: Some(file(&files.certificate_file)),
        private_key: Some(file(&files.key_file)),
        ..TlsCertificate::default()
    };
    let clients = CertificateValidationContext {
        trusted_ca: Some(file(&files.client_ca_file)),
        ..CertificateValidationContext::default()
    };
    let body =
        |name: SecretName, secret| Secret { name: name.as_str().to_owned(), r#type: Some(secret) }.encode_to_vec();
    [
        body(SecretName::Certificate, secret::Type::TlsCertificate(certificate)),
        body(SecretName::ClientCa, secret::Type::ValidationContext(clients)),
    ]
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;

    use super::*;

    fn files() -> EnvoyTlsFiles {
        EnvoyTlsFiles {
            certificate_file: "/etc/tcp/tls.crt".into(),
            key_file: "/etc/tcp/tls.key".into(),
            client_ca_file: "clients.pem".into(),
        }
    }

    fn read(secrets: &Secrets, name: SecretName) -> Secret {
        let body = secrets.resource(name).resource.expect("a message");
        Secret::decode(body.value.as_slice()).expect("a secret")
    }

    /// The files that the secrets name.
    fn named(secrets: &Secrets) -> Vec<String> {
        let certificate = read(secrets, SecretName::Certificate);
        let clients = read(secrets, SecretName::ClientCa);
        assert_eq!(
            (certificate.name.as_str(), clients.name.as_str()),
            ("taskgate-tcp/certificate", "taskgate-tcp/client-ca")
        );
        let (Some(secret::Type::TlsCertificate(certificate)), Some(secret::Type::ValidationContext(clients))) =
            (certificate.r#type, clients.r#type)
        else {
            panic!("other secrets")
        };
        let sources = [certificate.certificate_chain, certificate.private_key, clients.trusted_ca];
        let files = sources.map(|source| match source.and_then(|source| source.specifier) {
            Some(Specifier::Filename(name)) => name,
            other => panic!("no file: {other:?}"),
        });
        files.into()
    }

    #[test]
    fn secrets_hold_the_names_of_files_and_nothing_else() {
        let secrets = secrets(&files());
        assert_eq!(named(&secrets), ["/etc/tcp/tls.crt", "/etc/tcp/tls.key", "clients.pem"]);
        let certificate = TlsCertificate {
            certificate_chain: Some(file(Path::new("/etc/tcp/tls.crt"))),
            private_key: Some(file(Path::new("/etc/tcp/tls.key"))),
            ..TlsCertificate::default()
        };
        let expected = Some(secret::Type::TlsCertificate(certificate));
        assert_eq!(read(&secrets, SecretName::Certificate).r#type, expected);
    }

    #[test]
    fn an_attempt_differs_from_the_one_before_and_names_the_same_files() {
        let first = secrets(&files());
        let second = first.again();
        assert_eq!(named(&second), ["/etc/tcp/./tls.crt", "/etc/tcp/./tls.key", "./clients.pem"]);
        assert_eq!(named(&second.again()), named(&first));
        assert_eq!(secrets(&files()), first, "the same bytes each time");
    }
}
