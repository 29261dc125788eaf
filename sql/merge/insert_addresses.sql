INSERT INTO @schema@.customer_profile_addresses
    (customer_profile_id, line1, line2, city, state, postal_code, country)
SELECT s.id, s.line1, s.line2, s.city, s.state, s.postal_code, s.country
FROM pg_temp.profile_loader_staged AS s
WHERE s.ctid = ANY ($1::tid[]) AND s.line1 IS NOT NULL
ORDER BY s.id
