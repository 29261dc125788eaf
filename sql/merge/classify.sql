-- Of the documents looked at, those that the tables don't hold as they are: where they are staged, the
-- transaction that wrote the stored profile (null where the id isn't stored), and in which parts they differ: 1 the
-- profile, 2 the address, 4 the e-mails, 8 the phone numbers. All others are stored and identical; of most
-- documents nothing has to be told.
-- OFFSET 0 keeps the lookups what they are: one index probe a document and table, whatever the statistics say;
-- that of the e-mails reads nothing but the index where VACUUM has been by. The explicit collation lets columns
-- of any collation be compared, bytewise. Lists that differ in their order alone are sorted; e-mails, which no
-- document holds twice, are looked up in each other while they are few: as many of them, and all found, are the same.
SELECT coalesce(array_agg(d.seq), '{}') AS seqs,
       coalesce(array_agg(d.place), '{}') AS places,
       coalesce(array_agg(d.written_by::text::bigint), '{}') AS writers,
       coalesce(array_agg(d.parts), '{}') AS parts
FROM (
    SELECT c.seq, c.place, c.written_by, c.parts
        + CASE WHEN c.stored_emails = c.emails COLLATE "C" THEN 0
               WHEN cardinality(c.stored_emails) <> cardinality(c.emails) THEN 4
               WHEN cardinality(c.stored_emails) <= 16
                   THEN CASE WHEN c.emails COLLATE "C" <@ c.stored_emails THEN 0 ELSE 4 END
               WHEN ARRAY(SELECT u.item FROM unnest(c.stored_emails) AS u (item) ORDER BY u.item COLLATE "C") COLLATE "C"
                    = ARRAY(SELECT u.item FROM unnest(c.emails) AS u (item) ORDER BY u.item COLLATE "C") THEN 0
               ELSE 4 END
        + CASE WHEN c.stored_phones = c.phones COLLATE "C" THEN 0
               WHEN cardinality(c.stored_phones) <> cardinality(c.phones) THEN 8
               WHEN ARRAY(SELECT u.item FROM unnest(c.stored_phones) AS u (item) ORDER BY u.item COLLATE "C") COLLATE "C"
                    = ARRAY(SELECT u.item FROM unnest(c.phones) AS u (item) ORDER BY u.item COLLATE "C") THEN 0
               ELSE 8 END AS parts
    FROM (
        SELECT s.seq, s.ctid AS place, p.written_by, s.emails, s.phones,
            CASE WHEN (p.first_name COLLATE "C", p.middle_name COLLATE "C", p.last_name COLLATE "C",
                       p.marketing_emails_enabled, p.two_factor_enabled)
                      IS DISTINCT FROM
                      (s.first_name, s.middle_name, s.last_name, s.marketing_emails_enabled, s.two_factor_enabled)
                 THEN 1 ELSE 0 END
            + CASE WHEN (a.line1 COLLATE "C", a.line2 COLLATE "C", a.city COLLATE "C", a.state COLLATE "C",
                         a.postal_code COLLATE "C", a.country COLLATE "C")
                        IS DISTINCT FROM (s.line1, s.line2, s.city, s.state, s.postal_code, s.country)
                   THEN 2 ELSE 0 END AS parts,
            ARRAY(SELECT t.email::text COLLATE "C"
                  FROM @schema@.customer_profile_emails AS t WHERE t.customer_profile_id = p.id) AS stored_emails,
            ARRAY(SELECT (t.type::text || ' ' || t.number) COLLATE "C"
                  FROM @schema@.customer_profile_phone_numbers AS t
                  WHERE t.customer_profile_id = p.id) AS stored_phones
        FROM pg_temp.profile_loader_staged AS s
        LEFT JOIN LATERAL (
            SELECT t.id, t.xmin AS written_by, t.first_name, t.middle_name, t.last_name,
                   t.marketing_emails_enabled, t.two_factor_enabled
            FROM @schema@.customer_profiles AS t WHERE t.id = s.id OFFSET 0
        ) AS p ON true
        LEFT JOIN LATERAL (
            SELECT t.line1, t.line2, t.city, t.state, t.postal_code, t.country::text AS country
            FROM @schema@.customer_profile_addresses AS t WHERE t.customer_profile_id = p.id OFFSET 0
        ) AS a ON true
        WHERE @chosen@
        OFFSET 0
    ) AS c
    OFFSET 0
) AS d
WHERE d.parts <> 0
