-- The four tables. Names are unqualified: the search path says which schema they are made in.

-- gen_random_uuid() is built in since PostgreSQL 13, so the extension may be missing there.
DO $$
BEGIN
    CREATE EXTENSION IF NOT EXISTS "pgcrypto";
EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
    IF current_setting('server_version_num')::integer < 130000 THEN
        RAISE EXCEPTION 'the extension pgcrypto, which this server needs for gen_random_uuid(), can''t be created: %', SQLERRM
            USING ERRCODE = 'insufficient_privilege',
                  HINT = format('CREATE EXTENSION "pgcrypto"; -- as a superuser in database %I', current_database());
    END IF;
    RAISE NOTICE 'going on without the extension pgcrypto, gen_random_uuid() is built in: %', SQLERRM;
END
$$;

CREATE TABLE customer_profiles (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    first_name text NOT NULL,
    middle_name text NULL,
    last_name text NOT NULL,
    marketing_emails_enabled boolean NOT NULL,
    two_factor_enabled boolean NOT NULL,
    CONSTRAINT pk_customer_profiles PRIMARY KEY (id)
);

CREATE TABLE customer_profile_addresses (
    customer_profile_id uuid NOT NULL,
    line1 text NOT NULL,
    line2 text NULL,
    city text NOT NULL,
    state text NOT NULL,
    postal_code text NOT NULL,
    country varchar(2) NOT NULL,
    CONSTRAINT pk_customer_profile_addresses PRIMARY KEY (customer_profile_id),
    CONSTRAINT fk_customer_profile_addresses__customer_profile_id
        FOREIGN KEY (customer_profile_id) REFERENCES customer_profiles (id) ON DELETE CASCADE
);

CREATE TABLE customer_profile_emails (
    id bigserial NOT NULL,
    customer_profile_id uuid NOT NULL,
    email varchar(320) NOT NULL,
    CONSTRAINT pk_customer_profile_emails PRIMARY KEY (id),
    CONSTRAINT uq_customer_profile_emails__customer_profile_id__email UNIQUE (customer_profile_id, email),
    CONSTRAINT fk_customer_profile_emails__customer_profile_id
        FOREIGN KEY (customer_profile_id) REFERENCES customer_profiles (id) ON DELETE CASCADE
);

CREATE INDEX ix_customer_profile_emails__customer_profile_id
    ON customer_profile_emails (customer_profile_id);

CREATE TYPE customer_profile_phone_numbers_type_enum AS ENUM ('mobile', 'home', 'work', 'other');

CREATE TABLE customer_profile_phone_numbers (
    id bigserial NOT NULL,
    customer_profile_id uuid NOT NULL,
    type customer_profile_phone_numbers_type_enum NOT NULL,
    number varchar(16) NOT NULL,
    CONSTRAINT pk_customer_profile_phone_numbers PRIMARY KEY (id),
    CONSTRAINT fk_customer_profile_phone_numbers__customer_profile_id
        FOREIGN KEY (customer_profile_id) REFERENCES customer_profiles (id) ON DELETE CASCADE
);

CREATE INDEX ix_customer_profile_phone_numbers__customer_profile_id
    ON customer_profile_phone_numbers (customer_profile_id);
