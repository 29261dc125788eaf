SELECT s.seq, s.id AS customer_profile_id,
       split_part(u.phone, ' ', 1)::@schema@.customer_profile_phone_numbers_type_enum AS type,
       substr(u.phone, strpos(u.phone, ' ') + 1) AS number
FROM pg_temp.profile_loader_staged AS s
CROSS JOIN LATERAL unnest(s.phones) AS u (phone)
WHERE s.seq IN (SELECT chosen.seq FROM unnest($1::bigint[]) AS chosen (seq))
