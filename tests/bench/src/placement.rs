//! Which CPU runs what: what is measured has CPUs of its own, all else shares the rest.
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
    measured: CpuSet,
    rest: CpuSet,
}

impl Placement {
    /// Shares out the CPUs that this process may use, so many of them for what is measured, and moves this
    /// thread to its share.
    pub(crate) fn apply(measured: u8, pin: bool) -> anyhow::Result<Self> {
        let all = sched_getaffinity(None).context("which CPUs there are")?;
        let usable: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| all.is_set(*cpu)).collect();
        let shares = match usable.split_at_checked(measured.into()) {
            Some((measured, rest)) if pin && !rest.is_empty() => {
                Some(Shares { measured: set(measured), rest: set(rest) })
            }
            _ => None,
        };
        if let Some(shares) = &shares {
            // What is started from here on starts there too.
            sched_setaffinity(None, &shares.rest)?;
        }
        Ok(Self { all, shares })
    }

    /// Moves a process that is measured to its CPUs.
    pub(crate) fn place(&self, process: u32) -> anyhow::Result<()> {
        self.shares.as_ref().map_or(Ok(()), |shares| place(process, &shares.measured))
    }

    /// Starts something that is measured on its CPUs: programs look how many they have when they start.
    pub(crate) fn start<T>(&self, start: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        let Some(shares) = &self.shares else { return start() };
        sched_setaffinity(None, &shares.measured)?;
        let started = start();
        sched_setaffinity(None, &shares.rest)?;
        started
    }

    /// Lets a process run anywhere.
    pub(crate) fn release(&self, process: u32) -> anyhow::Result<()> {
        place(process, &self.all)
    }

    /// In words.
    pub(crate) fn describe(&self, measured: &str) -> String {
        match &self.shares {
            Some(shares) => {
                format!("{measured} has {} of {} CPUs to itself", shares.measured.count(), self.all.count())
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
