//! Signed tokens, against an issuer in this process.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::kit::{START, Sidecar, bearer, serve};

/// An issuer of tokens.
#[derive(Clone)]
struct Issuer {
    keys: Arc<Mutex<Vec<Value>>>,
    fetches: Arc<AtomicUsize>,
    down: Arc<Mutex<bool>>,
}

impl Issuer {
    fn new(keys: &[Value]) -> Self {
        Self { keys: Arc::new(Mutex::new(keys.to_vec())), fetches: Arc::default(), down: Arc::default() }
    }

    fn answer(&self) -> Response {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        if *self.down.lock().expect("a flag") {
            return StatusCode::BAD_GATEWAY.into_response();
        }
        json!({"keys": *self.keys.lock().expect("keys")}).to_string().into_response()
    }

    async fn serve(&self) -> String {
        let issuer = self.clone();
        serve(Router::new().route("/keys", get(async move || issuer.answer()))).await
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}

/// A new key, and its public half as an issuer publishes it.
fn key(id: &str) -> (EncodingKey, Value) {
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).expect("a key");
    let key = EncodingKey::from_ec_der(pkcs8.as_ref());
    let mut public = Jwk::from_encoding_key(&key, Algorithm::ES256).expect("a public key");
    public.common.key_id = Some(id.into());
    (key, serde_json::to_value(public).expect("JSON"))
}

fn claims() -> Value {
    let now = START.as_millis() / 1_000;
    json!({"iss": "https://idp.test", "aud": "taskgate", "sub": "bob", "groups": ["ml"], "exp": now + 600, "iat": now})
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().expect("an object").remove(name);
    claims
}

fn sign(key: &EncodingKey, id: Option<&str>, claims: &Value) -> String {
    let mut header = Header::new(Algorithm::ES256);
    header.kid = id.map(ToOwned::to_owned);
    jsonwebtoken::encode(&header, claims, key).expect("a token")
}

fn config(keys: &str) -> String {
    format!(
        "verdicts:\n  sources:\n  - jwt: {{issuer: \"https://idp.test\", audiences: [taskgate, other], {keys}, \
         algorithms: [ES256], leeway_secs: 30}}\n"
    )
}

async fn sidecar(issuer: &Issuer) -> Sidecar {
    let url = issuer.serve().await;
    let sidecar = Sidecar::start(&config(&format!("jwks_url: \"{url}/keys\""))).await;
    let fetched = async {
        while issuer.fetches() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), fetched).await.expect("keys are fetched at the start");
    sidecar
}

#[tokio::test]
async fn claims_decide() {
    let (signing, public) = key("k1");
    let sidecar = sidecar(&Issuer::new(&[public])).await;
    let now = START.as_millis() / 1_000;
    for (claims, expected) in [
        (claims(), "bob"),
        (with("aud", json!(["x", "other"])), "bob"),
        (with("exp", json!(now - 29)), "bob"),
        (with("exp", json!(now - 30)), "CredentialRejected"),
        (with("exp", json!("soon")), "CredentialRejected"),
        (with("nbf", json!(now + 30)), "bob"),
        (with("nbf", json!(now + 31)), "CredentialRejected"),
        (with("nbf", json!("now")), "CredentialRejected"),
        (with("aud", json!("elsewhere")), "CredentialRejected"),
        (with("iss", json!("https://evil.test")), "CredentialRejected"),
        (with("sub", json!("x\ny")), "CredentialRejected"),
        (with("groups", json!("other")), "UnknownService"),
        (without("exp"), "CredentialRejected"),
        (without("aud"), "CredentialRejected"),
        (without("iss"), "CredentialRejected"),
        (without("sub"), "CredentialRejected"),
    ] {
        let token = sign(&signing, Some("k1"), &claims);
        assert_eq!(sidecar.outcome(bearer(&token)).await, expected, "{claims}");
    }
}

#[tokio::test]
async fn forgeries_are_rejected() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let (signing, public) = key("k1");
    let (stranger, _) = key("k1");
    let sidecar = sidecar(&Issuer::new(std::slice::from_ref(&public))).await;
    let good = sign(&signing, Some("k1"), &claims());
    let body = good.split('.').nth(1).expect("claims").to_owned();
    let unsigned = format!("{}.{body}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"k1"}"#));
    // A shared-secret signature made with what everybody knows: the public key.
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some("k1".into());
    let secret = EncodingKey::from_secret(public["x"].as_str().expect("a coordinate").as_bytes());
    let confused = jsonwebtoken::encode(&header, &claims(), &secret).expect("a token");
    let mut critical = Header::new(Algorithm::ES256);
    critical.kid = Some("k1".into());
    critical.crit = Some(vec!["b64".into()]);
    let critical = jsonwebtoken::encode(&critical, &claims(), &signing).expect("a token");
    let other_body = URL_SAFE_NO_PAD.encode(with("sub", json!("alice")).to_string());
    let changed = good.replace(&body, &other_body);
    let cut = good[..good.len() - 2].to_owned();
    for token in [sign(&stranger, Some("k1"), &claims()), unsigned, confused, critical, changed, cut] {
        assert_eq!(sidecar.outcome(bearer(&token)).await, "CredentialRejected", "{token}");
    }
    assert_eq!(sidecar.outcome(bearer(&good)).await, "bob");
}

#[tokio::test]
async fn a_new_key_is_fetched_when_a_token_names_it_but_not_often() {
    let (old, old_public) = key("k1");
    let (new, new_public) = key("k2");
    let issuer = Issuer::new(&[old_public]);
    let sidecar = sidecar(&issuer).await;
    assert_eq!(sidecar.outcome(bearer(&sign(&old, Some("k1"), &claims()))).await, "bob");
    issuer.keys.lock().expect("keys").push(new_public);
    sidecar.clock.advance(Duration::from_secs(10));
    assert_eq!(sidecar.outcome(bearer(&sign(&new, Some("k2"), &claims()))).await, "bob");
    assert_eq!(issuer.fetches(), 2);
    // Tokens that name keys which do not exist cause one fetch at most in five seconds.
    for number in 0..20 {
        let token = sign(&new, Some(&format!("x{number}")), &claims());
        assert_eq!(sidecar.outcome(bearer(&token)).await, "CredentialRejected");
    }
    assert_eq!(issuer.fetches(), 2);
    // And one in a minute for the same key.
    for _ in 0..5 {
        sidecar.clock.advance(Duration::from_secs(6));
        assert_eq!(sidecar.outcome(bearer(&sign(&new, Some("x"), &claims()))).await, "CredentialRejected");
    }
    assert_eq!(issuer.fetches(), 3);
}

#[tokio::test]
async fn an_issuer_out_of_reach_is_not_a_no() {
    let (known, public) = key("k1");
    let (unknown, _) = key("k2");
    let issuer = Issuer::new(&[public]);
    let sidecar = sidecar(&issuer).await;
    assert_eq!(sidecar.outcome(bearer(&sign(&known, Some("k1"), &claims()))).await, "bob");
    *issuer.down.lock().expect("a flag") = true;
    sidecar.clock.advance(Duration::from_secs(60));
    assert_eq!(sidecar.outcome(bearer(&sign(&unknown, Some("k2"), &claims()))).await, "unavailable");
    assert_eq!(sidecar.outcome(bearer(&sign(&known, Some("k1"), &claims()))).await, "bob");
}

#[tokio::test]
async fn keys_can_be_read_from_a_file() {
    let (one, one_public) = key("k1");
    let (_, other_public) = key("k2");
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).expect("writes");
    write("services.yaml", crate::kit::SERVICES);
    // A key that is not for signatures, one with a shared secret, one of an unknown kind: left out.
    let strange = [
        json!({"kty": "oct", "kid": "s", "k": "AAAA", "alg": "HS256"}),
        json!({"kty": "XX", "kid": "x"}),
        json!({"kty": "EC", "crv": "P-256", "kid": "e", "use": "enc", "x": one_public["x"], "y": one_public["y"]}),
    ];
    let keys: Vec<Value> = strange.into_iter().chain([one_public]).collect();
    write("keys.json", &json!({"keys": keys}).to_string());
    let sidecar = Sidecar::start_in(directory, &crate::kit::config(&config("jwks_file: keys.json"))).await;
    sidecar.table().await;
    // Without a key id there is one key that it can mean.
    assert_eq!(sidecar.outcome(bearer(&sign(&one, None, &claims()))).await, "bob");
    assert_eq!(sidecar.outcome(bearer(&sign(&one, Some("e"), &claims()))).await, "CredentialRejected");
    // A changed file of keys is another set of sources: it is taken, and former verdicts are void.
    let mut reader = sidecar.table().await;
    let before = reader.control.as_ref().expect("control").verdict_epoch;
    sidecar.write("keys.json", &json!({"keys": [other_public]}).to_string());
    sidecar.next_page(&mut reader).await;
    assert!(reader.control.as_ref().expect("control").verdict_epoch > before);
    assert_eq!(sidecar.outcome(bearer(&sign(&one, None, &claims()))).await, "CredentialRejected");
}
