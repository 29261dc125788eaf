SELECT s.seq, s.id AS customer_profile_id, u.email
FROM pg_temp.profile_loader_staged AS s
CROSS JOIN LATERAL unnest(s.emails) AS u (email)
WHERE s.seq IN (SELECT chosen.seq FROM unnest($1::bigint[]) AS chosen (seq))
