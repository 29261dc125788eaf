-- Brings the addresses of the chosen documents to what the documents say: one that the document lacks goes,
-- one that is missing comes, one that differs is rewritten; `expected` is how many rows differ.
WITH difference AS MATERIALIZED (
    SELECT s.id, s.line1, s.line2, s.city, s.state, s.postal_code, s.country,
           a.customer_profile_id IS NOT NULL AS is_stored
    FROM pg_temp.profile_loader_staged AS s
    LEFT JOIN LATERAL (
        SELECT r.customer_profile_id, r.line1, r.line2, r.city, r.state, r.postal_code, r.country::text AS country
        FROM @schema@.customer_profile_addresses AS r WHERE r.customer_profile_id = s.id OFFSET 0
    ) AS a ON true
    WHERE s.ctid = ANY ($1::tid[])
      AND (a.line1 COLLATE "C", a.line2 COLLATE "C", a.city COLLATE "C", a.state COLLATE "C",
           a.postal_code COLLATE "C", a.country COLLATE "C")
          IS DISTINCT FROM (s.line1, s.line2, s.city, s.state, s.postal_code, s.country)
),
deleted AS (
    DELETE FROM @schema@.customer_profile_addresses AS t
    WHERE t.customer_profile_id = ANY (ARRAY(SELECT d.id FROM difference AS d WHERE d.line1 IS NULL))
    RETURNING 1
),
updated AS (
    UPDATE @schema@.customer_profile_addresses AS t
    SET line1 = d.line1, line2 = d.line2, city = d.city, state = d.state,
        postal_code = d.postal_code, country = d.country
    FROM difference AS d
    WHERE t.customer_profile_id = d.id AND d.is_stored AND d.line1 IS NOT NULL
    RETURNING 1
),
inserted AS (
    INSERT INTO @schema@.customer_profile_addresses
        (customer_profile_id, line1, line2, city, state, postal_code, country)
    SELECT d.id, d.line1, d.line2, d.city, d.state, d.postal_code, d.country
    FROM difference AS d
    WHERE NOT d.is_stored
    ORDER BY d.id
    RETURNING 1
)
SELECT (SELECT count(*) FROM deleted) + (SELECT count(*) FROM updated) + (SELECT count(*) FROM inserted) AS rows,
       (SELECT count(*) FROM difference) AS expected
