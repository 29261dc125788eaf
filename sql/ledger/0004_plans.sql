-- What was decided about a run as it began: whether its lanes copy straight into the tables; whether documents are
-- loaded in input order by one lane; whether those that a constraint refuses are deferred; and what was dropped of the
-- tables, as the statements that restore it, so that a run that is complete can be shown to have restored it all. Kept
-- until the run ends.
CREATE TABLE profile_loader.run_plans (
    run_id bigint NOT NULL,
    copies boolean NOT NULL,
    in_order boolean NOT NULL,
    defers boolean NOT NULL,
    dropped jsonb NOT NULL,
    CONSTRAINT pk_run_plans PRIMARY KEY (run_id),
    CONSTRAINT fk_run_plans__run_id FOREIGN KEY (run_id) REFERENCES profile_loader.runs ON DELETE CASCADE
);

-- Of runs that an earlier release has begun and not ended.
INSERT INTO profile_loader.run_plans (run_id, copies, in_order, defers, dropped)
SELECT r.id, r.strategy = 'bulk', false, r.strategy = 'bulk', '[]'
FROM profile_loader.runs AS r
WHERE r.state IN ('running', 'interrupted', 'failed');

UPDATE profile_loader.ledger SET version = 4;
