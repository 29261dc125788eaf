INSERT INTO @schema@.customer_profile_addresses
    (customer_profile_id, line1, line2, city, state, postal_code, country)
SELECT s.id, s.line1, s.line2, s.city, s.state, s.postal_code, s.country
FROM pg_temp.profile_loader_staged AS s
JOIN unnest($1::bigint[]) AS chosen (seq) ON chosen.seq = s.seq
WHERE s.line1 IS NOT NULL
  AND NOT EXISTS (
      SELECT FROM @schema@.customer_profile_addresses AS t WHERE t.customer_profile_id = s.id OFFSET 0)
ORDER BY s.id
