-- Virtual keys and who owns them. The text of a key is nowhere: only its fingerprint.

CREATE TABLE team (
    id          uuid        PRIMARY KEY,
    name        text        COLLATE "C" NOT NULL UNIQUE,
    description text        NOT NULL,
    revision    bigint      NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX team_revision ON team (revision);

-- The keys of the fingerprints' HMAC, sealed; (table, row, column, version) as associated data.
CREATE TABLE pepper (
    version    bigint      PRIMARY KEY,
    sealed     bytea       NOT NULL,
    revision   bigint      NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE virtual_key (
    id             uuid        PRIMARY KEY,
    name           text        COLLATE "C" NOT NULL,
    team_id        uuid        REFERENCES team (id) DEFERRABLE INITIALLY DEFERRED,
    fingerprint    bytea       NOT NULL CHECK (octet_length(fingerprint) = 32),
    pepper_version bigint      NOT NULL REFERENCES pepper (version) DEFERRABLE INITIALLY DEFERRED,
    hint           text        NOT NULL,
    enabled        boolean     NOT NULL,
    expires_at     timestamptz,
    allowed_models text[]      NOT NULL,
    revision       bigint      NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT virtual_key_name UNIQUE (name),
    CONSTRAINT virtual_key_fingerprint UNIQUE (fingerprint)
);
CREATE INDEX virtual_key_revision ON virtual_key (revision);
CREATE INDEX virtual_key_team ON virtual_key (team_id, name);
