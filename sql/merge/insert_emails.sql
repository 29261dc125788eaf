INSERT INTO @schema@.customer_profile_emails (customer_profile_id, email)
SELECT s.id, u.email
FROM pg_temp.profile_loader_staged AS s
CROSS JOIN LATERAL unnest(s.emails) WITH ORDINALITY AS u (email, position)
WHERE s.ctid = ANY ($1::tid[])
ORDER BY s.id, u.position
