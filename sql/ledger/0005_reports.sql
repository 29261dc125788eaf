-- The report of a run that came to its end, as JSON. Its length has a bound. No value of a document is in it.
CREATE TABLE profile_loader.run_reports (
    run_id bigint NOT NULL,
    report text NOT NULL,
    CONSTRAINT pk_run_reports PRIMARY KEY (run_id),
    CONSTRAINT fk_run_reports__run_id FOREIGN KEY (run_id) REFERENCES profile_loader.runs ON DELETE CASCADE
);

UPDATE profile_loader.ledger SET version = 5;
