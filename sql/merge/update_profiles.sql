UPDATE @schema@.customer_profiles AS t
SET first_name = s.first_name, middle_name = s.middle_name, last_name = s.last_name,
    marketing_emails_enabled = s.marketing_emails_enabled, two_factor_enabled = s.two_factor_enabled
FROM pg_temp.profile_loader_staged AS s
JOIN unnest($1::bigint[]) AS chosen (seq) ON chosen.seq = s.seq
WHERE t.id = s.id
  AND (t.first_name COLLATE "C", t.middle_name COLLATE "C", t.last_name COLLATE "C",
       t.marketing_emails_enabled, t.two_factor_enabled)
      IS DISTINCT FROM
      (s.first_name, s.middle_name, s.last_name, s.marketing_emails_enabled, s.two_factor_enabled)
