-- Who holds which port of the internal task gateway, for SQLite and PostgreSQL alike: types are those that both know how
-- to read. Times are milliseconds since 1970-01-01T00:00:00Z. A port without a row is free.

CREATE TABLE gateway_port (
    port BIGINT PRIMARY KEY,
    -- The digest of the names of the service that holds it; none: it rests.
    holder TEXT UNIQUE,
    -- The id of that service.
    service TEXT NOT NULL,
    -- Tells this reservation from every other one, of any port.
    generation BIGINT NOT NULL,
    -- When a sidecar said last that the service is there.
    seen BIGINT NOT NULL,
    -- Until when nobody gets the port; none: it is held.
    rests_until BIGINT,
    CHECK ((holder IS NULL) <> (rests_until IS NULL))
);

CREATE INDEX gateway_port_rests ON gateway_port (rests_until);

-- One row, whose number rises with every reservation.
CREATE TABLE gateway_generation (
    number BIGINT NOT NULL
);

INSERT INTO gateway_generation (number) VALUES (0);
