-- Brings the e-mails of the chosen documents to what the documents say, as sets;
-- `expected` is how many rows differ. The FULL JOIN is one that is
-- hashed or merged, never a nested loop: a document may hold thousands.
WITH wanted AS (
    SELECT s.id AS customer_profile_id, u.email COLLATE "C" AS email, u.position
    FROM pg_temp.profile_loader_staged AS s
    CROSS JOIN LATERAL unnest(s.emails) WITH ORDINALITY AS u (email, position)
    WHERE s.ctid = ANY ($1::tid[])
),
stored AS (
    SELECT s.id AS customer_profile_id, r.id, r.email
    FROM pg_temp.profile_loader_staged AS s
    CROSS JOIN LATERAL (
        SELECT t.id, t.email::text COLLATE "C" AS email
        FROM @schema@.customer_profile_emails AS t WHERE t.customer_profile_id = s.id OFFSET 0
    ) AS r
    WHERE s.ctid = ANY ($1::tid[])
),
difference AS MATERIALIZED (
    SELECT stored.id AS surplus, wanted.customer_profile_id, wanted.email, wanted.position
    FROM stored
    FULL JOIN wanted
        ON wanted.customer_profile_id = stored.customer_profile_id AND wanted.email = stored.email
    WHERE stored.id IS NULL OR wanted.position IS NULL
),
deleted AS (
    DELETE FROM @schema@.customer_profile_emails AS t
    WHERE t.id = ANY (ARRAY(SELECT d.surplus FROM difference AS d WHERE d.surplus IS NOT NULL))
    RETURNING 1
),
inserted AS (
    INSERT INTO @schema@.customer_profile_emails (customer_profile_id, email)
    SELECT d.customer_profile_id, d.email
    FROM difference AS d
    WHERE d.surplus IS NULL
    ORDER BY d.customer_profile_id, d.position
    RETURNING 1
)
SELECT (SELECT count(*) FROM deleted) + (SELECT count(*) FROM inserted) AS rows,
       (SELECT count(*) FROM difference) AS expected
