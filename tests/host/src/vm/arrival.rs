//! What the host makes of a request before a filter sees it.
//!
//! Never looks at what a filter does.

use super::{Vm, length};
use crate::stream::{Request, nginx_path, property_path};
use crate::{Headers, StreamId};

impl Vm {
    /// How many headers a callback is told of.
    pub(super) fn count(&self, headers: &Headers) -> u32 {
        let counts = |name: &[u8]| self.flavour.counts_pseudo_headers() || name.first() != Some(&b':');
        length(headers.iter().filter(|(name, _)| counts(name)).count())
    }

    /// What the host makes of a request before any filter sees it.
    pub(super) fn arrive(&self, request: &mut Request) {
        if self.flavour.decodes_path() {
            let sent = request.headers.value(":path").map(nginx_path::relative).unwrap_or_default().to_vec();
            request.headers.replace(b":path", &nginx_path::decoded(&sent));
            request.properties.insert(property_path(&["ngx", "request_uri"]), sent);
            request.properties.insert(property_path(&["request", "host"]), b"machine".to_vec());
        }
        request.nginx.clone_from(&self.host.process().nginx);
        if let Some(nginx) = &request.nginx {
            request.headers.drop_invalid();
            nginx.begin(&request.headers, &mut request.properties);
        }
    }

    /// In an earlier phase than access, nothing keeps NGINX from going on with a request that waits.
    pub(super) fn can_not_wait(&self, stream: StreamId) -> bool {
        let record = self.store.data().streams.get(&stream);
        record.is_some_and(|record| record.nginx.as_ref().is_some_and(|nginx| !nginx.in_access()))
    }

    /// Gives the list the names the flavour shows: one of `host` and `:authority`, or both.
    pub(super) fn complete_headers(&self, headers: &mut Headers) {
        let host = headers.value("host").or_else(|| headers.value(":authority")).map(<[u8]>::to_vec);
        let Some(host) = host else { return };
        headers.remove(b"host");
        if self.flavour.separates_host() {
            headers.replace(b":authority", b"_:19000");
            headers.add(b"host", &host);
        } else if !headers.contains(":authority") {
            headers.add(b":authority", &host);
        }
    }
}
