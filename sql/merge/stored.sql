-- The stored profiles of the ids in $1, each with its address, e-mails and phone numbers; an id that is not stored has no
-- row. Compared bytewise by whoever asks, so everything but the id and the flags is text.
-- OFFSET 0 keeps the lookups what they are: one index probe an id and table, whatever the statistics say.
SELECT p.id, p.first_name, p.middle_name, p.last_name, p.marketing_emails_enabled, p.two_factor_enabled,
       a.is_stored IS NOT NULL AS has_address,
       a.line1, a.line2, a.city, a.state, a.postal_code, a.country,
       ARRAY(SELECT t.email::text
             FROM @schema@.customer_profile_emails AS t WHERE t.customer_profile_id = p.id) AS emails,
       ARRAY(SELECT t.type::text || ' ' || t.number
             FROM @schema@.customer_profile_phone_numbers AS t WHERE t.customer_profile_id = p.id) AS phones
FROM unnest($1::uuid[]) AS wanted (id)
CROSS JOIN LATERAL (
    SELECT t.id, t.first_name::text AS first_name, t.middle_name::text AS middle_name, t.last_name::text AS last_name,
           t.marketing_emails_enabled, t.two_factor_enabled
    FROM @schema@.customer_profiles AS t WHERE t.id = wanted.id OFFSET 0
) AS p
LEFT JOIN LATERAL (
    SELECT true AS is_stored, t.line1::text AS line1, t.line2::text AS line2, t.city::text AS city,
           t.state::text AS state, t.postal_code::text AS postal_code, t.country::text AS country
    FROM @schema@.customer_profile_addresses AS t WHERE t.customer_profile_id = p.id OFFSET 0
) AS a ON true
