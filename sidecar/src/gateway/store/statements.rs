//! The statements, the same for both databases.

use crate::tasks::store::statements::Sql;

/// One text for both.
macro_rules! sql {
    ($($text:expr),+) => {
        Sql { sqlite: concat!($($text),+), postgres: concat!($($text),+) }
    };
}

/// A port whose rest is over is free: its row is only not gone yet.
pub(super) const SLOTS: Sql = sql![
    "SELECT port, holder, service, generation, rests_until FROM gateway_port ",
    "WHERE rests_until IS NULL OR rests_until > $1 ORDER BY port"
];

/// What is outside the range is not kept by who reserves in it.
pub(super) const HELD: Sql = sql![
    "UPDATE gateway_port SET seen = CASE WHEN port BETWEEN $4 AND $5 THEN $2 ELSE seen END, service = $3 ",
    "WHERE holder = $1 RETURNING port, holder, service, generation"
];

pub(super) const FORGET_RESTED: Sql = sql!["DELETE FROM gateway_port WHERE rests_until <= $1"];

pub(super) const IS_USED: Sql = sql!["SELECT port FROM gateway_port WHERE port = $1"];

pub(super) const NEXT_GAP: Sql = sql![
    "SELECT used.port + 1 FROM gateway_port used WHERE used.port >= $1 AND used.port < $2 ",
    "AND NOT EXISTS (SELECT 1 FROM gateway_port next WHERE next.port = used.port + 1) ORDER BY used.port LIMIT 1"
];

pub(super) const NEXT_GENERATION: Sql = sql!["UPDATE gateway_generation SET number = number + 1 RETURNING number"];

pub(super) const RESERVE: Sql =
    sql!["INSERT INTO gateway_port (port, holder, service, generation, seen) VALUES ($1, $2, $3, $4, $5)"];

pub(super) const REMEMBER_HELD: Sql = sql![
    "INSERT INTO gateway_port (port, service, generation, seen, holder) VALUES ($1, $2, $3, $4, $5) ",
    "ON CONFLICT DO NOTHING RETURNING port"
];

pub(super) const REMEMBER_RESTING: Sql = sql![
    "INSERT INTO gateway_port (port, service, generation, seen, rests_until) VALUES ($1, $2, $3, $4, $5) ",
    "ON CONFLICT DO NOTHING"
];

pub(super) const RENEW: Sql =
    sql!["UPDATE gateway_port SET seen = $4 WHERE port = $1 AND holder = $2 AND generation = $3 RETURNING port"];

/// What lies ahead: a rest that ends after the first time, a sighting after the second.
pub(super) const AHEAD: Sql = sql!["SELECT port FROM gateway_port WHERE rests_until > $1 OR seen > $2 LIMIT 1"];

pub(super) const MEND_RESTS: Sql =
    sql!["UPDATE gateway_port SET rests_until = $1 WHERE rests_until > $1 RETURNING port"];

pub(super) const MEND_SIGHTINGS: Sql = sql!["UPDATE gateway_port SET seen = $2 WHERE seen > $1 RETURNING port"];

pub(super) const IS_HELD: Sql =
    sql!["SELECT port FROM gateway_port WHERE port = $1 AND holder = $2 AND generation = $3"];

pub(super) const REST: Sql = sql![
    "UPDATE gateway_port SET holder = NULL, rests_until = $4 ",
    "WHERE port = $1 AND holder = $2 AND generation = $3 AND seen <= $5 RETURNING port"
];
