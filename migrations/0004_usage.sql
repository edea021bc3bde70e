-- Settled usage. A record is in the table exactly once, because its proxy's cursor
-- moves in the transaction that copies it in; so no unique index is needed.

CREATE TABLE usage_cursor (
    wal_id   uuid        PRIMARY KEY,
    proxy_id uuid        NOT NULL,
    last_seq bigint      NOT NULL,
    seen_at  timestamptz NOT NULL DEFAULT now()
);

-- Names of keys, teams and accounts are looked up when usage is read: ids outlive them.
CREATE TABLE usage_event (
    started_at          timestamptz NOT NULL,
    request_id          uuid        NOT NULL,
    proxy_id            uuid        NOT NULL,
    wal_id              uuid        NOT NULL,
    seq                 bigint      NOT NULL,
    key_id              uuid        NOT NULL,
    team_id             uuid,
    account_id          uuid        NOT NULL,
    provider            text        NOT NULL,
    alias               text        NOT NULL,
    model               text        NOT NULL,
    dialect             text        NOT NULL,
    operation           text        NOT NULL,
    outcome             text        NOT NULL,
    streamed            boolean     NOT NULL,
    estimated           boolean     NOT NULL,
    status              int         NOT NULL,
    attempts            int         NOT NULL,
    duration_ms         bigint      NOT NULL,
    ttft_ms             bigint,
    input_tokens        bigint      NOT NULL,
    cached_input_tokens bigint      NOT NULL,
    cache_write_tokens  bigint      NOT NULL,
    output_tokens       bigint      NOT NULL,
    reasoning_tokens    bigint      NOT NULL,
    revision            bigint      NOT NULL
) PARTITION BY RANGE (started_at);
CREATE INDEX usage_event_started_at ON usage_event (started_at, request_id);
CREATE INDEX usage_event_key ON usage_event (key_id, started_at);

-- Takes what no day's partition takes: a proxy's clock may be wrong.
CREATE TABLE usage_event_default PARTITION OF usage_event DEFAULT;

-- Makes the partition of one day (UTC) and moves into it what the default partition
-- took for that day. Says whether there was anything to do.
CREATE FUNCTION usage_event_add_day(day date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    partition text        := 'usage_event_' || to_char(day, 'YYYYMMDD');
    first_at  timestamptz := day::timestamp AT TIME ZONE 'UTC';
    end_at    timestamptz := (day + 1)::timestamp AT TIME ZONE 'UTC';
BEGIN
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN false;
    END IF;
    -- Two control planes may come here at once. Only the lock of a table makes the second
    -- one see what the first one made.
    LOCK TABLE usage_event IN SHARE UPDATE EXCLUSIVE MODE;
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE usage_event INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition);
    LOCK TABLE usage_event_default IN ACCESS EXCLUSIVE MODE;
    EXECUTE format(
        'WITH moved AS (DELETE FROM usage_event_default WHERE started_at >= %L AND started_at < %L RETURNING *)
         INSERT INTO %I SELECT * FROM moved', first_at, end_at, partition);
    EXECUTE format('ALTER TABLE usage_event ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        partition, first_at, end_at);
    RETURN true;
END
$$;
