-- The role that loads as in nightly.toml, with what it needs and no more. psql -f role.sql, as a role that owns tables and ledger
-- and may create roles, after `profile-loader migrate up`; again after an upgrade. Its password: \password profile_loader
\set ON_ERROR_STOP on
\set QUIET on

SELECT 'CREATE ROLE profile_loader LOGIN' WHERE to_regrole('profile_loader') IS NULL \gexec

SELECT format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO profile_loader', current_database()) \gexec

GRANT USAGE ON SCHEMA public TO profile_loader;
GRANT SELECT, INSERT, UPDATE, DELETE
    ON customer_profiles, customer_profile_addresses, customer_profile_emails, customer_profile_phone_numbers
    TO profile_loader;
GRANT USAGE ON SEQUENCE customer_profile_emails_id_seq, customer_profile_phone_numbers_id_seq TO profile_loader;

-- The ledger: what was loaded, and what is unfinished.
GRANT USAGE ON SCHEMA profile_loader TO profile_loader;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA profile_loader TO profile_loader;
REVOKE INSERT, UPDATE, DELETE ON profile_loader.migrations, profile_loader.ledger FROM profile_loader;
