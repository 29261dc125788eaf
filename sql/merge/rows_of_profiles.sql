SELECT s.seq, s.id, s.first_name, s.middle_name, s.last_name, s.marketing_emails_enabled, s.two_factor_enabled
FROM pg_temp.profile_loader_staged AS s
WHERE s.seq IN (SELECT chosen.seq FROM unnest($1::bigint[]) AS chosen (seq))
