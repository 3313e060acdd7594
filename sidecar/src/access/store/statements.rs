//! The statements, the same for both databases.

use crate::tasks::store::statements::Sql;

/// One text for both.
macro_rules! sql {
    ($($text:expr),+) => {
        Sql { sqlite: concat!($($text),+), postgres: concat!($($text),+) }
    };
}

/// The columns of a link, in the order in which they are read and written.
macro_rules! columns {
    () => {
        "id, service, origin, creator, creator_groups, path, created, expires, uses, used, last_used, addressee, note, \
         code, ended, ended_by, ended_why"
    };
}

pub(super) const ADD_SHARE: Sql = sql![
    "INSERT INTO access_share (",
    columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
];

pub(super) const COUNT_LIVE: Sql =
    sql!["SELECT count(*) FROM access_share WHERE expires > $1 AND ended IS NULL AND service = $2 AND creator = $3"];

pub(super) const COUNT_OF_CREATOR: Sql = sql!["SELECT count(*) FROM access_share WHERE expires > $1 AND creator = $2"];

pub(super) const COUNT_ALL: Sql = sql!["SELECT count(*) FROM access_share WHERE expires > $1"];

pub(super) const SHARE: Sql = sql!["SELECT ", columns!(), " FROM access_share WHERE id = $1"];

pub(super) const SHARES: Sql = sql![
    "SELECT ",
    columns!(),
    " FROM access_share WHERE service = coalesce($1, service) AND creator = coalesce($2, creator) ",
    "ORDER BY created DESC, id LIMIT $3"
];

pub(super) const LIVE_SHARES: Sql = sql![
    "SELECT ",
    columns!(),
    " FROM access_share WHERE expires > $1 AND ended IS NULL ORDER BY service, creator, id"
];

pub(super) const REDEEM: Sql = sql![
    "UPDATE access_share SET used = used + 1, last_used = $2 WHERE id = $1 AND ended IS NULL AND expires > $2 ",
    "AND (uses IS NULL OR used < uses) RETURNING used"
];

pub(super) const END_SHARE: Sql = sql![
    "UPDATE access_share SET ended = $2, ended_by = $3, ended_why = $4 WHERE id = $1 AND ended IS NULL RETURNING id"
];

pub(super) const REVOKE: Sql = sql![
    "INSERT INTO access_revocation (kind, subject, ended, holds_until, ended_by, actor) VALUES ($1, $2, $3, $4, $5, $6) ",
    "ON CONFLICT (kind, subject) DO UPDATE SET ",
    "ended = CASE WHEN excluded.ended > access_revocation.ended THEN excluded.ended ELSE access_revocation.ended END, ",
    "holds_until = CASE WHEN excluded.holds_until > access_revocation.holds_until THEN excluded.holds_until ",
    "ELSE access_revocation.holds_until END, ended_by = excluded.ended_by, actor = excluded.actor"
];

pub(super) const REVOCATIONS: Sql = sql![
    "SELECT kind, subject, ended, holds_until, ended_by, actor FROM access_revocation WHERE holds_until > $1 ",
    "ORDER BY CASE kind WHEN 'share' THEN 0 ELSE 1 END, ended DESC, subject LIMIT $2"
];

pub(super) const COUNT_SIGN_INS: Sql =
    sql!["SELECT count(*) FROM access_revocation WHERE kind = 'session' AND actor = $1 AND holds_until > $2"];

pub(super) const TAKE_SIGN_INS: Sql =
    sql!["DELETE FROM access_revocation WHERE kind = 'session' AND actor = $1 RETURNING ended, holds_until"];

pub(super) const FORGET_OLDER: Sql =
    sql!["DELETE FROM access_revocation WHERE kind IN ('actor', 'session') AND ended <= $1 AND holds_until <= $2"];

pub(super) const END_PLAIN: Sql = sql![
    "UPDATE access_share SET ended = $1, ended_by = $2, ended_why = $3 ",
    "WHERE ended IS NULL AND code IS NULL AND created <= $1 AND expires > $1 RETURNING id"
];

pub(super) const LAST_SHARE: Sql = sql!["SELECT max(expires) FROM access_share"];

pub(super) const LAST_SHARE_FOR: Sql = sql!["SELECT max(expires) FROM access_share WHERE addressee = $1"];

pub(super) const COUNT_CHANGE: Sql = sql!["UPDATE access_change SET number = number + 1"];

pub(super) const CHANGE: Sql = sql!["SELECT max(number) FROM access_change"];

pub(super) const PRUNE_REVOCATIONS: Sql = sql!["DELETE FROM access_revocation WHERE holds_until <= $1"];

pub(super) const PRUNE_SHARES: Sql = sql!["DELETE FROM access_share WHERE expires <= $1"];
