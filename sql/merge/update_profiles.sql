-- Brings the chosen profiles to what the documents say; `expected` is how many rows differ.
WITH difference AS MATERIALIZED (
    SELECT s.id, s.first_name, s.middle_name, s.last_name, s.marketing_emails_enabled, s.two_factor_enabled
    FROM pg_temp.profile_loader_staged AS s
    CROSS JOIN LATERAL (
        SELECT r.first_name COLLATE "C" AS first_name, r.middle_name COLLATE "C" AS middle_name,
               r.last_name COLLATE "C" AS last_name, r.marketing_emails_enabled, r.two_factor_enabled
        FROM @schema@.customer_profiles AS r WHERE r.id = s.id OFFSET 0
    ) AS p
    WHERE s.ctid = ANY ($1::tid[])
      AND (p.first_name COLLATE "C", p.middle_name COLLATE "C", p.last_name COLLATE "C",
           p.marketing_emails_enabled, p.two_factor_enabled)
          IS DISTINCT FROM
          (s.first_name, s.middle_name, s.last_name, s.marketing_emails_enabled, s.two_factor_enabled)
),
updated AS (
    UPDATE @schema@.customer_profiles AS t
    SET first_name = d.first_name, middle_name = d.middle_name, last_name = d.last_name,
        marketing_emails_enabled = d.marketing_emails_enabled, two_factor_enabled = d.two_factor_enabled
    FROM difference AS d
    WHERE t.id = d.id
    RETURNING 1
)
SELECT (SELECT count(*) FROM updated) AS rows, (SELECT count(*) FROM difference) AS expected
