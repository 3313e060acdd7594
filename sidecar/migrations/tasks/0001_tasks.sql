-- The task store, for SQLite and PostgreSQL alike: types are those that both know how to read.
-- Times are milliseconds since 1970-01-01T00:00:00Z.

CREATE TABLE task (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    operation TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('queued', 'in progress', 'paused', 'complete', 'failed')),
    version BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    max_attempts BIGINT NOT NULL,
    fenced BIGINT NOT NULL,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    not_before BIGINT NOT NULL,
    started BIGINT,
    -- Set when nothing more happens to it: it is complete, failed, or deleted and held by nobody.
    finished BIGINT,
    deleted BIGINT,
    deadline BIGINT,
    worker TEXT,
    lease_until BIGINT,
    done BIGINT NOT NULL,
    total BIGINT,
    unit TEXT NOT NULL,
    digest TEXT NOT NULL,
    idempotency_key TEXT,
    idempotency_digest TEXT,
    credential_expires BIGINT,
    request TEXT NOT NULL,
    result TEXT,
    failure TEXT,
    -- Sealed; wiped when the task is over or deleted.
    credential BYTEA,
    checkpoint BYTEA
);

-- What waits and what runs, by owner, in the order in which it is due.
CREATE INDEX task_active ON task (status, owner, not_before, id) WHERE finished IS NULL;
-- Of equal requests one is under way.
CREATE UNIQUE INDEX task_digest ON task (digest) WHERE finished IS NULL AND deleted IS NULL;
CREATE UNIQUE INDEX task_idempotency ON task (owner, idempotency_key) WHERE idempotency_key IS NOT NULL;
-- An owner's tasks, the newest first.
CREATE INDEX task_owner ON task (owner, id);
-- What is forgotten one day.
CREATE INDEX task_finished ON task (finished) WHERE finished IS NOT NULL;
CREATE INDEX task_deleted ON task (deleted) WHERE deleted IS NOT NULL;
