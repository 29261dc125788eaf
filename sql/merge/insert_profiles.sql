-- In the order of the ids, as every session should that inserts several.
INSERT INTO @schema@.customer_profiles
    (id, first_name, middle_name, last_name, marketing_emails_enabled, two_factor_enabled)
SELECT s.id, s.first_name, s.middle_name, s.last_name, s.marketing_emails_enabled, s.two_factor_enabled
FROM pg_temp.profile_loader_staged AS s
WHERE s.ctid = ANY ($1::tid[])
ORDER BY s.id
ON CONFLICT (id) DO NOTHING
RETURNING id
