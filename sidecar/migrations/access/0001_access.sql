-- Share links, and what was ended before its time, for SQLite and PostgreSQL alike: types are those that both know
-- how to read. Times are milliseconds since 1970-01-01T00:00:00Z.

CREATE TABLE access_share (
    id TEXT PRIMARY KEY,
    service TEXT NOT NULL,
    origin BIGINT NOT NULL,
    -- Who made it; empty: an operator.
    creator TEXT NOT NULL,
    -- Their groups, as a JSON list.
    creator_groups TEXT NOT NULL,
    path TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    -- How often it may be used; none: it is not counted.
    uses BIGINT,
    used BIGINT NOT NULL,
    last_used BIGINT,
    -- For whom alone it is.
    addressee TEXT,
    note TEXT NOT NULL,
    -- The digest of what a link has in it that is counted, or for one person.
    code TEXT,
    ended BIGINT,
    ended_by TEXT,
    ended_why TEXT
);

-- What a service's creators have.
CREATE INDEX access_share_service ON access_share (service, creator);
CREATE INDEX access_share_expires ON access_share (expires);

CREATE TABLE access_revocation (
    kind TEXT NOT NULL CHECK (kind IN ('actor', 'everybody', 'session', 'share')),
    subject TEXT NOT NULL,
    ended BIGINT NOT NULL,
    -- When all that it ends would be over anyway.
    holds_until BIGINT NOT NULL,
    ended_by TEXT NOT NULL,
    PRIMARY KEY (kind, subject)
);

CREATE INDEX access_revocation_until ON access_revocation (holds_until);

-- One row, whose number rises with every change, so that other processes see that there was one.
CREATE TABLE access_change (
    number BIGINT NOT NULL
);

INSERT INTO access_change (number) VALUES (0);
