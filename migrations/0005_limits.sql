-- Limits, what they need to know of models and accounts, and the books of what is lent.

-- `rule` says which of the columns after it are set; amounts are in requests, weighted
-- tokens or micro-dollars. Old rows of other tables mean what they meant: see the defaults.
CREATE TABLE limit_rule (
    id                   uuid        PRIMARY KEY,
    generation           bigint      NOT NULL,
    subject              text        NOT NULL CHECK (subject IN ('everything', 'key', 'team', 'alias', 'key_alias', 'provider', 'account', 'account_model')),
    key_id               uuid        REFERENCES virtual_key (id) DEFERRABLE INITIALLY DEFERRED,
    team_id              uuid        REFERENCES team (id) DEFERRABLE INITIALLY DEFERRED,
    account_id           uuid        REFERENCES account (id) DEFERRABLE INITIALLY DEFERRED,
    provider             text        COLLATE "C" REFERENCES provider (name) DEFERRABLE INITIALLY DEFERRED,
    alias                text        COLLATE "C",
    model                text        COLLATE "C",
    rule                 text        NOT NULL CHECK (rule IN ('bucket', 'window_strict', 'calendar', 'grant', 'tokens_per_request', 'in_flight')),
    amount               bigint      NOT NULL CHECK (amount > 0),
    measure              text        CHECK (measure IN ('requests', 'tokens', 'cost')),
    input_percent        int,
    cached_input_percent int,
    cache_write_percent  int,
    output_percent       int,
    period               text        CHECK (period IN ('minute', 'hour', 'day', 'week', 'month')),
    time_zone            text,
    reset_minute         int,
    mode                 text        NOT NULL CHECK (mode IN ('strict', 'availability')),
    action               text        NOT NULL CHECK (action IN ('enforce', 'shadow')),
    warn_percent         int,
    switch_percent       int,
    queue_ms             bigint      NOT NULL,
    revision             bigint      NOT NULL,
    created_at           timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX limit_rule_revision ON limit_rule (revision);
CREATE INDEX limit_rule_key ON limit_rule (key_id) WHERE key_id IS NOT NULL;
CREATE INDEX limit_rule_team ON limit_rule (team_id) WHERE team_id IS NOT NULL;
CREATE INDEX limit_rule_account ON limit_rule (account_id) WHERE account_id IS NOT NULL;
CREATE INDEX limit_rule_provider ON limit_rule (provider) WHERE provider IS NOT NULL;
CREATE INDEX limit_rule_alias ON limit_rule (alias) WHERE alias IS NOT NULL;

-- One of each: a bucket and a strict window of the same time are two ways to say the same.
CREATE UNIQUE INDEX limit_rule_identity ON limit_rule (
    subject,
    (coalesce(key_id, team_id, account_id, '00000000-0000-0000-0000-000000000000'::uuid)),
    (coalesce(alias, provider, model, '')),
    (CASE rule WHEN 'window_strict' THEN 'bucket' ELSE rule END),
    (coalesce(measure, '')),
    (coalesce(period, '')),
    action
);

-- In nano-dollars per million tokens; all four or none: an unknown price is not nothing.
ALTER TABLE model
    ADD COLUMN input_nanousd        bigint,
    ADD COLUMN cached_input_nanousd bigint,
    ADD COLUMN cache_write_nanousd  bigint,
    ADD COLUMN output_nanousd       bigint,
    ADD COLUMN max_output_tokens    bigint;

ALTER TABLE account ADD COLUMN keep_output_open boolean NOT NULL DEFAULT false;

ALTER TABLE settings
    ADD COLUMN default_output_tokens bigint NOT NULL DEFAULT 4096,
    ADD COLUMN fallback_proxies      bigint NOT NULL DEFAULT 16;

-- Who lends: the claim lasts until `expires_at`, and `epoch` counts claims.
CREATE TABLE quota_leader (
    id         int         PRIMARY KEY CHECK (id = 1),
    holder     uuid,
    epoch      bigint      NOT NULL,
    address    text        NOT NULL,
    expires_at timestamptz NOT NULL,
    since      timestamptz NOT NULL
);

-- Who may hold what a leader lent: written before the first grant to it.
CREATE TABLE quota_holder (
    proxy_id uuid,
    boot_id  uuid,
    epoch    bigint NOT NULL,
    PRIMARY KEY (proxy_id, boot_id)
);

-- What was taken of each window before it was lent, in thousandths of the limit's unit.
-- `window_start` is in seconds since the epoch; 0 stands for ever.
CREATE TABLE window_ledger (
    limit_id       uuid,
    generation     int,
    window_start   bigint,
    granted_milli  bigint      NOT NULL DEFAULT 0,
    returned_milli bigint      NOT NULL DEFAULT 0,
    total_milli    bigint      NOT NULL,
    ends_at        timestamptz,
    PRIMARY KEY (limit_id, generation, window_start)
);

-- What a leader that ended as planned left in its pools, for the one of the next epoch and
-- nobody else. Three columns of a list; limits that are not in it are as if they had been
-- empty `others_empty_us` ago, or, without that, as if nobody had ever used them.
CREATE TABLE quota_estate (
    epoch           bigint   PRIMARY KEY,
    limit_ids       uuid[]   NOT NULL,
    generations     bigint[] NOT NULL,
    levels_milli    bigint[] NOT NULL,
    others_empty_us bigint
);
