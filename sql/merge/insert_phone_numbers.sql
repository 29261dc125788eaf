INSERT INTO @schema@.customer_profile_phone_numbers (customer_profile_id, type, number)
SELECT s.id,
       split_part(u.phone, ' ', 1)::@schema@.customer_profile_phone_numbers_type_enum,
       substr(u.phone, strpos(u.phone, ' ') + 1)
FROM pg_temp.profile_loader_staged AS s
CROSS JOIN LATERAL unnest(s.phones) WITH ORDINALITY AS u (phone, position)
WHERE s.ctid = ANY ($1::tid[])
ORDER BY s.id, u.position
