-- What a bulk load has taken off the four tables, as the statements that bring it back; a statement is done when
-- those named in `after` are and restored_at says so. Kept until the run ends.
CREATE TABLE profile_loader.run_ddl (
    run_id bigint NOT NULL,
    step integer NOT NULL,
    table_name text NOT NULL,
    -- For people: what the statement brings back.
    label text NOT NULL,
    sql text NOT NULL,
    after integer[] NOT NULL,
    restored_at timestamptz,
    CONSTRAINT pk_run_ddl PRIMARY KEY (run_id, step),
    CONSTRAINT fk_run_ddl__run_id FOREIGN KEY (run_id) REFERENCES profile_loader.runs ON DELETE CASCADE
);

-- Documents that the server refused while indexes were off: they are merged when those are back. Kept until the
-- run ends.
CREATE TABLE profile_loader.run_spills (
    run_id bigint NOT NULL,
    lane integer NOT NULL,
    source integer NOT NULL,
    byte_offset bigint NOT NULL,
    CONSTRAINT pk_run_spills PRIMARY KEY (run_id, lane, source, byte_offset),
    CONSTRAINT fk_run_spills__run_id FOREIGN KEY (run_id) REFERENCES profile_loader.runs ON DELETE CASCADE
);

UPDATE profile_loader.ledger SET version = 3;
