use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use super::*;
use crate::auth::judge::docket::Docket;
use crate::auth::judge::{Shared, decisions};
use crate::auth::settings::VerdictSettings;
use crate::auth::source::{Identification, Question, Source};
use crate::auth::tokens::{Tokens, resolve_tokens};
use crate::clock::SystemClock;
use crate::config::resolve::Files;
use crate::config::sources::{TokenConfig, TokensConfig};
use crate::digest::Digest;
use crate::lifecycle::Tasks;
use crate::telemetry::metrics::Metrics;

/// A source that can't say.
#[derive(Debug)]
struct Down;

#[async_trait]
impl Source for Down {
    fn name(&self) -> &'static str {
        "down"
    }

    async fn identify(&self, _question: Question<'_>) -> Identification {
        Identification::Unavailable("down".into())
    }
}

fn tokens() -> Arc<dyn Source> {
    let token = TokenConfig {
        sha256: Digest::of(b"tgt_ann").to_string(),
        actor: "ann".into(),
        email: None,
        groups: vec!["ml".into()],
        expires_at: None,
    };
    let expired = TokenConfig {
        sha256: Digest::of(b"tgt_old").to_string(),
        actor: "old".into(),
        expires_at: Some("2001-01-01T00:00:00Z".into()),
        ..token.clone()
    };
    let config = TokensConfig { tokens: vec![token, expired], tokens_file: None };
    let stored = resolve_tokens("tokens", config, &mut Files::new(std::path::Path::new("/"))).expect("tokens");
    Arc::new(Tokens::new(stored, Arc::new(SystemClock)))
}

fn headers(authorization: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_static(authorization));
    headers.insert("x-request-id", HeaderValue::from_static("r7"));
    headers.insert("x-forwarded-user", HeaderValue::from_static("root"));
    headers
}

#[derive(Debug)]
struct Court(Arc<Judge>);

impl HasJudge for Court {
    fn judge(&self) -> Arc<Judge> {
        Arc::clone(&self.0)
    }
}

#[tokio::test]
async fn the_judge_says_who_asks() {
    let tasks = Tasks::new();
    let shared = Shared {
        access: None,
        decisions: decisions(100),
        docket: Arc::new(Docket::new(tasks.clone())),
        cache_key: [3; 32],
        clock: Arc::new(SystemClock),
        metrics: Arc::new(Metrics::new()),
    };
    let settings = VerdictSettings {
        deadline: Duration::from_secs(10),
        allow_lifetime: Duration::from_secs(30),
        deny_lifetime: Duration::from_secs(5),
        cache_entries: 100,
        sources: Vec::new(),
        fingerprint: Digest::of(b"sources"),
    };
    let judge = Judge::of(vec![tokens(), Arc::new(Down)], &settings, Arc::new(shared), &tasks);
    let callers = JudgeCallers::new(Court(Arc::new(judge))).expect("callers");
    for _ in 0..2 {
        let ann = callers.caller(&headers("Bearer tgt_ann")).await.expect("is known");
        assert_eq!(
            ann,
            Caller { user: "ann".into(), groups: vec!["ml".into()], request_id: "r7".into(), ..Caller::default() }
        );
    }
    for other in ["Bearer tgt_other", "Bearer tgt_old", "Basic YW5uOng="] {
        let refused = callers.caller(&headers(other)).await;
        assert!(matches!(refused, Err(DataError::Unauthenticated)), "{other}");
    }
    let refused = callers.caller(&HeaderMap::new()).await;
    assert!(matches!(refused, Err(DataError::Unauthenticated)));
    let refused = callers.caller(&headers("Bearer unknown")).await;
    assert!(matches!(refused, Err(DataError::Unavailable(_))));
}
