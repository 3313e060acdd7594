//! A sidecar where people sign in, a provider, and a browser.

use crate::kit::{GREETER, Sidecar, config};
use crate::sign_in::browser::{Answer, Browser};
use crate::sign_in::provider::{CLIENT, Provider, SECRET};

/// The host of a service that Alice owns, and the group `ml` may read.
pub(super) const GREETER_HOST: &str = "ae5cf6f5.tasks.example.test";
/// The host of the sidecar's own service.
pub(super) const ACCESS_HOST: &str = "access.tasks.example.test";
/// The cookie of sessions.
pub(super) const SESSION: &str = "__Host-taskgate";

pub(super) struct Stage {
    pub(super) sidecar: Sidecar,
    pub(super) provider: Provider,
    pub(super) browser: Browser,
}

impl Stage {
    pub(super) async fn start() -> Self {
        let provider = Provider::start().await;
        let access = format!(
            "public: {{listen: \"127.0.0.1:0\"}}\n\
             access: {{sign_in: {{issuer: \"{}\", client_id: {CLIENT}, client_secret: {SECRET}}}}}\n",
            provider.url
        );
        Self::with(&access, provider).await
    }

    pub(super) async fn with(access: &str, provider: Provider) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("services.yaml"), crate::kit::SERVICES).expect("writes");
        let sidecar = Sidecar::start_in(directory, &config(access)).await;
        sidecar.table().await;
        assert!(sidecar.running.app.registry.service(GREETER).is_some());
        let browser = Browser::new(&format!("http://{}", sidecar.running.addresses.public.as_deref().expect("public")));
        Self { sidecar, provider, browser }
    }

    pub(super) fn another_browser(&self) -> Browser {
        let mut browser = self.browser.clone();
        browser.cookies.clear();
        browser
    }

    /// Signs in on a host with the usual browser: the last answer.
    pub(super) async fn sign_in(&mut self, host: &str, to: &str) -> Answer {
        let begun = self.browser.get(&begin(host, to)).await;
        let back = self.provider.sign_in(&begun.sent_to());
        self.finish(back.as_str()).await
    }

    /// Follows the provider's redirect to the host where the sign-in began.
    pub(super) async fn finish(&mut self, back: &str) -> Answer {
        let answer = self.browser.get(back).await;
        let next =
            answer.location.as_deref().filter(|next| answer.status == 303 && next.contains("/.taskgate/callback"));
        let Some(next) = next.map(ToOwned::to_owned) else { return answer };
        self.browser.get(&next).await
    }

    /// Who the usual browser is on a host, as its own page says.
    pub(super) async fn whoami(&mut self, host: &str) -> serde_json::Value {
        let url = format!("https://{host}/.taskgate/");
        let answer = self.browser.get_with(&url, &[("accept", "application/json")]).await;
        assert_eq!(answer.status, 200);
        serde_json::from_str(&answer.text).expect("JSON")
    }
}

/// Where signing in begins.
pub(super) fn begin(host: &str, to: &str) -> String {
    let to: String = url::form_urlencoded::byte_serialize(to.as_bytes()).collect();
    format!("https://{host}/.taskgate/sign-in?to={to}")
}
