-- The nightly merge as a careful administrator would write it: the delta's documents replace the stored ones,
-- unchanged rows are left alone; set by set, one transaction, one connection.
--
-- Run in the folder of the delta's COPY files.
\set ON_ERROR_STOP 1
SET work_mem = '64MB';
BEGIN;

CREATE TEMPORARY TABLE new_profiles (LIKE customer_profiles) ON COMMIT DROP;
CREATE TEMPORARY TABLE new_addresses (LIKE customer_profile_addresses) ON COMMIT DROP;
CREATE TEMPORARY TABLE new_emails (customer_profile_id uuid, email varchar(320)) ON COMMIT DROP;
CREATE TEMPORARY TABLE new_phone_numbers (
    customer_profile_id uuid,
    type customer_profile_phone_numbers_type_enum,
    number varchar(16)
) ON COMMIT DROP;
\copy new_profiles from 'profiles.copy' with (format binary)
\copy new_addresses from 'addresses.copy' with (format binary)
\copy new_emails from 'emails.copy' with (format binary)
\copy new_phone_numbers from 'phone_numbers.copy' with (format binary)
ANALYZE new_profiles;
ANALYZE new_addresses;
ANALYZE new_emails;
ANALYZE new_phone_numbers;

INSERT INTO customer_profiles
SELECT new.* FROM new_profiles AS new
WHERE NOT EXISTS (SELECT 1 FROM customer_profiles AS old WHERE old.id = new.id);
UPDATE customer_profiles AS old
SET first_name = new.first_name,
    middle_name = new.middle_name,
    last_name = new.last_name,
    marketing_emails_enabled = new.marketing_emails_enabled,
    two_factor_enabled = new.two_factor_enabled
FROM new_profiles AS new
WHERE old.id = new.id
  AND (old.first_name, old.middle_name, old.last_name, old.marketing_emails_enabled, old.two_factor_enabled)
      IS DISTINCT FROM
      (new.first_name, new.middle_name, new.last_name, new.marketing_emails_enabled, new.two_factor_enabled);

DELETE FROM customer_profile_addresses AS old USING new_profiles AS profile
WHERE old.customer_profile_id = profile.id
  AND NOT EXISTS (SELECT 1 FROM new_addresses AS new WHERE new.customer_profile_id = profile.id);
UPDATE customer_profile_addresses AS old
SET line1 = new.line1,
    line2 = new.line2,
    city = new.city,
    state = new.state,
    postal_code = new.postal_code,
    country = new.country
FROM new_addresses AS new
WHERE old.customer_profile_id = new.customer_profile_id
  AND (old.line1, old.line2, old.city, old.state, old.postal_code, old.country)
      IS DISTINCT FROM (new.line1, new.line2, new.city, new.state, new.postal_code, new.country);
INSERT INTO customer_profile_addresses
SELECT new.* FROM new_addresses AS new
WHERE NOT EXISTS (
    SELECT 1 FROM customer_profile_addresses AS old WHERE old.customer_profile_id = new.customer_profile_id
);

DELETE FROM customer_profile_emails AS old USING new_profiles AS profile
WHERE old.customer_profile_id = profile.id
  AND NOT EXISTS (
      SELECT 1 FROM new_emails AS new
      WHERE new.customer_profile_id = old.customer_profile_id AND new.email = old.email
  );
INSERT INTO customer_profile_emails (customer_profile_id, email)
SELECT new.* FROM new_emails AS new
WHERE NOT EXISTS (
    SELECT 1 FROM customer_profile_emails AS old
    WHERE old.customer_profile_id = new.customer_profile_id AND old.email = new.email
);

-- A number may be there more than once: the nth of the old is kept for the nth of the new.
WITH old AS (
    SELECT number.id, number.customer_profile_id, number.type, number.number,
           row_number() OVER (
               PARTITION BY number.customer_profile_id, number.type, number.number ORDER BY number.id
           ) AS nth
    FROM customer_profile_phone_numbers AS number
    JOIN new_profiles AS profile ON profile.id = number.customer_profile_id
), new AS (
    SELECT customer_profile_id, type, number,
           row_number() OVER (PARTITION BY customer_profile_id, type, number) AS nth
    FROM new_phone_numbers
), deleted AS (
    DELETE FROM customer_profile_phone_numbers AS number USING old
    WHERE number.id = old.id
      AND NOT EXISTS (
          SELECT 1 FROM new
          WHERE (new.customer_profile_id, new.type, new.number, new.nth)
              = (old.customer_profile_id, old.type, old.number, old.nth)
      )
)
INSERT INTO customer_profile_phone_numbers (customer_profile_id, type, number)
SELECT new.customer_profile_id, new.type, new.number FROM new
WHERE NOT EXISTS (
    SELECT 1 FROM old
    WHERE (new.customer_profile_id, new.type, new.number, new.nth)
        = (old.customer_profile_id, old.type, old.number, old.nth)
);
COMMIT;
