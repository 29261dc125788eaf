-- One row a document; `seq` tells them apart and rises in input order. `line1` is null when the document has
-- no address; each of `phones` is the type, a space, and the number.
CREATE TEMPORARY TABLE profile_loader_staged (
    seq bigint NOT NULL,
    id uuid NOT NULL,
    first_name text NOT NULL,
    middle_name text,
    last_name text NOT NULL,
    marketing_emails_enabled boolean NOT NULL,
    two_factor_enabled boolean NOT NULL,
    line1 text,
    line2 text,
    city text,
    state text,
    postal_code text,
    country text,
    emails text[] NOT NULL,
    phones text[] NOT NULL
) ON COMMIT DELETE ROWS
