//! A log that is a file, which may grow, be cut short, or be replaced.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::BytesMut;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio::time::Instant;

use crate::data::catalog::{ActionName, Catalog, LogSource};
use crate::data::error::DataError;
use crate::data::logs::settings::LogSettings;
use crate::data::logs::{PIECE, Piece, Source};

/// A file that is read as it grows.
#[derive(Debug)]
pub(super) struct FileTail {
    settings: Arc<LogSettings>,
    place: Place,
    file: tokio::fs::File,
    identity: Identity,
    position: u64,
    /// Whether more may come.
    following: Option<Following>,
    checked: Instant,
    /// When something was read last.
    grown: Instant,
    /// The file that took this one's name; it is read after this one's end was seen once more.
    successor: Option<(tokio::fs::File, Identity)>,
    gone_since: Option<Instant>,
}

/// What says whether more may come.
#[derive(Clone, Debug)]
pub(super) struct Following {
    pub(super) catalog: Arc<dyn Catalog>,
    pub(super) action: ActionName,
    pub(super) attempt: u32,
    pub(super) path: String,
}

/// A file's place under one of the folders that are allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    folder: PathBuf,
    rest: PathBuf,
}

/// Which file it is, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl FileTail {
    /// Opens a file.
    pub(super) async fn open(
        settings: &Arc<LogSettings>,
        path: &str,
        following: Option<Following>,
    ) -> Result<Self, DataError> {
        let place = Place::of(settings, path)
            .ok_or_else(|| DataError::Internal("the log is in no folder that `data.logs.folders` allows".into()))?;
        let (file, identity) = place.open().await.map_err(|error| unreadable(&error))?;
        Ok(Self {
            settings: Arc::clone(settings),
            place,
            file,
            identity,
            position: 0,
            following,
            checked: Instant::now(),
            grown: Instant::now(),
            successor: None,
            gone_since: None,
        })
    }

    /// Looks what became of a file at whose end we are. Whether there is something else to read now.
    async fn look(&mut self) -> Result<Look, DataError> {
        if let Some((file, identity)) = self.successor.take() {
            (self.file, self.identity, self.position) = (file, identity, 0);
            return Ok(Look::Another);
        }
        if self.following.is_none() {
            return Ok(Look::Over);
        }
        let length = self.file.metadata().await.map_err(|error| unreadable(&error))?.len();
        if length < self.position {
            self.file.rewind().await.map_err(|error| unreadable(&error))?;
            self.position = 0;
            return Ok(Look::Another);
        }
        match self.place.open().await {
            Ok((_, identity)) if identity == self.identity => self.gone_since = None,
            Ok(successor) => {
                self.gone_since = None;
                self.successor = Some(successor);
                return Ok(Look::Again);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if self.gone_since.get_or_insert_with(Instant::now).elapsed() >= self.settings.linger {
                    self.following = None;
                    return Ok(Look::Again);
                }
            }
            Err(error) => return Err(unreadable(&error)),
        }
        if self.checked.elapsed() >= self.settings.recheck {
            self.checked = Instant::now();
            if !self.still_grows().await {
                self.following = None;
                return Ok(Look::Again);
            }
        }
        if self.grown.elapsed() >= self.settings.idle {
            self.following = None;
            return Ok(Look::Again);
        }
        tokio::time::sleep(self.settings.poll).await;
        Ok(Look::Again)
    }

    /// Whether the catalog says that more may come. Where it can't be asked it may.
    async fn still_grows(&self) -> bool {
        let Some(Following { catalog, action, attempt, path }) = &self.following else { return false };
        match catalog.log(action, *attempt).await {
            Ok(Some(LogSource::File { path: now, follow })) => follow && now == *path,
            Ok(_) => false,
            Err(_) => true,
        }
    }
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// There may be more of it.
    Again,
    /// What comes next is of another file, or of the same one anew.
    Another,
    /// Nothing more comes.
    Over,
}

#[async_trait]
impl Source for FileTail {
    async fn next(&mut self) -> Result<Option<Piece>, DataError> {
        loop {
            let mut bytes = BytesMut::with_capacity(PIECE);
            let count = self.file.read_buf(&mut bytes).await.map_err(|error| unreadable(&error))?;
            if count > 0 {
                self.grown = Instant::now();
                self.position = self.position.saturating_add(u64::try_from(count).unwrap_or_default());
                return Ok(Some(Piece::Bytes(bytes.freeze())));
            }
            match self.look().await? {
                Look::Again => {}
                Look::Another => return Ok(Some(Piece::Break)),
                Look::Over => return Ok(None),
            }
        }
    }
}

impl Place {
    /// Where a path leads; none where it is under no folder that is allowed.
    fn of(settings: &LogSettings, path: &str) -> Option<Self> {
        let path = Path::new(path);
        settings.folders.iter().find_map(|folder| {
            let rest = path.strip_prefix(folder).ok()?;
            let is_plain = rest.components().all(|part| matches!(part, Component::Normal(_)));
            (is_plain && rest.file_name().is_some()).then(|| Self { folder: folder.clone(), rest: rest.to_owned() })
        })
    }

    async fn open(&self) -> io::Result<(tokio::fs::File, Identity)> {
        let place = self.clone();
        let opened = tokio::task::spawn_blocking(move || place.open_now());
        let (file, identity) = opened.await.map_err(io::Error::other)??;
        Ok((tokio::fs::File::from_std(file), identity))
    }

    /// Opens the file. A link on the way counts where it stays in the folder; whoever writes logs could otherwise
    /// have the sidecar read any file. What is no file (a pipe, say) would not be read to an end.
    fn open_now(&self) -> io::Result<(File, Identity)> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let folder = openat2(CWD, &self.folder, flags | OFlags::DIRECTORY, Mode::empty(), ResolveFlags::empty())?;
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let flags = flags | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = File::from(openat2(folder, &self.rest, flags, Mode::empty(), beneath)?);
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
        }
        Ok((file, Identity { device: metadata.dev(), inode: metadata.ino() }))
    }
}

fn unreadable(error: &io::Error) -> DataError {
    match error.kind() {
        io::ErrorKind::NotFound => DataError::NotFound("the log is not there yet, or not any more".into()),
        _ => DataError::Internal(format!("the log can't be read: {error}")),
    }
}
