//! Waiting for files to change.
//!
//! The system's notices only make it quick: a poll finds what they miss (network file systems,
//! mounted configuration maps). Directories are watched rather than files, so that a rename over a
//! file, or over a link on its way, is seen.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use notify::event::ModifyKind;
use notify::{Event, EventKind, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

/// How long files must have been left alone before they are read.
pub const SETTLE: Duration = Duration::from_millis(30);

/// How often a quiet moment is waited for, where something else in a directory never rests.
const MAX_SETTLES: usize = 10;

/// A watch over some files.
#[derive(Debug)]
pub struct Watch {
    noticed: Arc<Notify>,
    poll: Duration,
    watcher: Option<notify::RecommendedWatcher>,
    directories: BTreeSet<PathBuf>,
    names: Arc<RwLock<BTreeSet<OsString>>>,
}

impl Watch {
    /// Watches the directories of some files; where the system can't, polling alone remains.
    #[must_use]
    pub fn new(files: &[PathBuf], poll: Duration) -> Self {
        let noticed = Arc::new(Notify::new());
        let names: Arc<RwLock<BTreeSet<OsString>>> = Arc::default();
        let (waker, known) = (Arc::clone(&noticed), Arc::clone(&names));
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| matters(&event, &known.read().unwrap_or_else(PoisonError::into_inner))) {
                waker.notify_one();
            }
        });
        let watcher =
            watcher.inspect_err(|error| tracing::warn!(%error, "can't watch files; changes are found by polling")).ok();
        let mut watch = Self { noticed, poll, watcher, directories: BTreeSet::new(), names };
        watch.follow(files);
        watch
    }

    /// Watches the directories of these files instead.
    pub fn follow(&mut self, files: &[PathBuf]) {
        let wanted: BTreeSet<PathBuf> = files.iter().filter_map(|file| directory(file)).collect();
        let names = files.iter().filter_map(|file| file.file_name()).map(ToOwned::to_owned).collect();
        *self.names.write().unwrap_or_else(PoisonError::into_inner) = names;
        let Some(watcher) = &mut self.watcher else { return };
        for gone in self.directories.difference(&wanted) {
            // A directory that is gone is no longer watched anyway.
            let _ = watcher.unwatch(gone);
        }
        for new in wanted.difference(&self.directories) {
            if let Err(error) = watcher.watch(new, RecursiveMode::NonRecursive) {
                tracing::warn!(directory = %new.display(), %error, "can't watch a directory; changes are found by polling");
            }
        }
        self.directories = wanted;
    }

    /// Waits until something may have changed and then for a quiet moment.
    pub async fn changed(&mut self) {
        // Time running out is the poll.
        let _ = tokio::time::timeout(self.poll, self.noticed.notified()).await;
        for _ in 0..MAX_SETTLES {
            if tokio::time::timeout(SETTLE, self.noticed.notified()).await.is_err() {
                break;
            }
        }
    }
}

/// Whether an event can mean that one of the files changed. What is written into other files of the
/// directory (a log, say) does not; what is created or renamed there may be what a link leads to.
fn matters(event: &Event, names: &BTreeSet<OsString>) -> bool {
    let is_ours = || event.paths.iter().filter_map(|path| path.file_name()).any(|name| names.contains(name));
    match event.kind {
        EventKind::Access(_) => false,
        EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Metadata(_)) => is_ours(),
        _ => true,
    }
}

fn directory(file: &Path) -> Option<PathBuf> {
    file.parent().map(|parent| if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_owned() })
}

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, DataChange, MetadataKind, RenameMode};

    use super::*;

    #[test]
    fn a_log_beside_the_files_wakes_nobody() {
        let names = BTreeSet::from([OsString::from("services.yaml")]);
        let event = |kind, name: &str| Event::new(kind).add_path(Path::new("/etc/taskgate").join(name));
        let data = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let metadata = EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any));
        let renamed = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        for kind in [data, metadata] {
            assert!(!matters(&event(kind, "log"), &names));
            assert!(matters(&event(kind, "services.yaml"), &names));
        }
        for kind in [renamed, EventKind::Create(CreateKind::Any)] {
            assert!(matters(&event(kind, "..data"), &names), "a link may lead there");
        }
    }
}
