-- Brings the phone numbers of the chosen documents to what the documents say, as multisets: of each number, as
-- many rows go as are stored beyond what the document holds (the oldest stay), and as many come as are missing;
-- `expected` is how many rows differ.
-- The FULL JOIN is one that is hashed or merged, never a nested loop: a document may hold thousands.
WITH wanted AS (
    SELECT s.id AS customer_profile_id, u.phone COLLATE "C" AS phone, u.position,
           row_number() OVER (PARTITION BY s.id, u.phone COLLATE "C" ORDER BY u.position) AS nth
    FROM pg_temp.profile_loader_staged AS s
    CROSS JOIN LATERAL unnest(s.phones) WITH ORDINALITY AS u (phone, position)
    WHERE s.ctid = ANY ($1::tid[])
),
stored AS (
    SELECT s.id AS customer_profile_id, r.id, r.phone,
           row_number() OVER (PARTITION BY s.id, r.phone ORDER BY r.id) AS nth
    FROM pg_temp.profile_loader_staged AS s
    CROSS JOIN LATERAL (
        SELECT t.id, (t.type::text || ' ' || t.number) COLLATE "C" AS phone
        FROM @schema@.customer_profile_phone_numbers AS t WHERE t.customer_profile_id = s.id OFFSET 0
    ) AS r
    WHERE s.ctid = ANY ($1::tid[])
),
difference AS MATERIALIZED (
    SELECT stored.id AS surplus, wanted.customer_profile_id, wanted.phone, wanted.position
    FROM stored
    FULL JOIN wanted
        ON wanted.customer_profile_id = stored.customer_profile_id
        AND wanted.phone = stored.phone AND wanted.nth = stored.nth
    WHERE stored.id IS NULL OR wanted.position IS NULL
),
deleted AS (
    DELETE FROM @schema@.customer_profile_phone_numbers AS t
    WHERE t.id = ANY (ARRAY(SELECT d.surplus FROM difference AS d WHERE d.surplus IS NOT NULL))
    RETURNING 1
),
inserted AS (
    INSERT INTO @schema@.customer_profile_phone_numbers (customer_profile_id, type, number)
    SELECT d.customer_profile_id,
           split_part(d.phone, ' ', 1)::@schema@.customer_profile_phone_numbers_type_enum,
           substr(d.phone, strpos(d.phone, ' ') + 1)
    FROM difference AS d
    WHERE d.surplus IS NULL
    ORDER BY d.customer_profile_id, d.position
    RETURNING 1
)
SELECT (SELECT count(*) FROM deleted) + (SELECT count(*) FROM inserted) AS rows,
       (SELECT count(*) FROM difference) AS expected
