-- For whoever asked for it (--rejects-table): a row for each fault of a rejected document of a run that has come to its end.
-- No value of a document is in it.
CREATE TABLE profile_loader.rejected_documents (
    run_id bigint NOT NULL,
    -- Of the run's rejects.ndjson, where the document begins: its number within the run.
    reject_line bigint NOT NULL,
    -- Of the document, from 1.
    fault integer NOT NULL,
    source text NOT NULL,
    line bigint NOT NULL,
    -- In the decompressed source.
    byte_offset bigint NOT NULL,
    code text NOT NULL,
    pointer text NOT NULL,
    CONSTRAINT pk_rejected_documents PRIMARY KEY (run_id, reject_line, fault),
    CONSTRAINT fk_rejected_documents__run_id FOREIGN KEY (run_id) REFERENCES profile_loader.runs ON DELETE CASCADE
);

UPDATE profile_loader.ledger SET version = 6;
