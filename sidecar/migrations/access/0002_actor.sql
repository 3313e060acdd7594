-- Whose sessions a revocation ends, where that is known; empty: not known. One person's many become one.

ALTER TABLE access_revocation ADD COLUMN actor TEXT NOT NULL DEFAULT '';

CREATE INDEX access_revocation_actor ON access_revocation (actor, kind);
