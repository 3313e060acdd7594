//! Who holds which port, in a database: a file, or a server that several sidecars share.
//!
//! What must not be torn apart is one transaction, and transactions that reserve take turns; that a port has one holder,
//! and a holder one port, the tables see to as well. A reservation is told from every other one by its generation, a
//! number that only rises: whoever comes back with an old one changes nothing.
//!
//! What sidecars tell each other, when a service was seen, is by the wall clock; what rests, by one that can't hurry.

pub mod open;
mod statements;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use taskgate_core::label::Label;
use taskgate_core::time::UnixTime;

use crate::clock::SharedClock;
use crate::gateway::ledger::{LeaseError, Ledger, ReserveError};
use crate::gateway::port::{Holder, Lease, PortRange, Slot};
use crate::gateway::rest_clock::RestClock;
use crate::gateway::store::statements as sql;
use crate::tasks::store::StoreError;
use crate::tasks::store::database::{Database, Row, Transaction, Turn, Value};

/// By how much other sidecars' clocks may be ahead of this one without being wrong.
const TOLERATED: Duration = Duration::from_secs(60);
/// How many leases are renewed at once: other writers are not kept waiting for longer.
const RENEWED_AT_ONCE: usize = 500;

/// Who holds which port, in a database.
pub struct SqlLedger {
    database: Database,
    clock: SharedClock,
    /// When rests are over.
    rest_clock: RestClock,
    /// The longest that a port rests.
    longest_rest: Duration,
}

impl SqlLedger {
    /// The same, where ports rest for so long at most: what would rest for longer was written by a clock that was wrong.
    #[must_use]
    pub const fn resting(mut self, longest_rest: Duration) -> Self {
        self.longest_rest = longest_rest;
        self
    }

    /// Ends all connections; everything fails after that.
    pub async fn close(&self) {
        self.database.close().await;
    }

    fn now(&self) -> Value {
        Value::from(self.clock.now().as_millis())
    }

    /// What rests until then has rested.
    fn rested_until(&self) -> Value {
        Value::from(self.rest_clock.now().as_millis())
    }

    async fn slots(&self) -> Result<Vec<Slot>, StoreError> {
        let rows = self.database.read(&sql::SLOTS, &[self.rested_until()]).await?;
        rows.iter().map(slot_of).collect()
    }

    async fn reserved(
        &self,
        range: PortRange,
        holder: &Holder,
        service: &Label,
        avoid: &[u16],
    ) -> Result<Option<Lease>, StoreError> {
        let mut transaction = self.database.begin().await?;
        transaction.take(Turn::Port).await?;
        let (now, name) = (self.now(), Value::from(holder.as_str()));
        let [first, last] = [range.start(), range.end()].map(|port| Value::from(u32::from(port)));
        let renewed = [name.clone(), now.clone(), Value::from(service.as_str()), first, last];
        if let Some(row) = transaction.row(&sql::HELD, &renewed).await? {
            transaction.commit().await?;
            return lease_of(&row).map(Some);
        }
        transaction.rows(&sql::FORGET_RESTED, &[self.rested_until()]).await?;
        let Some(port) = free(&mut transaction, range, avoid).await? else { return Ok(None) };
        let generation = transaction.count(&sql::NEXT_GENERATION, &[]).await?;
        let values = [Value::from(u32::from(port)), name, Value::from(service.as_str()), Value::from(generation), now];
        transaction.rows(&sql::RESERVE, &values).await?;
        transaction.commit().await?;
        Ok(Some(Lease { port, holder: holder.clone(), service: service.clone(), generation }))
    }

    /// Gives back a port; whether it was held like that, and by nobody seen since.
    async fn rested(&self, lease: &Lease, rest: Duration, seen_before: UnixTime) -> Result<bool, StoreError> {
        let mut transaction = self.database.begin().await?;
        let [port, holder, generation] = key_of(lease);
        let until = Value::from(self.rest_clock.until(rest).as_millis());
        let values = [port, holder, generation, until, Value::from(seen_before.as_millis())];
        let was_held = transaction.row(&sql::REST, &values).await?.is_some();
        transaction.commit().await?;
        Ok(was_held)
    }

    async fn remembered(
        &self,
        port: u16,
        service: &Label,
        holder: Option<&Holder>,
        rest: Duration,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.database.begin().await?;
        transaction.take(Turn::Port).await?;
        // What has rested is no reason that it rests again.
        transaction.rows(&sql::FORGET_RESTED, &[self.rested_until()]).await?;
        let generation = transaction.count(&sql::NEXT_GENERATION, &[]).await?;
        let row = |last: Value| {
            let port = Value::from(u32::from(port));
            [port, Value::from(service.as_str()), Value::from(generation), self.now(), last]
        };
        let is_kept = match holder {
            Some(holder) => transaction.row(&sql::REMEMBER_HELD, &row(Value::from(holder.as_str()))).await?.is_some(),
            None => false,
        };
        // Where the holder has another port, it rests; where it is held now, this changes nothing.
        let until = Value::from(self.rest_clock.until(rest).as_millis());
        transaction.rows(&sql::REMEMBER_RESTING, &row(until)).await?;
        transaction.commit().await?;
        Ok(is_kept)
    }

    async fn is_held(&self, lease: &Lease) -> Result<bool, StoreError> {
        Ok(!self.database.read(&sql::IS_HELD, &key_of(lease)).await?.is_empty())
    }

    /// Takes back what a clock wrote that was ahead by years: until then a port would rest, or count as seen.
    async fn mend(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let [latest, tolerated, now] =
            [now.after(self.longest_rest), now.after(TOLERATED), now].map(|time| Value::from(time.as_millis()));
        let bounds = [latest.clone(), tolerated.clone()];
        if self.database.read(&sql::AHEAD, &bounds).await?.is_empty() {
            return Ok(());
        }
        let mut transaction = self.database.begin().await?;
        let rests = transaction.rows(&sql::MEND_RESTS, &[latest]).await?.len();
        let sightings = transaction.rows(&sql::MEND_SIGHTINGS, &[tolerated, now]).await?.len();
        transaction.commit().await?;
        tracing::warn!(rests, sightings, "times of ports lie ahead of this machine's clock, and were set back");
        Ok(())
    }

    async fn renewed(&self, leases: &[Lease]) -> Result<Vec<Lease>, StoreError> {
        self.mend().await?;
        let mut lost = Vec::new();
        for leases in leases.chunks(RENEWED_AT_ONCE) {
            let mut transaction = self.database.begin().await?;
            for lease in leases {
                let [port, holder, generation] = key_of(lease);
                if transaction.row(&sql::RENEW, &[port, holder, generation, self.now()]).await?.is_none() {
                    lost.push(lease.clone());
                }
            }
            transaction.commit().await?;
        }
        Ok(lost)
    }
}

#[async_trait]
impl Ledger for SqlLedger {
    async fn list(&self) -> Result<Vec<Slot>, LeaseError> {
        Ok(self.slots().await?)
    }

    async fn reserve(
        &self,
        range: PortRange,
        holder: &Holder,
        service: &Label,
        avoid: &[u16],
    ) -> Result<Lease, ReserveError> {
        match self.reserved(range, holder, service, avoid).await {
            Ok(Some(lease)) => Ok(lease),
            Ok(None) => Err(ReserveError::RangeExhausted(range)),
            Err(error) => Err(ReserveError::Unavailable(why(error))),
        }
    }

    async fn release(&self, lease: &Lease, rest: Duration) -> Result<(), LeaseError> {
        // Later than any sighting.
        let ever = UnixTime::from_millis(u64::MAX);
        if self.rested(lease, rest, ever).await? { Ok(()) } else { Err(LeaseError::Lost) }
    }

    async fn release_unseen(&self, lease: &Lease, unseen: Duration, rest: Duration) -> Result<bool, LeaseError> {
        if self.rested(lease, rest, self.clock.now().before(unseen)).await? {
            return Ok(true);
        }
        if self.is_held(lease).await? { Ok(false) } else { Err(LeaseError::Lost) }
    }

    async fn remember(
        &self,
        port: u16,
        service: &Label,
        holder: Option<&Holder>,
        rest: Duration,
    ) -> Result<bool, LeaseError> {
        Ok(self.remembered(port, service, holder, rest).await?)
    }

    fn expires(&self) -> bool {
        // What can't be written to a file can be written by nobody: there is no other one who gives ports away.
        matches!(self.database, Database::Postgres(_))
    }

    async fn renew(&self, leases: &[Lease]) -> Result<Vec<Lease>, LeaseError> {
        Ok(self.renewed(leases).await?)
    }
}

/// The lowest free port that is not to be avoided.
async fn free(transaction: &mut Transaction, range: PortRange, avoid: &[u16]) -> Result<Option<u16>, StoreError> {
    let mut from = range.start();
    loop {
        while avoid.contains(&from) {
            let Some(next) = from.checked_add(1) else { return Ok(None) };
            from = next;
        }
        if !range.has(from) {
            return Ok(None);
        }
        let port = Value::from(u32::from(from));
        if transaction.row(&sql::IS_USED, std::slice::from_ref(&port)).await?.is_none() {
            return Ok(Some(from));
        }
        let gap = transaction.row(&sql::NEXT_GAP, &[port, Value::from(u32::from(range.end()))]).await?;
        let Some(gap) = gap else { return Ok(None) };
        from = port_of(&gap, 0)?;
    }
}

fn key_of(lease: &Lease) -> [Value; 3] {
    [Value::from(u32::from(lease.port)), Value::from(lease.holder.as_str()), Value::from(lease.generation)]
}

fn slot_of(row: &Row) -> Result<Slot, StoreError> {
    match row.maybe_number(4)? {
        Some(until) => Ok(Slot::Resting { port: port_of(row, 0)?, until: UnixTime::from_millis(until) }),
        None => lease_of(row).map(Slot::Held),
    }
}

fn lease_of(row: &Row) -> Result<Lease, StoreError> {
    let unreadable = |what: &str| StoreError::Corrupt(format!("a row has a {what} that can't be read"));
    Ok(Lease {
        port: port_of(row, 0)?,
        holder: Holder::parse(&row.text(1)?).ok_or_else(|| unreadable("holder"))?,
        service: Label::parse(row.text(2)?.as_bytes()).map_err(|_| unreadable("service"))?,
        generation: row.number(3)?,
    })
}

fn port_of(row: &Row, column: usize) -> Result<u16, StoreError> {
    u16::try_from(row.number(column)?).map_err(|_| StoreError::Corrupt("a row has a port that is none".to_owned()))
}

/// What went wrong, without the words about tasks: the helpers are those of their store.
fn why(error: StoreError) -> String {
    match error {
        StoreError::Address(reason)
        | StoreError::Contended(reason)
        | StoreError::Corrupt(reason)
        | StoreError::Migration(reason)
        | StoreError::Unavailable(reason) => reason,
    }
}

impl From<StoreError> for LeaseError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(why(error))
    }
}

impl fmt::Debug for SqlLedger {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SqlLedger")
    }
}
