//! Nodes, and where jobs are on them.

use anyhow::Context as _;
use taskgate_emulators::ytsaurus::{NodeOutage, Ytsaurus};

/// The port of every node itself.
pub(crate) const NODE_PORT: u16 = 9012;
/// The first port that nodes give to jobs.
const FIRST_PORT: u16 = 27_000;
/// How many ports a node passes over now and then, so that jobs' ports differ from node to node.
const GAP: u16 = 7;
/// Nodes that the cluster does not know any more, with jobs that listings still have.
const GONE: [&str; 5] = ["10.99.0.1:9012", "10.99.0.2:9012", "10.99.0.3:9012", "10.99.0.4:9012", "10.99.0.5:9012"];

/// The nodes of the cluster.
#[derive(Debug)]
pub(crate) struct Nodes {
    nodes: Vec<Node>,
    /// How many jobs there are.
    jobs: usize,
}

#[derive(Clone, Debug)]
struct Node {
    host: String,
    next_port: u16,
}

/// Where a job is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Its node's host.
    pub(crate) host: String,
    /// Its node, as the cluster names it.
    pub(crate) node: String,
    /// Its ports.
    pub(crate) ports: Vec<u16>,
    /// A port of its node that no job was given.
    pub(crate) free_port: u16,
}

impl Nodes {
    /// So many nodes, and some that are gone.
    pub(crate) fn new(cluster: &Ytsaurus, count: usize) -> Self {
        for node in GONE {
            cluster.set_node_offline(node, NodeOutage::Gone);
        }
        let node = |number| Node { host: host(number), next_port: FIRST_PORT };
        Self { nodes: (0..count).map(node).collect(), jobs: 0 }
    }

    /// A place for the next job, with so many ports.
    pub(crate) fn place(&mut self, ports: u16) -> anyhow::Result<Place> {
        let number = self.jobs;
        self.jobs += 1;
        let place = number.checked_rem(self.nodes.len()).unwrap_or_default();
        let node = self.nodes.get_mut(place).context("there are no nodes")?;
        let first = node.next_port;
        let free_port = first.saturating_add(ports);
        node.next_port = free_port.saturating_add(if number.is_multiple_of(2) { GAP } else { 1 });
        let named = format!("{}:{NODE_PORT}", node.host);
        Ok(Place { host: node.host.clone(), node: named, ports: (first..free_port).collect(), free_port })
    }

    /// A node that is gone.
    pub(crate) fn gone(&self, number: usize) -> &'static str {
        number.checked_rem(GONE.len()).and_then(|place| GONE.get(place)).copied().unwrap_or_default()
    }
}

/// The address of a node, of either family, as it stands before a port.
fn host(number: usize) -> String {
    if number % 5 == 4 {
        format!("[2001:db8:16::{number:x}]")
    } else {
        format!("10.16.{}.{}", number / 250, number % 250 + 1)
    }
}
