//! Links and revocations as rows.

use taskgate_core::revocation::{Revocation, Revoked};
use taskgate_core::share::PathScope;
use taskgate_core::time::UnixTime;
use taskgate_core::token::TokenId;

use crate::access::store::{AccessStoreError, Creator, Ending, KeptRevocation, Share};
use crate::digest::Digest;
use crate::tasks::store::database::{Row, Value};

/// The values of a link, in the order of the statement.
pub(super) fn share_values(share: &Share) -> Result<[Value; 17], AccessStoreError> {
    let groups: &[String] = match &share.creator {
        Creator::Operator => &[],
        Creator::Person { groups, .. } => groups,
    };
    let groups = serde_json::to_string(groups).map_err(|error| AccessStoreError::Broken(error.to_string()))?;
    let ending = share.ending.as_ref();
    Ok([
        Value::from(share.id.to_string()),
        Value::from(share.service.as_str()),
        Value::from(share.origin),
        Value::from(share.creator.name()),
        Value::from(groups),
        Value::from(share.scope.as_str()),
        Value::from(share.created_at.as_millis()),
        Value::from(share.expires_at.as_millis()),
        Value::from(share.uses),
        Value::from(share.used),
        Value::from(share.last_used_at.map(UnixTime::as_millis)),
        Value::from(share.addressee.clone()),
        Value::from(share.note.as_str()),
        Value::from(share.code.map(|code| code.to_string())),
        Value::from(ending.map(|ending| ending.at.as_millis())),
        Value::from(ending.map(|ending| ending.by.clone())),
        Value::from(ending.map(|ending| ending.why.clone())),
    ])
}

/// The link in a row.
pub(super) fn share_of(row: &Row) -> Result<Share, AccessStoreError> {
    let time = |column| Ok::<_, AccessStoreError>(row.maybe_number(column)?.map(UnixTime::from_millis));
    let creator = match row.text(3)? {
        name if name.is_empty() => Creator::Operator,
        name => {
            Creator::Person { name, groups: serde_json::from_str(&row.text(4)?).map_err(|_| unreadable("groups"))? }
        }
    };
    let ending = match time(14)? {
        None => None,
        Some(at) => Some(Ending {
            at,
            by: row.maybe_text(15)?.unwrap_or_default(),
            why: row.maybe_text(16)?.unwrap_or_default(),
        }),
    };
    let code = row.maybe_text(13)?.map(|text| Digest::parse(&text)).transpose().map_err(|_| unreadable("code"))?;
    Ok(Share {
        id: TokenId::parse(&row.text(0)?).map_err(|_| unreadable("id"))?,
        service: row.text(1)?,
        origin: u32::try_from(row.number(2)?).map_err(|_| unreadable("origin"))?,
        creator,
        scope: PathScope::parse(&row.text(5)?).map_err(|_| unreadable("path"))?,
        created_at: UnixTime::from_millis(row.number(6)?),
        expires_at: UnixTime::from_millis(row.number(7)?),
        uses: row.maybe_number(8)?,
        used: row.number(9)?,
        last_used_at: time(10)?,
        addressee: row.maybe_text(11)?,
        note: row.text(12)?,
        code,
        ending,
    })
}

/// Kind and subject of what is ended.
pub(crate) fn revocation_key(revoked: &Revoked) -> (&'static str, String) {
    match revoked {
        Revoked::Actor(name) => ("actor", name.clone()),
        Revoked::Everybody => ("everybody", String::new()),
        Revoked::Session(id) => ("session", id.to_string()),
        Revoked::Share(id) => ("share", id.to_string()),
    }
}

/// The revocation in a row.
pub(super) fn revocation_of(row: &Row) -> Result<KeptRevocation, AccessStoreError> {
    let (kind, subject) = (row.text(0)?, row.text(1)?);
    let id = || TokenId::parse(&subject).map_err(|_| unreadable("subject"));
    let revoked = match kind.as_str() {
        "actor" => Revoked::Actor(subject),
        "everybody" => Revoked::Everybody,
        "session" => Revoked::Session(id()?),
        "share" => Revoked::Share(id()?),
        _ => return Err(unreadable("kind")),
    };
    Ok(KeptRevocation {
        revocation: Revocation { revoked, at: UnixTime::from_millis(row.number(2)?) },
        until: UnixTime::from_millis(row.number(3)?),
        by: row.text(4)?,
        actor: Some(row.text(5)?).filter(|actor| !actor.is_empty()),
    })
}

fn unreadable(what: &str) -> AccessStoreError {
    AccessStoreError::Broken(format!("a row has a {what} that can't be read"))
}
