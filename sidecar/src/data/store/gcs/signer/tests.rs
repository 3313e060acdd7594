//! Signatures with a key and by a service that keeps it.

use std::sync::Arc;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use object_store::StaticCredentialProvider;
use object_store::gcp::{GcpCredential, GcpSigningCredential};
use serde_json::Value;

use super::*;

/// A key that signs, and judges.
pub(crate) struct RsaKey(KeyPair);

impl RsaKey {
    pub(crate) fn new() -> Self {
        Self(KeyPair::generate(KeySize::Rsa2048).expect("a key"))
    }

    pub(crate) fn pem(&self) -> String {
        let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = self.0.as_der().expect("a key");
        let body = STANDARD.encode(der.as_ref());
        let lines: Vec<&str> =
            body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("text")).collect();
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
    }

    /// Whether the hex digits are this key's signature.
    pub(crate) fn verifies(&self, text: &[u8], signature: &str) -> bool {
        let digits: Vec<u8> = signature
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("text"), 16).expect("hex digits"))
            .collect();
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.0.public_key());
        public.verify(text, &digits).is_ok()
    }
}

/// The JSON of a key as Google hands it out.
pub(crate) fn key_file(key: &RsaKey) -> SecretText {
    let file = json!({
        "type": "service_account",
        "client_email": "robot@project.iam.gserviceaccount.com",
        "private_key": key.pem(),
        "private_key_id": "1",
        "token_uri": "https://oauth2.googleapis.com/token",
    });
    file.to_string().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_key_signs() {
    let key = RsaKey::new();
    let signer = Signer::key(&key_file(&key)).expect("a signer");
    let account = signer.account().await.expect("an account");
    assert_eq!(account, "robot@project.iam.gserviceaccount.com");
    let signature = signer.sign(&account, "text").await.expect("signed");
    assert!(key.verifies(b"text", &hex(&signature)));
    assert!(!key.verifies(b"other", &hex(&signature)));
}

#[test]
fn what_is_no_key_is_refused_and_not_quoted() {
    for text in ["", "{}", r#"{"client_email": "a", "private_key": "hunter2"}"#] {
        let error = Signer::key(&text.to_owned().into()).expect_err("no key");
        assert!(matches!(&error, StoreError::Failed(text) if !text.contains("hunter2")), "{error:?}");
    }
}

/// A service that signs by reversing the text, for who has the right credential.
async fn sign_blob(
    State(status): State<u16>,
    Path(account): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> (StatusCode, Json<Value>) {
    assert_eq!(account, "robot@p.example:signBlob");
    assert_eq!(headers["authorization"], "Bearer hunter2");
    let mut text = STANDARD.decode(body["payload"].as_str().expect("a payload")).expect("base64");
    text.reverse();
    (StatusCode::from_u16(status).expect("a status"), Json(json!({"keyId": "1", "signedBlob": STANDARD.encode(text)})))
}

async fn asked(status: u16) -> Result<Vec<u8>, StoreError> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let service = Router::new().route("/v1/projects/-/serviceAccounts/{account}", post(sign_blob)).with_state(status);
    let server = tokio::spawn(async move { axum::serve(listener, service).await });
    let signing = GcpSigningCredential { email: "robot@p.example".to_owned(), private_key: None };
    let signer = Signer::Service {
        account: Arc::new(StaticCredentialProvider::new(signing)),
        credentials: Arc::new(StaticCredentialProvider::new(GcpCredential { bearer: "hunter2".to_owned() })),
        client: http::client(TIMEOUT).expect("a client"),
        service: format!("http://{address}"),
    };
    let account = signer.account().await.expect("an account");
    let signature = signer.sign(&account, "text").await;
    server.abort();
    signature
}

#[tokio::test]
async fn a_service_signs_or_says_what_is_missing() {
    assert_eq!(asked(200).await, Ok(b"txet".to_vec()));
    assert!(matches!(asked(403).await, Err(StoreError::Denied(text)) if text.contains("iam.serviceAccounts.signBlob")));
    assert!(matches!(asked(503).await, Err(StoreError::Unavailable(_))));
}
