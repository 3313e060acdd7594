//! `internal_task_gateway.client_certificates`: who the holders of client certificates are.

use schemars::JsonSchema;
use serde::Deserialize;

/// Who the holders of client certificates are. Envoy checks the certificates; here their names become users.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClientCertificatesConfig {
    /// Users, by the names in their certificates; the first that fits counts.
    pub users: Vec<CertificateUserConfig>,
    /// A beginning of names, as in `spiffe://example.test/users/`: what comes after it is the user, where no entry of
    /// `users` fits.
    pub san_prefix: Option<String>,
    /// SHA-256 digests of certificates that are not taken any more, in hexadecimal. Connections that are open end.
    pub revoked_sha256: Vec<String>,
}

/// A user, by the name in a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateUserConfig {
    /// A URI or DNS name among the certificate's subject alternative names. Set this or `subject`.
    #[serde(default)]
    pub san: Option<String>,
    /// The certificate's subject, as Envoy writes it: `CN=alice,O=Example`.
    #[serde(default)]
    pub subject: Option<String>,
    /// The login name.
    pub actor: String,
    /// The groups.
    #[serde(default)]
    pub groups: Vec<String>,
}
