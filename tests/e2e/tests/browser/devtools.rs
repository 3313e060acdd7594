//! Telling Chromium what to do: the DevTools protocol over its WebSocket, one call at a time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use taskgate_test_kit::{Chromium, wait_for};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{PATIENCE, soon};

/// A running browser.
pub(super) struct Browser {
    line: Arc<Line>,
    _chromium: Chromium,
}

/// One tab. All tabs of a browser have the same cookies.
pub(super) struct Tab {
    line: Arc<Line>,
    session: String,
}

/// The connection.
struct Line {
    calls: mpsc::UnboundedSender<Message>,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Value>>>,
    numbers: AtomicU64,
}

impl Browser {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let chromium = Chromium::start().await?;
        let (socket, _) = soon("Chromium to listen", connect_async(chromium.devtools())).await??;
        let (mut out, mut into) = socket.split();
        let (calls, mut queue) = mpsc::unbounded_channel();
        let line = Arc::new(Line { calls, waiting: Mutex::default(), numbers: AtomicU64::new(1) });
        tokio::spawn(async move {
            while let Some(call) = queue.recv().await {
                if out.send(call).await.is_err() {
                    return;
                }
            }
        });
        let answered = Arc::clone(&line);
        tokio::spawn(async move {
            while let Some(Ok(message)) = into.next().await {
                let Ok(text) = message.into_text() else { continue };
                let Ok(answer) = serde_json::from_str::<Value>(&text) else { continue };
                // What has no number is an event, which nobody asked for.
                let Some(number) = answer["id"].as_u64() else { continue };
                let waiting = answered.waiting.lock().ok().and_then(|mut waiting| waiting.remove(&number));
                if let Some(waiting) = waiting {
                    let _ = waiting.send(answer);
                }
            }
        });
        Ok(Self { line, _chromium: chromium })
    }

    pub(super) async fn tab(&self) -> anyhow::Result<Tab> {
        let target = self.line.call(None, "Target.createTarget", json!({"url": "about:blank"})).await?;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = self.line.call(None, "Target.attachToTarget", attach).await?;
        let session = attached["sessionId"].as_str().context("no session")?.to_owned();
        Ok(Tab { line: Arc::clone(&self.line), session })
    }
}

impl Tab {
    /// Goes to an address, as by typing it, and waits until a page is there, wherever that is.
    pub(super) async fn go(&self, url: &str) -> anyhow::Result<()> {
        let gone = self.call("Page.navigate", json!({"url": url})).await?;
        if let Some(error) = gone["errorText"].as_str() {
            bail!("{url}: {error}");
        }
        wait_for(PATIENCE, "a page", async || self.is_complete().await.then_some(())).await
    }

    /// Waits until it is at that address, and the page is complete.
    pub(super) async fn arrives(&self, url: &str) -> anyhow::Result<()> {
        let mut last = String::new();
        let arrived = wait_for(PATIENCE, url, async || {
            last = self.url().await.unwrap_or_default();
            (last == url && self.is_complete().await).then_some(())
        });
        arrived.await.with_context(|| format!("it is at {last}"))
    }

    pub(super) async fn url(&self) -> anyhow::Result<String> {
        Ok(self.evaluate("location.href").await?.as_str().unwrap_or_default().to_owned())
    }

    /// What the page says.
    pub(super) async fn text(&self) -> anyhow::Result<String> {
        Ok(self.evaluate("document.body.innerText").await?.as_str().unwrap_or_default().to_owned())
    }

    /// What a script comes to; a promise is waited for.
    pub(super) async fn evaluate(&self, script: &str) -> anyhow::Result<Value> {
        let ask = json!({"expression": script, "awaitPromise": true, "returnByValue": true, "userGesture": true});
        let answer = self.call("Runtime.evaluate", ask).await?;
        if !answer["exceptionDetails"].is_null() {
            bail!("{script}: {}", answer["exceptionDetails"]);
        }
        Ok(answer["result"]["value"].clone())
    }

    /// The cookies that it would send to that address, as the browser keeps them.
    pub(super) async fn cookies(&self, url: &str) -> anyhow::Result<Vec<Value>> {
        let answer = self.call("Network.getCookies", json!({"urls": [url]})).await?;
        Ok(answer["cookies"].as_array().cloned().unwrap_or_default())
    }

    /// Lets scripts of a test do what the page's own policy forbids.
    pub(super) async fn bypass_policy(&self) -> anyhow::Result<()> {
        self.call("Page.setBypassCSP", json!({"enabled": true})).await.map(drop)
    }

    async fn is_complete(&self) -> bool {
        let state = self.evaluate("[document.readyState, location.href]").await.unwrap_or_default();
        state[0] == "complete" && state[1] != "about:blank"
    }

    async fn call(&self, method: &str, parameters: Value) -> anyhow::Result<Value> {
        self.line.call(Some(&self.session), method, parameters).await
    }
}

impl Line {
    async fn call(&self, session: Option<&str>, method: &str, parameters: Value) -> anyhow::Result<Value> {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let mut call = json!({"id": number, "method": method, "params": parameters});
        if let Some(session) = session {
            call["sessionId"] = json!(session);
        }
        let (sender, answer) = oneshot::channel();
        self.waiting.lock().map_err(|_| anyhow::anyhow!("a call broke"))?.insert(number, sender);
        self.calls.send(Message::text(call.to_string()))?;
        let answer = soon(method, answer).await??;
        match &answer["error"] {
            Value::Null => Ok(answer["result"].clone()),
            error => bail!("{method}: {error}"),
        }
    }
}
