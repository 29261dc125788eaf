DELETE FROM @schema@.customer_profile_addresses AS t
USING pg_temp.profile_loader_staged AS s
JOIN unnest($1::bigint[]) AS chosen (seq) ON chosen.seq = s.seq
WHERE t.customer_profile_id = s.id AND s.line1 IS NULL
