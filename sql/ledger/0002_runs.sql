-- Which layout the ledger has: a program that knows older ones only leaves it alone.
CREATE TABLE profile_loader.ledger (
    version integer NOT NULL
);

INSERT INTO profile_loader.ledger (version) VALUES (2);

-- One row for each load, however many attempts it took. Times are the server's.
CREATE TABLE profile_loader.runs (
    id bigint GENERATED ALWAYS AS IDENTITY,
    db_schema text NOT NULL,
    state text NOT NULL,
    -- What shapes the result, so that only the same is resumed.
    strategy text NOT NULL,
    atomic boolean NOT NULL,
    on_existing text NOT NULL,
    json_schema_sha256 text NOT NULL,
    tool_version text NOT NULL,
    lanes integer NOT NULL,
    -- How the input begins: head_digest is that of the first head_bytes of its first source that is not empty.
    head_bytes bigint NOT NULL,
    head_digest text NOT NULL,
    attempts integer NOT NULL DEFAULT 1,
    started_at timestamptz NOT NULL DEFAULT now(),
    attempted_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    started_by text NOT NULL DEFAULT current_user,
    -- Where the last attempt came from; null where it came over a unix socket.
    host text,
    -- As of the end of the last attempt.
    documents_read bigint,
    documents_accepted bigint,
    documents_rejected bigint,
    failure text,
    CONSTRAINT pk_runs PRIMARY KEY (id),
    CONSTRAINT ck_runs__state CHECK (state IN (
        'running', 'interrupted', 'failed',
        'complete', 'complete_with_rejects', 'reject_limit', 'abandoned'
    ))
);

CREATE TABLE profile_loader.run_inputs (
    run_id bigint NOT NULL,
    position integer NOT NULL,
    name text NOT NULL,
    -- Of the decompressed source; null until it was read to its end.
    bytes bigint,
    digest text,
    CONSTRAINT pk_run_inputs PRIMARY KEY (run_id, position),
    CONSTRAINT fk_run_inputs__run_id FOREIGN KEY (run_id) REFERENCES profile_loader.runs ON DELETE CASCADE
);

-- What a lane has committed: written in the transaction that writes the rows.
CREATE TABLE profile_loader.run_lanes (
    run_id bigint NOT NULL,
    lane integer NOT NULL,
    attempt integer NOT NULL,
    -- The watermark: null before the first commit. The offset is that of the decompressed source, the digest
    -- that of the input up to there.
    source integer,
    byte_offset bigint,
    digest text,
    cost_bytes bigint NOT NULL DEFAULT 0,
    -- Documents.
    inserted bigint NOT NULL DEFAULT 0,
    updated bigint NOT NULL DEFAULT 0,
    unchanged bigint NOT NULL DEFAULT 0,
    skipped bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    -- Rows.
    profile_rows bigint NOT NULL DEFAULT 0,
    address_rows bigint NOT NULL DEFAULT 0,
    email_rows bigint NOT NULL DEFAULT 0,
    phone_number_rows bigint NOT NULL DEFAULT 0,
    committed_at timestamptz,
    CONSTRAINT pk_run_lanes PRIMARY KEY (run_id, lane),
    CONSTRAINT fk_run_lanes__run_id FOREIGN KEY (run_id) REFERENCES profile_loader.runs ON DELETE CASCADE,
    CONSTRAINT ck_run_lanes__watermark CHECK (num_nulls(source, byte_offset, digest) IN (0, 3))
);

-- What only the server could find wrong with a document: a replay can't find it again. Kept until the run ends.
CREATE TABLE profile_loader.run_rejections (
    run_id bigint NOT NULL,
    lane integer NOT NULL,
    source integer NOT NULL,
    byte_offset bigint NOT NULL,
    code text NOT NULL,
    message text NOT NULL,
    CONSTRAINT pk_run_rejections PRIMARY KEY (run_id, lane, source, byte_offset),
    CONSTRAINT fk_run_rejections__run_id FOREIGN KEY (run_id) REFERENCES profile_loader.runs ON DELETE CASCADE
);

-- The transactions that inserted profiles: tells a run's own profiles from those that were there. Kept until
-- the run ends.
CREATE TABLE profile_loader.run_transactions (
    run_id bigint NOT NULL,
    lane integer NOT NULL,
    xid bigint NOT NULL,
    CONSTRAINT pk_run_transactions PRIMARY KEY (run_id, lane, xid),
    CONSTRAINT fk_run_transactions__run_id FOREIGN KEY (run_id) REFERENCES profile_loader.runs ON DELETE CASCADE
);
