//! What goes on beside requests: workers are told what other processes revoked and what has lapsed, creators of links
//! are looked at, and what is long over is forgotten.

use std::sync::Arc;
use std::time::Duration;

use taskgate_core::time::UnixTime;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::access::desk::POLL;
use crate::access::watch::Watch;
use crate::app::App;
use crate::lifecycle::Tasks;

/// How often the list is put together even where nothing changed: entries lapse.
const ROUND: Duration = Duration::from_secs(60);
/// How often what is over is forgotten.
const PRUNING: Duration = Duration::from_secs(3_600);
/// How long links are listed after their end.
const SHOWN: Duration = Duration::from_secs(7 * 86_400);

/// Starts what goes on beside requests.
pub fn keep_house(app: &Arc<App>, tasks: &Tasks) {
    let (keeper, stop) = (Arc::clone(app), tasks.stop().clone());
    tasks.keep("revocations", stop.clone(), move |_| {
        let (app, stop) = (Arc::clone(&keeper), stop.clone());
        async move { follow(&app, &stop).await }
    });
    let (watcher, stop) = (Arc::clone(app), tasks.stop().clone());
    tasks.keep("creators of share links", stop.clone(), move |_| {
        let (app, stop) = (Arc::clone(&watcher), stop.clone());
        async move { Watch::default().run(&app, &stop).await }
    });
}

async fn follow(app: &App, stop: &CancellationToken) {
    let (mut seen, mut refreshed, mut pruned) = (None, Instant::now(), None);
    let mut is_failing = false;
    loop {
        let outcome = async {
            let change = Some(app.access.store().change().await?);
            if change != seen || refreshed.elapsed() >= ROUND || is_failing || app.access.has_unsaved() {
                app.access.refresh().await?;
                (seen, refreshed) = (change, Instant::now());
            }
            if pruned.is_none_or(|pruned: Instant| pruned.elapsed() >= PRUNING) {
                let now = app.access.now();
                app.access.store().prune(now, before(now)).await?;
                pruned = Some(Instant::now());
            }
            Ok::<(), crate::access::store::AccessStoreError>(())
        }
        .await;
        match outcome {
            Ok(()) if is_failing => {
                is_failing = false;
                tracing::info!("the store of share links and revocations can be used again");
            }
            Err(error) if !is_failing => {
                is_failing = true;
                tracing::error!(%error, "revocations of other processes can't be read; they reach nobody here until they can");
            }
            Ok(()) | Err(_) => {}
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = stop.cancelled() => return,
        }
    }
}

fn before(now: UnixTime) -> UnixTime {
    now.before(SHOWN)
}
