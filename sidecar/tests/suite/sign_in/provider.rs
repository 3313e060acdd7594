//! An OpenID Connect provider that verifies what it is shown, and lies on request.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::kit::{START, serve};

pub(super) const CLIENT: &str = "taskgate";
pub(super) const SECRET: &str = "s3cret";

/// The provider.
#[derive(Clone)]
pub(super) struct Provider {
    inner: Arc<Mutex<Inner>>,
    pub(super) url: String,
}

struct Inner {
    key: EncodingKey,
    key_id: String,
    published: Vec<Value>,
    grants: BTreeMap<String, Grant>,
    /// What is in ID tokens beside what has to be.
    person: Value,
    /// What is changed in them before they are signed.
    lie: Option<fn(&mut Value)>,
    userinfo: Value,
    is_down: bool,
    looks: usize,
    exchanges: usize,
    counter: usize,
}

struct Grant {
    challenge: String,
    nonce: String,
    callback: String,
}

impl Provider {
    pub(super) async fn start() -> Self {
        let (key, public) = key("k1");
        let inner = Inner {
            key,
            key_id: "k1".into(),
            published: vec![public],
            grants: BTreeMap::new(),
            person: json!({"sub": "1", "preferred_username": "alice", "email": "alice@example.test", "groups": ["ml"]}),
            lie: None,
            userinfo: json!({}),
            is_down: false,
            looks: 0,
            exchanges: 0,
            counter: 0,
        };
        let mut provider = Self { inner: Arc::new(Mutex::new(inner)), url: String::new() };
        let place: Arc<Mutex<String>> = Arc::default();
        let state = (provider.clone(), Arc::clone(&place));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .with_state(state);
        provider.url = serve(router).await;
        place.lock().expect("a place").clone_from(&provider.url);
        provider
    }

    /// What a person does at the provider: where the browser is sent back to.
    pub(super) fn sign_in(&self, url: &Url) -> Url {
        let ask: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!(url.as_str().split('?').next(), Some(format!("{}/authorize", self.url).as_str()));
        assert_eq!(ask.get("response_type").map(String::as_str), Some("code"));
        assert_eq!(ask.get("client_id").map(String::as_str), Some(CLIENT));
        assert_eq!(ask.get("code_challenge_method").map(String::as_str), Some("S256"));
        assert_eq!(ask.get("scope").map(String::as_str), Some("openid profile email"));
        let mut inner = self.inner.lock().expect("a provider");
        inner.counter += 1;
        let code = format!("code-{}", inner.counter);
        let [challenge, nonce, callback] = ["code_challenge", "nonce", "redirect_uri"].map(|name| ask[name].clone());
        assert!(challenge.len() == 43 && nonce.len() == 43);
        let mut back = Url::parse(&callback).expect("a redirect URI");
        back.query_pairs_mut().append_pair("code", &code).append_pair("state", &ask["state"]);
        inner.grants.insert(code, Grant { challenge, nonce, callback });
        back
    }

    /// Who signs in from now on.
    pub(super) fn person(&self, person: Value) {
        self.inner.lock().expect("a provider").person = person;
    }

    /// What userinfo says from now on.
    pub(super) fn userinfo(&self, person: Value) {
        self.inner.lock().expect("a provider").userinfo = person;
    }

    pub(super) fn lie(&self, lie: fn(&mut Value)) {
        self.inner.lock().expect("a provider").lie = Some(lie);
    }

    pub(super) fn go_down(&self, is_down: bool) {
        self.inner.lock().expect("a provider").is_down = is_down;
    }

    /// Signs with another key from now on, which is published, or is not.
    pub(super) fn rotate(&self, id: &str, publish: bool) {
        let (key, public) = key(id);
        let mut inner = self.inner.lock().expect("a provider");
        inner.key = key;
        inner.key_id = id.into();
        if publish {
            inner.published = vec![public];
        }
    }

    /// How often its keys were asked for.
    pub(super) fn looks(&self) -> usize {
        self.inner.lock().expect("a provider").looks
    }

    /// How often a code was shown.
    pub(super) fn exchanges(&self) -> usize {
        self.inner.lock().expect("a provider").exchanges
    }
}

type Shared = State<(Provider, Arc<Mutex<String>>)>;

async fn discovery(State((provider, place)): Shared) -> Response {
    let url = place.lock().expect("a place").clone();
    let inner = provider.inner.lock().expect("a provider");
    if inner.is_down {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    Json(json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "userinfo_endpoint": format!("{url}/userinfo"),
        "end_session_endpoint": format!("{url}/end"),
        "jwks_uri": format!("{url}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256", "HS256"],
    }))
    .into_response()
}

async fn keys(State((provider, _)): Shared) -> Json<Value> {
    let mut inner = provider.inner.lock().expect("a provider");
    inner.looks += 1;
    Json(json!({"keys": inner.published}))
}

async fn userinfo(State((provider, _)): Shared, headers: HeaderMap) -> Response {
    if headers.get("authorization").is_none_or(|value| value != "Bearer an-access-token") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    Json(provider.inner.lock().expect("a provider").userinfo.clone()).into_response()
}

async fn token(State((provider, place)): Shared, headers: HeaderMap, form: String) -> Response {
    let url = place.lock().expect("a place").clone();
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(form.as_bytes()).into_owned().collect();
    let mut inner = provider.inner.lock().expect("a provider");
    inner.exchanges += 1;
    if inner.is_down {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let refused = |error: &str| {
        let text = json!({"error": error, "error_description": "<script>alert(1)</script>"});
        (StatusCode::BAD_REQUEST, Json(text)).into_response()
    };
    let client = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{SECRET}")));
    if headers.get("authorization").is_none_or(|value| value != client.as_str()) {
        return refused("invalid_client");
    }
    // A code is good once.
    let Some(grant) = form.get("code").and_then(|code| inner.grants.remove(code)) else {
        return refused("invalid_grant");
    };
    let verifier = form.get("code_verifier").map(String::as_str).unwrap_or_default();
    let is_its = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == grant.challenge;
    if !is_its || form.get("redirect_uri") != Some(&grant.callback) {
        return refused("invalid_grant");
    }
    let now = START.as_millis() / 1_000;
    let mut claims = json!({"iss": url, "aud": CLIENT, "nonce": grant.nonce, "iat": now, "exp": now + 300});
    for (name, value) in inner.person.as_object().into_iter().flatten() {
        claims[name] = value.clone();
    }
    if let Some(lie) = inner.lie {
        lie(&mut claims);
    }
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some(inner.key_id.clone());
    let mut token = jsonwebtoken::encode(&header, &claims, &inner.key).expect("a token");
    if claims.get("forged") == Some(&json!("hs256")) {
        // A signature with what the client knows too.
        let secret = EncodingKey::from_secret(SECRET.as_bytes());
        token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &secret).expect("a token");
    } else if claims.get("forged") == Some(&json!("none")) {
        let body = URL_SAFE_NO_PAD.encode(claims.to_string());
        token = format!("{}.{body}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#));
    }
    let answer =
        json!({"access_token": "an-access-token", "token_type": "Bearer", "expires_in": 300, "id_token": token});
    Json(answer).into_response()
}

fn key(id: &str) -> (EncodingKey, Value) {
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).expect("a key");
    let key = EncodingKey::from_ec_der(pkcs8.as_ref());
    let mut public = Jwk::from_encoding_key(&key, Algorithm::ES256).expect("a public key");
    public.common.key_id = Some(id.into());
    let mut public = serde_json::to_value(public).expect("JSON");
    public["use"] = json!("sig");
    (key, public)
}
