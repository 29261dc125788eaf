UPDATE @schema@.customer_profile_addresses AS t
SET line1 = s.line1, line2 = s.line2, city = s.city, state = s.state,
    postal_code = s.postal_code, country = s.country
FROM pg_temp.profile_loader_staged AS s
JOIN unnest($1::bigint[]) AS chosen (seq) ON chosen.seq = s.seq
WHERE t.customer_profile_id = s.id
  AND s.line1 IS NOT NULL
  AND (t.line1 COLLATE "C", t.line2 COLLATE "C", t.city COLLATE "C", t.state COLLATE "C",
       t.postal_code COLLATE "C", t.country::text COLLATE "C")
      IS DISTINCT FROM (s.line1, s.line2, s.city, s.state, s.postal_code, s.country)
