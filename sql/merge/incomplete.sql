-- Whether one of the documents written, chosen by where they are staged, lacks rows.
SELECT EXISTS (
    SELECT FROM pg_temp.profile_loader_staged AS s
    WHERE s.ctid = ANY ($1::tid[])
      AND (
          NOT EXISTS (SELECT FROM @schema@.customer_profiles AS t WHERE t.id = s.id)
          OR s.line1 IS NOT NULL AND NOT EXISTS (
              SELECT FROM @schema@.customer_profile_addresses AS t WHERE t.customer_profile_id = s.id
          )
          OR cardinality(s.emails) > (
              SELECT count(*) FROM @schema@.customer_profile_emails AS t WHERE t.customer_profile_id = s.id
          )
          OR cardinality(s.phones) > (
              SELECT count(*) FROM @schema@.customer_profile_phone_numbers AS t WHERE t.customer_profile_id = s.id
          )
      )
) AS are_there
