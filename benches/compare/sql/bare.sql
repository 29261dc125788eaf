-- Takes off what the limit builds afterwards.
ALTER TABLE customer_profile_addresses
    DROP CONSTRAINT fk_customer_profile_addresses__customer_profile_id,
    DROP CONSTRAINT pk_customer_profile_addresses;
ALTER TABLE customer_profile_emails
    DROP CONSTRAINT fk_customer_profile_emails__customer_profile_id,
    DROP CONSTRAINT uq_customer_profile_emails__customer_profile_id__email,
    DROP CONSTRAINT pk_customer_profile_emails;
ALTER TABLE customer_profile_phone_numbers
    DROP CONSTRAINT fk_customer_profile_phone_numbers__customer_profile_id,
    DROP CONSTRAINT pk_customer_profile_phone_numbers;
ALTER TABLE customer_profiles DROP CONSTRAINT pk_customer_profiles;
DROP INDEX ix_customer_profile_emails__customer_profile_id;
DROP INDEX ix_customer_profile_phone_numbers__customer_profile_id;
