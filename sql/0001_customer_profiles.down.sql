-- Children first. No CASCADE: what others built on the tables stops this. The extension stays: others may use it.
-- The search path holds the tables' schema alone, so IF EXISTS can't reach tables of another one.
DROP TABLE IF EXISTS customer_profile_phone_numbers;
DROP TABLE IF EXISTS customer_profile_emails;
DROP TABLE IF EXISTS customer_profile_addresses;
DROP TABLE IF EXISTS customer_profiles;
DROP TYPE IF EXISTS customer_profile_phone_numbers_type_enum;
