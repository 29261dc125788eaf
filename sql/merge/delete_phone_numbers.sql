-- Of each number, as many rows go as are stored beyond what the document holds; the oldest stay.
DELETE FROM @schema@.customer_profile_phone_numbers AS t
USING (
    SELECT stored.id
    FROM pg_temp.profile_loader_staged AS s
    JOIN unnest($1::bigint[]) AS chosen (seq) ON chosen.seq = s.seq
    CROSS JOIN LATERAL (
        SELECT r.id, (r.type::text || ' ' || r.number) COLLATE "C" AS phone,
               row_number() OVER (PARTITION BY r.type, r.number ORDER BY r.id) AS nth
        FROM @schema@.customer_profile_phone_numbers AS r WHERE r.customer_profile_id = s.id
    ) AS stored
    WHERE stored.nth > (SELECT count(*) FROM unnest(s.phones) AS u (phone) WHERE stored.phone = u.phone COLLATE "C")
) AS surplus
WHERE t.id = surplus.id
