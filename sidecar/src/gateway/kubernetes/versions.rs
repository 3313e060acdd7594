//! Which versions of the Gateway API the cluster serves.
//!
//! `/apis` is not asked: servers are known that have no index, and that an API is listed there does not mean that it can
//! be used. What answers is there.

use std::fmt;
use std::time::Duration;

use taskgate_core::time::UnixTime;
use tokio::sync::Mutex;

use crate::gateway::kubernetes::error::ApiError;
use crate::gateway::kubernetes::site::Site;

/// How long it is believed what was found: clusters are upgraded under a sidecar that runs.
const BELIEVED: Duration = Duration::from_secs(300);

/// The versions of `TCPRoute`, best first: `v1` since Gateway API 1.6, whose standard channel has nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RouteVersion {
    V1,
    V1Alpha2,
}

/// What was found, and when.
#[derive(Debug, Default)]
pub(super) struct Versions(Mutex<Option<(UnixTime, RouteVersion)>>);

impl Versions {
    /// The version of `TCPRoute` to use.
    pub(super) async fn route(&self, site: &Site) -> Result<RouteVersion, ApiError> {
        let mut known = self.0.lock().await;
        let now = site.now();
        if let Some((found, version)) = *known
            && now.since(found) < BELIEVED
        {
            return Ok(version);
        }
        for version in [RouteVersion::V1, RouteVersion::V1Alpha2] {
            if site.cluster.serves(&site.routes(version)).await? {
                *known = Some((now, version));
                return Ok(version);
            }
        }
        let text = "the cluster serves no `TCPRoute`: install Gateway API 1.6 or later, or its experimental channel";
        Err(ApiError::Unavailable(text.into()))
    }
}

impl fmt::Display for RouteVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::V1 => "v1",
            Self::V1Alpha2 => "v1alpha2",
        })
    }
}

/// Whether there are sets of listeners.
pub(super) async fn serves_sets(site: &Site) -> Result<bool, ApiError> {
    site.cluster.serves(&site.sets()).await
}
