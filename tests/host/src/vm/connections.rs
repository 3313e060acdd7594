//! Connections without headers on their way through a VM, as Envoy's network filter has them.
//!
//! Why: the filter is asked about every piece that a client sends, also of a connection that went on; and what it holds
//! has to stay held, whatever else arrives. Never passes on what the filter holds.

use super::{RootId, Vm, length};
use crate::state::{Context, Direction};
use crate::stream::{Connection, Stream};
use crate::{Flavour, Outcome, StreamId};

impl Vm {
    /// Somebody connects at a plugin. A VM that trapped is reloaded first when its policy says so.
    pub fn connect(&mut self, root: RootId, connection: Connection) -> StreamId {
        let stream = self.host.process().next_stream();
        self.store.data_mut().streams.insert(stream, Stream::of_connection(connection));
        self.reload_if_due();
        if let Some(outcome) = self.unavailable() {
            self.decide(stream, outcome);
            return stream;
        }
        let plugin = self.store.data().plugins.get(root.0).map(|plugin| plugin.context);
        let Some(root) = plugin.filter(|_| self.flavour == Flavour::Envoy) else {
            self.decide(stream, Outcome::Gone);
            return stream;
        };
        let state = self.store.data_mut();
        let context = state.add_context(Context::Stream { root, stream });
        if let Some(record) = state.streams.get_mut(&stream) {
            record.context = Some(context);
        }
        self.call(context, "proxy_on_context_create", &[context, root]);
        let returned = self.call(context, "proxy_on_new_connection", &[context]);
        if !returned.trapped && !returned.holds() {
            self.go_on(stream, Direction::Request);
        }
        stream
    }

    /// The client sends so many bytes, or with `ends` its last ones; says whether they go on to the job. What is held
    /// goes on when the filter lets the connection go on.
    pub fn client_sends(&mut self, stream: StreamId, bytes: usize, ends: bool) -> bool {
        let Some((context, _)) = self.served(stream) else { return false };
        let arguments = [context, length(bytes), ends.into()];
        let returned = self.call(context, "proxy_on_downstream_data", &arguments);
        if returned.trapped || returned.holds() {
            return false;
        }
        // Envoy goes on with a connection whose first bytes a filter lets pass, decided or not.
        self.go_on(stream, Direction::Request);
        self.outcome(stream).continued().is_some()
    }
}
