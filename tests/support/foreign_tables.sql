-- The four tables as another program makes them: the names that are fixed, foreign keys of other names.
CREATE TYPE customer_profile_phone_numbers_type_enum AS ENUM ('mobile', 'home', 'work', 'other');
CREATE TABLE customer_profiles (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    first_name text NOT NULL,
    middle_name text,
    last_name text NOT NULL,
    marketing_emails_enabled boolean NOT NULL,
    two_factor_enabled boolean NOT NULL,
    CONSTRAINT pk_customer_profiles PRIMARY KEY (id)
);
CREATE TABLE customer_profile_addresses (
    customer_profile_id uuid NOT NULL,
    line1 text NOT NULL,
    line2 text,
    city text NOT NULL,
    state text NOT NULL,
    postal_code text NOT NULL,
    country varchar(2) NOT NULL,
    CONSTRAINT pk_customer_profile_addresses PRIMARY KEY (customer_profile_id),
    CONSTRAINT other_fk_a FOREIGN KEY (customer_profile_id) REFERENCES customer_profiles (id) ON DELETE CASCADE
);
CREATE TABLE customer_profile_emails (
    id bigserial NOT NULL,
    customer_profile_id uuid NOT NULL,
    email varchar(320) NOT NULL,
    CONSTRAINT pk_customer_profile_emails PRIMARY KEY (id),
    CONSTRAINT uq_customer_profile_emails__customer_profile_id__email UNIQUE (customer_profile_id, email),
    CONSTRAINT other_fk_e FOREIGN KEY (customer_profile_id) REFERENCES customer_profiles (id) ON DELETE CASCADE
);
CREATE INDEX ix_customer_profile_emails__customer_profile_id ON customer_profile_emails (customer_profile_id);
CREATE TABLE customer_profile_phone_numbers (
    id bigserial NOT NULL,
    customer_profile_id uuid NOT NULL,
    type customer_profile_phone_numbers_type_enum NOT NULL,
    number varchar(16) NOT NULL,
    CONSTRAINT pk_customer_profile_phone_numbers PRIMARY KEY (id),
    CONSTRAINT other_fk_p FOREIGN KEY (customer_profile_id) REFERENCES customer_profiles (id) ON DELETE CASCADE
);
CREATE INDEX ix_customer_profile_phone_numbers__customer_profile_id
    ON customer_profile_phone_numbers (customer_profile_id);
