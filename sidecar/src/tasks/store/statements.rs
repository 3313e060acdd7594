//! The statements, written once for both databases. Where they differ there is a word in place of text.

/// A statement in both dialects.
#[derive(Debug)]
pub(crate) struct Sql {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

/// What of a statement is text, and what the words stand for in SQLite.
macro_rules! sqlite {
    (task) => {
        columns!()
    };
    // The ids in the JSON array that is the first parameter.
    (ids) => {
        "(SELECT value FROM json_each($1))"
    };
    // The names in the JSON array that is the fourth.
    (names) => {
        "(SELECT value FROM json_each($4))"
    };
    // SQLite has one writer at a time: nobody else locks a row.
    (skip_locked) => {
        ""
    };
    ($text:literal) => {
        $text
    };
}

/// The same in PostgreSQL.
macro_rules! postgres {
    (task) => {
        columns!()
    };
    (ids) => {
        "(SELECT jsonb_array_elements_text($1::jsonb))"
    };
    (names) => {
        "(SELECT jsonb_array_elements_text($4::jsonb))"
    };
    (skip_locked) => {
        " FOR UPDATE SKIP LOCKED"
    };
    ($text:literal) => {
        $text
    };
}

/// The columns of a task, in the order in which they are read.
macro_rules! columns {
    () => {
        "id, owner, request, digest, status, done, total, unit, attempts, max_attempts, epoch, fenced, created, updated, \
         started, finished, not_before, deadline, worker, lease_until, credential_expires, result, failure, deleted, \
         version"
    };
}

macro_rules! sql {
    ($($word:tt)+) => {
        Sql { sqlite: concat!($(sqlite!($word)),+), postgres: concat!($(postgres!($word)),+) }
    };
}

/// How many columns a task has: what else a statement returns comes after them.
pub(super) const TASK_COLUMNS: usize = 25;

// === reading ===

pub(super) const TASK: Sql = sql!["SELECT " task " FROM task WHERE id = $1"];

pub(super) const ALL_TASKS: Sql = sql![
    "SELECT " task " FROM task WHERE deleted IS NULL AND id < $1 AND status IN ($2, $3, $4, $5, $6) "
    "ORDER BY id DESC LIMIT $7"
];

pub(super) const TASKS_OF_OWNER: Sql = sql![
    "SELECT " task " FROM task WHERE deleted IS NULL AND id < $1 AND status IN ($2, $3, $4, $5, $6) "
    "AND owner = $8 ORDER BY id DESC LIMIT $7"
];

pub(super) const COUNTS: Sql =
    sql!["SELECT operation, status, count(*) FROM task WHERE deleted IS NULL GROUP BY operation, status"];

pub(super) const OLDEST_AND_FENCED: Sql = sql![
    "SELECT (SELECT min(not_before) FROM task WHERE finished IS NULL AND status = 'queued'), "
    "(SELECT CAST(coalesce(sum(fenced), 0) AS BIGINT) FROM task)"
];

// === submitting ===

pub(super) const SUBMIT: Sql = sql![
    "INSERT INTO task (id, owner, operation, status, version, epoch, attempts, max_attempts, fenced, created, updated, "
    "not_before, deadline, done, unit, digest, idempotency_key, idempotency_digest, credential_expires, request, credential) "
    "VALUES ($1, $2, $3, 'queued', 1, 0, 0, $4, 0, $5, $5, $5, $6, 0, 'bytes', $7, $8, $9, $10, $11, $12) "
    "ON CONFLICT DO NOTHING RETURNING version"
];

pub(super) const WAITING: Sql =
    sql!["SELECT count(*) FROM task WHERE finished IS NULL AND status IN ('queued', 'paused')"];

pub(super) const WAITING_OF_OWNER: Sql =
    sql!["SELECT count(*) FROM task WHERE finished IS NULL AND status IN ('queued', 'paused') AND owner = $1"];

pub(super) const BY_KEY: Sql =
    sql!["SELECT " task ", idempotency_digest FROM task WHERE owner = $1 AND idempotency_key = $2"];

pub(super) const BY_DIGEST: Sql =
    sql!["SELECT id FROM task WHERE finished IS NULL AND deleted IS NULL AND digest = $1"];

// === claiming ===

pub(super) const LEASE_ENDED: Sql = sql![
    "SELECT id, attempts, max_attempts, deadline, deleted FROM task WHERE finished IS NULL AND status = 'in progress' "
    "AND lease_until <= $1 ORDER BY lease_until LIMIT 100" skip_locked
];

pub(super) const TAKE_BACK: Sql = sql![
    "UPDATE task SET status = 'queued', lease_until = NULL, finished = CASE WHEN deleted IS NULL THEN NULL ELSE $2 END, "
    "updated = $2, version = version + 1 WHERE id = $1 RETURNING deleted"
];

pub(super) const GIVE_UP: Sql = sql![
    "UPDATE task SET status = 'failed', failure = $3, lease_until = NULL, finished = $2, updated = $2, "
    "version = version + 1, credential = NULL, checkpoint = NULL WHERE id = $1 RETURNING " task
];

pub(super) const RUNNING: Sql = sql!["SELECT count(*) FROM task WHERE finished IS NULL AND status = 'in progress'"];

/// Owners of queued tasks, each found by one step in the index however many tasks they have.
pub(super) const WAITING_OWNERS: Sql = sql![
    "WITH RECURSIVE owners (owner) AS ("
    "SELECT (SELECT owner FROM task WHERE finished IS NULL AND status = 'queued' ORDER BY owner LIMIT 1) "
    "UNION ALL SELECT (SELECT task.owner FROM task WHERE task.finished IS NULL AND task.status = 'queued' "
    "AND task.owner > owners.owner ORDER BY task.owner LIMIT 1) FROM owners WHERE owners.owner IS NOT NULL) "
    "SELECT owner, "
    "(SELECT count(*) FROM task WHERE finished IS NULL AND status = 'in progress' AND task.owner = owners.owner), "
    "(SELECT min(not_before) FROM task WHERE finished IS NULL AND status = 'queued' AND task.owner = owners.owner) "
    "FROM owners WHERE owner IS NOT NULL"
];

/// What a worker that does these operations can take of an owner's, and what is too late for any worker.
pub(super) const DUE: Sql = sql![
    "SELECT id, not_before, deadline FROM task WHERE finished IS NULL AND status = 'queued' AND owner = $1 "
    "AND not_before <= $2 AND (deadline <= $2 OR operation IN " names ") ORDER BY not_before, id LIMIT $3" skip_locked
];

pub(super) const CLAIM: Sql = sql![
    "UPDATE task SET status = 'in progress', epoch = epoch + 1, attempts = attempts + 1, "
    "started = coalesce(started, $2), updated = $2, version = version + 1, worker = $3, lease_until = $4 "
    "WHERE id IN " ids " RETURNING " task ", checkpoint, credential"
];

// === writing under a hold ===

pub(super) const RENEW: Sql =
    sql!["UPDATE task SET lease_until = $3 WHERE id = $1 AND epoch = $2 AND status = 'in progress' RETURNING deleted"];

pub(super) const RENEW_WITH_PROGRESS: Sql = sql![
    "UPDATE task SET lease_until = $3, done = $4, total = $5, unit = $6, updated = $7, version = version + 1 "
    "WHERE id = $1 AND epoch = $2 AND status = 'in progress' RETURNING deleted"
];

pub(super) const CHECKPOINT: Sql = sql![
    "UPDATE task SET checkpoint = CASE WHEN deleted IS NULL THEN $3 END, done = $4, total = $5, unit = $6, updated = $7, "
    "version = version + 1 WHERE id = $1 AND epoch = $2 AND status = 'in progress' RETURNING deleted"
];

pub(super) const END: Sql = sql![
    "UPDATE task SET status = $3, result = $4, failure = $5, finished = $6, updated = $6, version = version + 1, "
    "lease_until = NULL, credential = NULL, checkpoint = NULL "
    "WHERE id = $1 AND epoch = $2 AND status = 'in progress' RETURNING status"
];

pub(super) const RETRY: Sql = sql![
    "UPDATE task SET status = CASE WHEN attempts < max_attempts THEN 'queued' ELSE 'failed' END, "
    "failure = CASE WHEN attempts < max_attempts THEN $3 ELSE $4 END, "
    "credential = CASE WHEN attempts < max_attempts THEN credential END, "
    "checkpoint = CASE WHEN attempts < max_attempts THEN checkpoint END, "
    "finished = CASE WHEN attempts < max_attempts AND deleted IS NULL THEN NULL ELSE $6 END, "
    "not_before = $5, lease_until = NULL, updated = $6, version = version + 1 "
    "WHERE id = $1 AND epoch = $2 AND status = 'in progress' RETURNING status"
];

pub(super) const PAUSE: Sql = sql![
    "UPDATE task SET status = 'paused', attempts = attempts - 1, failure = $3, credential = NULL, "
    "finished = CASE WHEN deleted IS NULL THEN NULL ELSE $4 END, lease_until = NULL, updated = $4, "
    "version = version + 1 WHERE id = $1 AND epoch = $2 AND status = 'in progress' RETURNING status"
];

pub(super) const POSTPONE: Sql = sql![
    "UPDATE task SET status = 'queued', attempts = attempts - 1, failure = $3, not_before = $4, "
    "finished = CASE WHEN deleted IS NULL THEN NULL ELSE $5 END, lease_until = NULL, updated = $5, "
    "version = version + 1 WHERE id = $1 AND epoch = $2 AND status = 'in progress' RETURNING status"
];

pub(super) const RELEASE: Sql = sql![
    "UPDATE task SET status = 'queued', attempts = attempts - 1, "
    "checkpoint = CASE WHEN deleted IS NULL THEN coalesce($3, checkpoint) END, "
    "finished = CASE WHEN deleted IS NULL THEN NULL ELSE $4 END, lease_until = NULL, updated = $4, "
    "version = version + 1 WHERE id = $1 AND epoch = $2 AND status = 'in progress' RETURNING status"
];

pub(super) const HELD_BEFORE: Sql = sql!["SELECT status, epoch FROM task WHERE id = $1"];

pub(super) const COUNT_FENCED: Sql = sql!["UPDATE task SET fenced = fenced + 1 WHERE id = $1"];

// === deleting and resuming ===

pub(super) const DELETE: Sql = sql![
    "UPDATE task SET deleted = $2, updated = $2, version = version + 1, credential = NULL, checkpoint = NULL, "
    "finished = CASE WHEN finished IS NULL AND status <> 'in progress' THEN $2 ELSE finished END "
    "WHERE id = $1 AND deleted IS NULL RETURNING " task
];

pub(super) const RESUME: Sql = sql![
    "UPDATE task SET status = 'queued', credential = $2, credential_expires = $3, updated = $4, version = version + 1 "
    "WHERE id = $1 AND status = 'paused' AND deleted IS NULL RETURNING " task
];

// === forgetting ===

pub(super) const FORGET_FINISHED: Sql = sql![
    "DELETE FROM task WHERE id IN (SELECT id FROM task WHERE finished IS NOT NULL AND finished <= $1 "
    "AND deleted IS NULL ORDER BY finished LIMIT $2" skip_locked ") RETURNING id"
];

pub(super) const FORGET_DELETED: Sql = sql![
    "DELETE FROM task WHERE id IN (SELECT id FROM task WHERE deleted IS NOT NULL AND deleted <= $1 "
    "AND finished IS NOT NULL ORDER BY deleted LIMIT $2" skip_locked ") RETURNING id"
];

pub(super) const TOO_LATE: Sql = sql![
    "SELECT id FROM task WHERE finished IS NULL AND status IN ('queued', 'paused') AND deadline <= $1 LIMIT $2"
    skip_locked
];

// === the databases themselves ===

/// Rises when somebody else has written; SQLite alone.
pub(super) const DATA_VERSION: Sql = sql!["PRAGMA data_version"];

/// Held until the transaction ends; PostgreSQL alone. SQLite's transactions are one at a time as they are.
pub(super) const LOCK: Sql = sql!["SELECT pg_advisory_xact_lock($1)"];

/// PostgreSQL alone.
pub(super) const NOTIFY: Sql = sql!["SELECT pg_notify($1, $2)"];
