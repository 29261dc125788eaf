INSERT INTO @schema@.customer_profile_emails (customer_profile_id, email)
SELECT s.id, u.email
FROM pg_temp.profile_loader_staged AS s
JOIN unnest($1::bigint[]) AS chosen (seq) ON chosen.seq = s.seq
CROSS JOIN LATERAL unnest(s.emails) WITH ORDINALITY AS u (email, position)
WHERE NOT EXISTS (
    SELECT FROM @schema@.customer_profile_emails AS t
    WHERE t.customer_profile_id = s.id AND t.email::text COLLATE "C" = u.email OFFSET 0)
ORDER BY s.id, u.position
