-- Of the chosen documents, those whose id is stored: whether the stored profile holds the same, and which
-- transaction wrote it. OFFSET 0 keeps the lookups what they are: one index probe a document and table,
-- whatever the statistics say. The explicit collation lets columns of any collation be compared, bytewise.
SELECT
    s.seq,
    p.written_by,
    (p.first_name COLLATE "C", p.middle_name COLLATE "C", p.last_name COLLATE "C",
     p.marketing_emails_enabled, p.two_factor_enabled,
     a.line1 COLLATE "C", a.line2 COLLATE "C", a.city COLLATE "C", a.state COLLATE "C",
     a.postal_code COLLATE "C", a.country COLLATE "C")
    IS NOT DISTINCT FROM
    (s.first_name, s.middle_name, s.last_name, s.marketing_emails_enabled, s.two_factor_enabled,
     s.line1, s.line2, s.city, s.state, s.postal_code, s.country)
    AND (e.list = s.emails COLLATE "C"
         OR (cardinality(e.list) = cardinality(s.emails)
             AND ARRAY(SELECT u.item FROM unnest(e.list) AS u (item) ORDER BY u.item COLLATE "C") COLLATE "C"
               = ARRAY(SELECT u.item FROM unnest(s.emails) AS u (item) ORDER BY u.item COLLATE "C")))
    AND (n.list = s.phones COLLATE "C"
         OR (cardinality(n.list) = cardinality(s.phones)
             AND ARRAY(SELECT u.item FROM unnest(n.list) AS u (item) ORDER BY u.item COLLATE "C") COLLATE "C"
               = ARRAY(SELECT u.item FROM unnest(s.phones) AS u (item) ORDER BY u.item COLLATE "C")))
    AS is_identical
FROM pg_temp.profile_loader_staged AS s
JOIN unnest($1::bigint[]) AS chosen (seq) ON chosen.seq = s.seq
CROSS JOIN LATERAL (
    SELECT t.xmin::text AS written_by, t.first_name, t.middle_name, t.last_name,
           t.marketing_emails_enabled, t.two_factor_enabled
    FROM @schema@.customer_profiles AS t WHERE t.id = s.id OFFSET 0
) AS p
LEFT JOIN LATERAL (
    SELECT t.line1, t.line2, t.city, t.state, t.postal_code, t.country::text AS country
    FROM @schema@.customer_profile_addresses AS t WHERE t.customer_profile_id = s.id OFFSET 0
) AS a ON true
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(t.email::text COLLATE "C" ORDER BY t.id), '{}') AS list
    FROM @schema@.customer_profile_emails AS t WHERE t.customer_profile_id = s.id
) AS e
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg((t.type::text || ' ' || t.number) COLLATE "C" ORDER BY t.id), '{}') AS list
    FROM @schema@.customer_profile_phone_numbers AS t WHERE t.customer_profile_id = s.id
) AS n
