-- Of each number, as many rows come as the document holds beyond what is stored.
INSERT INTO @schema@.customer_profile_phone_numbers (customer_profile_id, type, number)
SELECT s.id,
       split_part(wanted.phone, ' ', 1)::@schema@.customer_profile_phone_numbers_type_enum,
       substr(wanted.phone, strpos(wanted.phone, ' ') + 1)
FROM pg_temp.profile_loader_staged AS s
JOIN unnest($1::bigint[]) AS chosen (seq) ON chosen.seq = s.seq
CROSS JOIN LATERAL (
    SELECT u.phone, u.position,
           row_number() OVER (PARTITION BY u.phone COLLATE "C" ORDER BY u.position) AS nth
    FROM unnest(s.phones) WITH ORDINALITY AS u (phone, position)
) AS wanted
WHERE wanted.nth > (
    SELECT count(*) FROM @schema@.customer_profile_phone_numbers AS r
    WHERE r.customer_profile_id = s.id AND (r.type::text || ' ' || r.number) COLLATE "C" = wanted.phone)
ORDER BY s.id, wanted.position
