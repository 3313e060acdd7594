//! Ports that no other test has that runs at the same time, in this process or in another one.

use std::fs::{File, OpenOptions};

use anyhow::{Context as _, ensure};

/// The lowest port.
const FIRST: u16 = 20_000;
/// The highest: the system gives those above to clients.
const LAST: u16 = 32_767;
/// How many ports are taken together.
const PART: u16 = 32;
/// How many such parts there are.
const PARTS: u16 = (LAST - FIRST + 1) / PART;

/// So many ports in a row, for as long as it lives. Where a program that is no test has one of them, another one is
/// announced.
pub(super) struct Block {
    first: u16,
    count: u16,
    /// Each part is of whoever has its file locked.
    _parts: Vec<File>,
}

impl Block {
    /// Finds some that are free.
    pub(super) fn take(count: u16) -> anyhow::Result<Self> {
        let wanted = count.div_ceil(PART);
        ensure!(count > 0 && wanted <= PARTS, "{count} ports can't be had");
        let places = PARTS - wanted + 1;
        // Those that begin elsewhere seldom meet.
        let place = u16::try_from(std::process::id().wrapping_mul(7) % u32::from(places))?;
        let found = (0..places).map(|step| (place + step) % places).find_map(|part| {
            let parts: Option<Vec<File>> = (part..part + wanted).map(lock).collect();
            Some(Self { first: FIRST + part * PART, count, _parts: parts? })
        });
        found.context("tests have all ports")
    }

    pub(super) fn first(&self) -> u16 {
        self.first
    }

    pub(super) fn last(&self) -> u16 {
        self.first + (self.count - 1)
    }
}

/// The file of a part, where nobody else has it.
fn lock(part: u16) -> Option<File> {
    let path = std::env::temp_dir().join(format!("taskgate-tests-ports-{}.lock", FIRST + part * PART));
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).ok()?;
    file.try_lock().ok()?;
    Some(file)
}

#[test]
fn no_two_have_a_port_in_common() -> anyhow::Result<()> {
    let blocks = [1, PART, PART + 1, 5 * PART, 8].map(Block::take).into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let mut ports: Vec<u16> = blocks.iter().flat_map(|block| block.first()..=block.last()).collect();
    assert!(ports.iter().all(|port| (FIRST..=LAST).contains(port)));
    let count = ports.len();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!((count, ports.len()), (usize::from(7 * PART) + 10, count));
    Ok(())
}
