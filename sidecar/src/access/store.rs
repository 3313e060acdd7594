//! Where share links and revocations are kept.
//!
//! Why: a link that was taken back stays so after a restart, and a use is counted once, whichever process counts it.
//! What must not be torn apart is one method here and one transaction. Time is an argument. What a link has in it is
//! kept as a digest: who reads the store can use none of them.

pub(crate) mod open;
mod rows;
mod statements;

use std::fmt;
use std::time::Duration;

use taskgate_core::revocation::{Revocation, Revoked};
use taskgate_core::share::PathScope;
use taskgate_core::time::UnixTime;
use taskgate_core::token::TokenId;
use thiserror::Error;

use crate::access::store::rows::{revocation_of, share_of, share_values};
use crate::access::store::statements as sql;
use crate::digest::Digest;
use crate::tasks::store::StoreError;
use crate::tasks::store::database::{Database, Row, Transaction, Turn, Value};
use crate::tasks::store::statements::Sql;

pub(crate) use rows::revocation_key;

/// The most links that a list shows.
pub const MAX_LISTED: u32 = 1_000;
/// The most sign-ins of one person that are ended one by one: more are one entry, for all that the person began.
pub const MAX_OF_ACTOR: usize = 16;
/// The most revocations that are read: what is older than the oldest of them is over for everybody.
const MAX_READ: u32 = 40_000;
/// How much longer an entry is kept than what it ends can live: clocks of proxies differ from ours.
const SKEW: Duration = Duration::from_secs(60);

/// The store.
pub struct AccessStore {
    database: Database,
    is_kept: bool,
}

/// A share link, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// What it is called.
    pub id: TokenId,
    /// The canonical id of the service.
    pub service: String,
    /// The service's owner when it was made ([`crate::discovery::inventory::Entry::origin`]).
    pub origin: u32,
    /// Who made it.
    pub creator: Creator,
    /// The paths that it is for.
    pub scope: PathScope,
    /// When it was made.
    pub created_at: UnixTime,
    /// When it ends.
    pub expires_at: UnixTime,
    /// How often it may be used; none: that is not counted.
    pub uses: Option<u64>,
    /// How often it was.
    pub used: u64,
    /// When it was last.
    pub last_used_at: Option<UnixTime>,
    /// For whom alone it is.
    pub addressee: Option<String>,
    /// What its creator says about it.
    pub note: String,
    /// The digest of what the link has in it, where it leads to the sidecar.
    pub code: Option<Digest>,
    /// How it ended before its time.
    pub ending: Option<Ending>,
}

/// Who made a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Creator {
    /// An operator, at the internal listener. No right can be lost.
    Operator,
    /// Somebody who may manage the service.
    Person {
        /// The login name.
        name: String,
        /// The groups, when it was made.
        groups: Vec<String>,
    },
}

/// How a link ended before its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// When.
    pub at: UnixTime,
    /// By whom.
    pub by: String,
    /// Why.
    pub why: String,
}

/// Which links are wanted. With nothing said, all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Those of one service.
    pub service: Option<String>,
    /// Those of one creator.
    pub creator: Option<String>,
}

/// How many links there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Live ones of one service and creator.
    pub live: u64,
    /// Ones of one creator that are not over, those that were taken back among them: each of those is an entry that
    /// every worker has.
    pub of_creator: u64,
    /// All that are not over.
    pub all: u64,
}

/// What came of making a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is there.
    Added,
    /// There are too many, of which kind.
    TooMany(&'static str),
}

/// A revocation, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptRevocation {
    /// What is ended, and when.
    pub revocation: Revocation,
    /// When all that it ends would be over anyway.
    pub until: UnixTime,
    /// By whom.
    pub by: String,
    /// Whose the sessions of one sign-in are, where that is known.
    pub actor: Option<String>,
}

/// Why the store can't do something. It never shows the address's password.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AccessStoreError {
    /// The address is none.
    #[error("`access.store` must be `sqlite:<path>` or `postgres://<user>@<host>/<database>`: {0}")]
    Address(String),
    /// What is kept can't be read, or the tables are of another version.
    #[error("the store of share links and revocations can't be used: {0}")]
    Broken(String),
    /// It can't be reached or has no time; it may a moment later.
    #[error("the store of share links and revocations can't be reached: {0}")]
    Unavailable(String),
}

impl AccessStore {
    /// Whether it outlives the process.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        self.is_kept
    }

    // === share links ===

    /// Keeps a new link, where there is room.
    ///
    /// # Errors
    /// [`AccessStoreError`].
    pub async fn add(&self, share: &Share, bounds: Bounds, now: UnixTime) -> Result<Added, AccessStoreError> {
        let mut transaction = self.database.begin().await?;
        transaction.take(Turn::Share).await?;
        let creator = Value::from(share.creator.name());
        let live = [Value::from(now.as_millis()), Value::from(share.service.as_str()), creator.clone()];
        let of_creator = [Value::from(now.as_millis()), creator];
        let all = [Value::from(now.as_millis())];
        let counts: [(&'static str, _, &[Value], u64); 3] = [
            ("of yours for this service that are live", &sql::COUNT_LIVE, &live, bounds.live),
            ("of yours that are not over", &sql::COUNT_OF_CREATOR, &of_creator, bounds.of_creator),
            ("of all that are not over", &sql::COUNT_ALL, &all, bounds.all),
        ];
        for (kind, statement, values, most) in counts {
            if transaction.count(statement, values).await? >= most {
                return Ok(Added::TooMany(kind));
            }
        }
        transaction.rows(&sql::ADD_SHARE, &share_values(share)?).await?;
        transaction.commit().await?;
        Ok(Added::Added)
    }

    /// A link.
    ///
    /// # Errors
    /// [`AccessStoreError`].
    pub async fn share(&self, id: TokenId) -> Result<Option<Share>, AccessStoreError> {
        let rows = self.database.read(&sql::SHARE, &[Value::from(id.to_string())]).await?;
        rows.first().map(share_of).transpose()
    }

    /// Links, the newest first, at most [`MAX_LISTED`].
    ///
    /// # Errors
    /// [`AccessStoreError`].
    pub async fn shares(&self, selection: &Selection) -> Result<Vec<Share>, AccessStoreError> {
        let values =
            [Value::from(selection.service.clone()), Value::from(selection.creator.clone()), Value::from(MAX_LISTED)];
        let rows = self.database.read(&sql::SHARES, &values).await?;
        rows.iter().map(share_of).collect()
    }

    /// The links that can be used, all of them: there is a bound when they are made.
    ///
    /// # Errors
    /// [`AccessStoreError`].
    pub async fn live_shares(&self, now: UnixTime) -> Result<Vec<Share>, AccessStoreError> {
        let rows = self.database.read(&sql::LIVE_SHARES, &[Value::from(now.as_millis())]).await?;
        rows.iter().map(share_of).collect()
    }

    /// Counts a use of a link, where there is one left; whether there was.
    ///
    /// # Errors
    /// [`AccessStoreError`].
    pub async fn redeem(&self, id: TokenId, now: UnixTime) -> Result<bool, AccessStoreError> {
        let mut transaction = self.database.begin().await?;
        let values = [Value::from(id.to_string()), Value::from(now.as_millis())];
        let was_left = transaction.row(&sql::REDEEM, &values).await?.is_some();
        transaction.commit().await?;
        Ok(was_left)
    }

    /// Ends a link before its time, for every worker; whether it was live.
    ///
    /// # Errors
    /// [`AccessStoreError`].
    pub async fn end_share(&self, share: &Share, ending: &Ending) -> Result<bool, AccessStoreError> {
        let mut transaction = self.database.begin().await?;
        let values = [
            Value::from(share.id.to_string()),
            Value::from(ending.at.as_millis()),
            Value::from(ending.by.as_str()),
            Value::from(ending.why.as_str()),
        ];
        let was_live = transaction.row(&sql::END_SHARE, &values).await?.is_some();
        insert(&mut transaction, &KeptRevocation::of_share(share, ending)).await?;
        transaction.commit().await?;
        Ok(was_live)
    }

    // === revocations ===

    /// Keeps a revocation. Of two for one subject the later end counts. One that ends everybody's sessions ends plain
    /// links too, since nobody can tell when their holders began.
    ///
    /// # Errors
    /// [`AccessStoreError`].
    pub async fn revoke(&self, entry: &KeptRevocation) -> Result<(), AccessStoreError> {
        let mut transaction = self.database.begin().await?;
        match (&entry.revocation.revoked, &entry.actor) {
            (Revoked::Everybody, _) => end_everybody(&mut transaction, entry).await?,
            (Revoked::Actor(name), _) => {
                let last = last_share(&mut transaction, &sql::LAST_SHARE_FOR, &[Value::from(name.as_str())]).await?;
                insert(&mut transaction, &entry.clone().lasting(last)).await?;
            }
            (Revoked::Session(_), Some(actor)) => {
                insert(&mut transaction, entry).await?;
                gather(&mut transaction, entry, actor).await?;
            }
            (Revoked::Session(_) | Revoked::Share(_), _) => insert(&mut transaction, entry).await?,
        }
        transaction.commit().await?;
        Ok(())
    }

    /// The revocations that still end something, the oldest first.
    ///
    /// # Errors
    /// [`AccessStoreError`].
    pub async fn revocations(&self, now: UnixTime) -> Result<Vec<KeptRevocation>, AccessStoreError> {
        let values = [Value::from(now.as_millis()), Value::from(MAX_READ)];
        let rows = self.database.read(&sql::REVOCATIONS, &values).await?;
        let mut list: Vec<KeptRevocation> = rows.iter().map(revocation_of).collect::<Result<_, _>>()?;
        if list.len() >= usize::try_from(MAX_READ).unwrap_or(usize::MAX)
            && let Some(oldest) = list.last().cloned()
        {
            // What was not read is older.
            let revocation = Revocation { revoked: Revoked::Everybody, at: oldest.revocation.at };
            list.push(KeptRevocation { revocation, actor: None, ..oldest });
        }
        list.sort_by_key(|kept| kept.revocation.at);
        Ok(list)
    }

    /// The number of the last change to revocations, by whichever process.
    ///
    /// # Errors
    /// [`AccessStoreError`].
    pub async fn change(&self) -> Result<u64, AccessStoreError> {
        let rows = self.database.read(&sql::CHANGE, &[]).await?;
        Ok(rows.first().map_or(Ok(0), |row| row.number(0))?)
    }

    /// Forgets what has been over for long enough.
    ///
    /// # Errors
    /// [`AccessStoreError`].
    pub async fn prune(&self, now: UnixTime, shares_until: UnixTime) -> Result<(), AccessStoreError> {
        let mut transaction = self.database.begin().await?;
        transaction.rows(&sql::PRUNE_REVOCATIONS, &[Value::from(now.as_millis())]).await?;
        transaction.rows(&sql::PRUNE_SHARES, &[Value::from(shares_until.as_millis())]).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Ends all connections; everything fails after that.
    pub async fn close(&self) {
        self.database.close().await;
    }
}

async fn insert(transaction: &mut Transaction, entry: &KeptRevocation) -> Result<(), AccessStoreError> {
    let (kind, subject) = revocation_key(&entry.revocation.revoked);
    let values = [
        Value::from(kind),
        Value::from(subject),
        Value::from(entry.revocation.at.as_millis()),
        Value::from(entry.until.as_millis()),
        Value::from(entry.by.as_str()),
        Value::from(entry.actor.as_deref().unwrap_or_default()),
    ];
    let _: Vec<Row> = transaction.rows(&sql::REVOKE, &values).await?;
    transaction.rows(&sql::COUNT_CHANGE, &[]).await?;
    Ok(())
}

/// Ends everybody's sessions and the plain links; what is older is in that.
async fn end_everybody(transaction: &mut Transaction, entry: &KeptRevocation) -> Result<(), AccessStoreError> {
    let at = Value::from(entry.revocation.at.as_millis());
    let last = last_share(transaction, &sql::LAST_SHARE, &[]).await?;
    let entry = entry.clone().lasting(last);
    let why = "everybody's sessions were ended";
    transaction.rows(&sql::END_PLAIN, &[at.clone(), Value::from(entry.by.as_str()), Value::from(why)]).await?;
    transaction.rows(&sql::FORGET_OLDER, &[at, Value::from(entry.until.as_millis())]).await?;
    insert(transaction, &entry).await
}

/// Many sign-ins of one person become one entry.
async fn gather(transaction: &mut Transaction, entry: &KeptRevocation, actor: &str) -> Result<(), AccessStoreError> {
    let values = [Value::from(actor), Value::from(entry.revocation.at.as_millis())];
    let count = transaction.count(&sql::COUNT_SIGN_INS, &values).await?;
    if count <= u64::try_from(MAX_OF_ACTOR).unwrap_or(u64::MAX) {
        return Ok(());
    }
    let (mut at, mut until) = (entry.revocation.at, entry.until);
    for row in transaction.rows(&sql::TAKE_SIGN_INS, &[Value::from(actor)]).await? {
        at = at.max(UnixTime::from_millis(row.number(0)?));
        until = until.max(UnixTime::from_millis(row.number(1)?));
    }
    if is_link_visitor(actor) {
        return insert(transaction, entry).await;
    }
    let last = last_share(transaction, &sql::LAST_SHARE_FOR, &[Value::from(actor)]).await?;
    let revocation = Revocation { revoked: Revoked::Actor(actor.to_owned()), at };
    insert(transaction, &KeptRevocation { revocation, until, by: entry.by.clone(), actor: None }.lasting(last)).await
}

/// Whether a name is that of all who have one link. They are not one person, so that one entry for all of them would end
/// the link; where there are too many, the latest is kept: who has the link comes in again anyway.
pub(crate) fn is_link_visitor(actor: &str) -> bool {
    actor.starts_with("share:")
}

/// When the last of some links ends: a session that one gave lives as long.
async fn last_share(
    transaction: &mut Transaction,
    statement: &'static Sql,
    values: &[Value],
) -> Result<Option<UnixTime>, AccessStoreError> {
    let row = transaction.row(statement, values).await?;
    let end = row.map(|row| row.maybe_number(0)).transpose()?.flatten();
    Ok(end.map(UnixTime::from_millis))
}

impl KeptRevocation {
    /// What a link that was ended is for workers.
    #[must_use]
    pub fn of_share(share: &Share, ending: &Ending) -> Self {
        let revocation = Revocation { revoked: Revoked::Share(share.id), at: ending.at };
        Self { revocation, until: share.expires_at.after(SKEW), by: ending.by.clone(), actor: None }
    }

    /// The same, kept until what ends then is over, at least.
    #[must_use]
    pub fn lasting(self, last: Option<UnixTime>) -> Self {
        let until = last.map_or(self.until, |last| self.until.max(last.after(SKEW)));
        Self { until, ..self }
    }
}

impl Share {
    /// Whether it can be used: a session that it gave holds as long.
    #[must_use]
    pub fn is_live(&self, now: UnixTime) -> bool {
        self.ending.is_none() && now < self.expires_at
    }

    /// Whether it leads to the sidecar, which counts uses or looks who asks.
    #[must_use]
    pub const fn is_redeemed(&self) -> bool {
        self.uses.is_some() || self.addressee.is_some()
    }
}

impl Creator {
    /// The login name; empty for an operator.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Operator => "",
            Self::Person { name, .. } => name,
        }
    }
}

impl From<StoreError> for AccessStoreError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Address(reason) => Self::Address(reason),
            StoreError::Corrupt(reason) | StoreError::Migration(reason) => Self::Broken(reason),
            StoreError::Contended(reason) | StoreError::Unavailable(reason) => Self::Unavailable(reason),
        }
    }
}

impl fmt::Debug for AccessStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AccessStore").field("is_kept", &self.is_kept).finish_non_exhaustive()
    }
}
