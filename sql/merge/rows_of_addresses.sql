SELECT s.seq, s.id AS customer_profile_id, s.line1, s.line2, s.city, s.state, s.postal_code, s.country
FROM pg_temp.profile_loader_staged AS s
WHERE s.seq IN (SELECT chosen.seq FROM unnest($1::bigint[]) AS chosen (seq)) AND s.line1 IS NOT NULL
