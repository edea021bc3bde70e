-- What operators edit, but for keys. `revision` is the one that last wrote the row.
-- References are checked when a change is compiled; the foreign keys are a second
-- net, deferred because one change may write both sides in any order.

CREATE TABLE provider (
    name           text        COLLATE "C" PRIMARY KEY,
    title          text        NOT NULL,
    endpoints      jsonb       NOT NULL,
    env_var        text,
    model_patterns text[]      NOT NULL,
    aggregator     boolean     NOT NULL,
    docs_url       text        NOT NULL,
    built_in       boolean     NOT NULL,
    revision       bigint      NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX provider_revision ON provider (revision);

-- `sealed_*` are AES-256-GCM with (table, row, column, secret_version) as associated data.
CREATE TABLE account (
    id                    uuid        PRIMARY KEY,
    name                  text        COLLATE "C" NOT NULL UNIQUE,
    provider              text        COLLATE "C" NOT NULL REFERENCES provider (name) DEFERRABLE INITIALLY DEFERRED,
    sealed_credential     bytea,
    sealed_proxy          bytea,
    secret_version        bigint      NOT NULL,
    base_urls             jsonb       NOT NULL,
    enabled               boolean     NOT NULL,
    connect_timeout_ms    bigint      NOT NULL,
    first_byte_timeout_ms bigint      NOT NULL,
    idle_timeout_ms       bigint      NOT NULL,
    extra_headers         jsonb       NOT NULL,
    ask_stream_usage      boolean     NOT NULL,
    revision              bigint      NOT NULL,
    created_at            timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX account_revision ON account (revision);
CREATE INDEX account_provider ON account (provider);

CREATE TABLE model (
    provider   text        COLLATE "C" NOT NULL REFERENCES provider (name) DEFERRABLE INITIALLY DEFERRED,
    name       text        COLLATE "C" NOT NULL,
    operations text[]      NOT NULL,
    built_in   boolean     NOT NULL,
    revision   bigint      NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (provider, name)
);
CREATE INDEX model_revision ON model (revision);

-- `tiers` names accounts by id, so that a rename of one day would not touch routes.
CREATE TABLE route (
    alias      text        COLLATE "C" PRIMARY KEY,
    tiers      jsonb       NOT NULL,
    enabled    boolean     NOT NULL,
    revision   bigint      NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX route_revision ON route (revision);

CREATE TABLE settings (
    id                  int         PRIMARY KEY CHECK (id = 1),
    max_attempts        bigint      NOT NULL,
    attempt_deadline_ms bigint      NOT NULL,
    reveal_route        boolean     NOT NULL,
    revision            bigint      NOT NULL,
    created_at          timestamptz NOT NULL DEFAULT now()
);
