//! The sidecar as Envoy's control plane: where the jobs are, over delta xDS.
//!
//! Two resources, one for each protocol that jobs speak, have the addresses of the table; Envoy picks
//! among them what the filter decided and nothing else (`envoy-config/xds.yaml`). Routes and the listeners of
//! HTTP are never touched, so a change of the table drains nothing. TCP services have listeners of their own
//! ([`ports`], `envoy-config/tcp.yaml`), each of which changes alone.
//!
//! An answer tells who listens where, and never who may use it. A reader that can't prove to be one of
//! ours gets nothing.

pub mod addresses;
pub mod assignment;
pub mod conversation;
pub mod health;
pub mod nodes;
pub mod owners;
pub mod ports;
pub mod publisher;
pub mod service;
pub mod settings;

use std::sync::Arc;

use tokio::sync::watch;

use crate::app::App;
use crate::lifecycle::Tasks;
use crate::lifecycle::listener::Bound;
use crate::xds::health::Health;
use crate::xds::ports::board::Board;
use crate::xds::publisher::Publisher;
use crate::xds::service::Service;
use crate::xds::settings::XdsSettings;

/// Serves addresses of jobs on that listener, and ports where there is a board.
pub fn serve(bound: Bound, settings: &XdsSettings, board: Option<Arc<Board>>, app: &Arc<App>, tasks: &Tasks) {
    let snapshots = Arc::new(watch::Sender::default());
    let health = Arc::new(Health::default());
    let publisher = Publisher {
        app: Arc::clone(app),
        health: Arc::clone(&health),
        rest: settings.push_interval,
        snapshots: Arc::clone(&snapshots),
    };
    tasks.keep("xds publisher", tasks.stop().clone(), move |_| publisher.clone().run());
    if let Some(checks) = settings.health_checks.clone() {
        let (app, stop) = (Arc::clone(app), tasks.stop().clone());
        tasks.keep("xds health checks", tasks.stop().clone(), move |_| {
            let (health, checks, app, stop) = (Arc::clone(&health), checks.clone(), Arc::clone(&app), stop.clone());
            async move {
                tokio::select! {
                    () = health.check(&checks, &app) => {}
                    () = stop.cancelled() => {}
                }
            }
        });
    }
    let service = Service::new(Arc::clone(app), settings.nodes.clone(), snapshots, board, tasks.clone());
    tasks.spawn("xds", bound.serve(service.routes(), tasks.clone()));
}
