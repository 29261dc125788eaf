-- Rows and a digest of the rows of each table, whatever their order; ids that the server gave are left out.
SELECT rows, digest
FROM (
    SELECT 1 AS nth, count(*) AS rows, sum(hashtextextended(t::text, 0)::numeric) AS digest
    FROM (SELECT id, first_name, middle_name, last_name, marketing_emails_enabled, two_factor_enabled
          FROM customer_profiles) AS t
    UNION ALL
    SELECT 2, count(*), sum(hashtextextended(t::text, 0)::numeric)
    FROM (SELECT customer_profile_id, line1, line2, city, state, postal_code, country
          FROM customer_profile_addresses) AS t
    UNION ALL
    SELECT 3, count(*), sum(hashtextextended(t::text, 0)::numeric)
    FROM (SELECT customer_profile_id, email FROM customer_profile_emails) AS t
    UNION ALL
    SELECT 4, count(*), sum(hashtextextended(t::text, 0)::numeric)
    FROM (SELECT customer_profile_id, type, number FROM customer_profile_phone_numbers) AS t
) AS tables
ORDER BY nth;
