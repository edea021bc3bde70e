-- The catalog's revision, what was deleted at which revision, and who changed what.

-- One row. Every write of the catalog takes its lock first, so that revisions are
-- in the order of the commits, without gaps: a sequence could not promise that.
CREATE TABLE config_meta (
    id          int    PRIMARY KEY CHECK (id = 1),
    incarnation uuid   NOT NULL DEFAULT gen_random_uuid(),
    revision    bigint NOT NULL DEFAULT 0
);
INSERT INTO config_meta (id) VALUES (1);

-- What is gone, so that who was away can be told.
CREATE TABLE tombstone (
    kind     text   NOT NULL,
    id       text   COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE INDEX tombstone_revision ON tombstone (revision);

-- One row for each item that a revision wrote or removed. Ids and names, never a secret.
CREATE TABLE change_log (
    id         bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    revision   bigint      NOT NULL,
    at         timestamptz NOT NULL DEFAULT now(),
    actor_kind text        NOT NULL,
    actor      text        NOT NULL,
    verb       text        NOT NULL CHECK (verb IN ('put', 'delete')),
    kind       text        NOT NULL,
    item       text        NOT NULL,
    name       text        NOT NULL
);
CREATE INDEX change_log_revision ON change_log (revision);

-- A known text sealed with the master key: tells a wrong key before it does harm.
CREATE TABLE vault_check (
    id         int         PRIMARY KEY CHECK (id = 1),
    sealed     bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
