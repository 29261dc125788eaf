-- The runs that load a plan: one for each part, and the plan's own, whose part is -1. It is there before the others, has
-- what was dropped of the tables, and ends once all of them have. A plan that is abandoned has no rows here.
CREATE TABLE profile_loader.run_parts (
    run_id bigint NOT NULL,
    db_schema text NOT NULL,
    -- Its digest.
    plan text NOT NULL,
    part integer NOT NULL,
    -- The parts that are loaded into this database: so many, from the first one on.
    first_part integer NOT NULL,
    parts integer NOT NULL,
    CONSTRAINT pk_run_parts PRIMARY KEY (run_id),
    CONSTRAINT uq_run_parts__part UNIQUE (db_schema, plan, part),
    CONSTRAINT fk_run_parts__run_id FOREIGN KEY (run_id) REFERENCES profile_loader.runs ON DELETE CASCADE
);

-- Documents that a part of a bulk load has deferred until the indexes stand again, in blocks that are cut anywhere. Kept
-- until the plan's own run ends.
CREATE TABLE profile_loader.run_deferred (
    run_id bigint NOT NULL,
    number integer NOT NULL,
    blocks bytea NOT NULL,
    CONSTRAINT pk_run_deferred PRIMARY KEY (run_id, number),
    CONSTRAINT fk_run_deferred__run_id FOREIGN KEY (run_id) REFERENCES profile_loader.runs ON DELETE CASCADE
);

UPDATE profile_loader.ledger SET version = 8;
