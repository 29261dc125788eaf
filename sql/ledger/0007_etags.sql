-- The ETags of inputs that came over the network, as their servers gave them.
CREATE TABLE profile_loader.run_etags (
    run_id bigint NOT NULL,
    -- As in run_inputs.
    position integer NOT NULL,
    etag text NOT NULL,
    CONSTRAINT pk_run_etags PRIMARY KEY (run_id, position),
    CONSTRAINT fk_run_etags__run_id FOREIGN KEY (run_id) REFERENCES profile_loader.runs ON DELETE CASCADE
);

UPDATE profile_loader.ledger SET version = 7;
