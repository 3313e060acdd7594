//! What the master's answers have in them that nobody else may see.

use taskgate_emulators::determined::{Kind, Task};

use super::site::{PASSWORD, Site, get};
use crate::support::ask::Ask;
use crate::support::{Outcome, jobs};

#[tokio::test]
async fn none_of_them_is_logged_or_published() -> Outcome {
    let site = Site::new().await?;
    let job = jobs::http("A").await?;
    let notebook = Task::new("a", Kind::Notebook, "alice").port(2_900, job.address()).by_default();
    let shell = Task::new("b", Kind::Shell, "alice").tcp(3_200, job.address()).by_default().with_addresses();
    let secrets = [
        notebook.token.clone(),
        shell.private_key.clone(),
        shell.token.clone(),
        site.alice.clone(),
        site.bob.clone(),
        PASSWORD.to_owned(),
        "s3cret-of-a-broken-item".to_owned(),
    ];
    site.master.set_task(notebook);
    site.master.set_task(shell);
    for list in ["notebooks", "shells", "tasks"] {
        site.master.break_list(list);
    }
    let gateway = site.gateway(|provider| provider["addresses"] = serde_json::json!(["127.0.0.0/8"])).await?;
    for ask in [
        get("/proxy/a/").token(&site.alice),
        get("/proxy/a/").token(&site.bob),
        get("/proxy/a/").header("cookie", format!("auth={}", site.alice)),
        get(&format!("/proxy/a/?token={}", secrets[0])),
        get(&format!("/proxy/b/?token={}", secrets[0])),
    ] {
        gateway.ingress.send(ask).await?;
    }
    let internal = gateway.sidecar.internal_address();
    let services = Ask::get("taskgate", "/internal/services").send(internal).await?;
    assert!(services.text().contains("/proxy/a/") || services.text().contains("\"a\""), "{}", services.text());
    let seen = [
        ("the log", gateway.sidecar.log()),
        ("metrics", gateway.sidecar.metrics().await?),
        ("services", services.text()),
        ("Envoy's log", gateway.ingress.envoy.log()),
    ];
    for (place, text) in seen {
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{secret} is in {place}");
        }
    }
    Ok(())
}
