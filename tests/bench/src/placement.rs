//! Which CPU runs what: Envoy's workers have theirs, all else shares the rest.
//!
//! Where there are not enough CPUs for that, the system decides.

use std::fs;

use anyhow::Context as _;
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The CPUs, shared out.
#[derive(Clone, Debug)]
pub(crate) struct Placement {
    all: CpuSet,
    shares: Option<Shares>,
}

#[derive(Clone, Debug)]
struct Shares {
    envoy: CpuSet,
    rest: CpuSet,
}

impl Placement {
    /// Shares out the CPUs that this process may use, and moves this thread to its share.
    pub(crate) fn apply(workers: u8, pin: bool) -> anyhow::Result<Self> {
        let all = sched_getaffinity(None).context("which CPUs there are")?;
        let usable: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| all.is_set(*cpu)).collect();
        let shares = match usable.split_at_checked(workers.into()) {
            Some((envoy, rest)) if pin && !rest.is_empty() => Some(Shares { envoy: set(envoy), rest: set(rest) }),
            _ => None,
        };
        if let Some(shares) = &shares {
            // What is started from here on starts there too.
            sched_setaffinity(None, &shares.rest)?;
        }
        Ok(Self { all, shares })
    }

    /// Moves an Envoy to its CPUs.
    pub(crate) fn place_envoy(&self, process: u32) -> anyhow::Result<()> {
        self.shares.as_ref().map_or(Ok(()), |shares| place(process, &shares.envoy))
    }

    /// Lets a process run anywhere.
    pub(crate) fn release(&self, process: u32) -> anyhow::Result<()> {
        place(process, &self.all)
    }

    /// In words.
    pub(crate) fn describe(&self) -> String {
        match &self.shares {
            Some(shares) => {
                format!("Envoy has {} of {} CPUs to itself", shares.envoy.count(), self.all.count())
            }
            None => format!("nothing is pinned, {} CPUs", self.all.count()),
        }
    }
}

fn set(cpus: &[usize]) -> CpuSet {
    let mut set = CpuSet::new();
    for cpu in cpus {
        set.set(*cpu);
    }
    set
}

/// Moves every thread; threads that come later start where their makers are.
fn place(process: u32, cpus: &CpuSet) -> anyhow::Result<()> {
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let id = thread?.file_name().to_string_lossy().parse().ok().and_then(Pid::from_raw);
        sched_setaffinity(id, cpus).context("can't move a thread")?;
    }
    Ok(())
}
