ALTER TABLE customer_profile_emails ADD CONSTRAINT pk_customer_profile_emails PRIMARY KEY (id);
ALTER TABLE customer_profile_emails
    ADD CONSTRAINT uq_customer_profile_emails__customer_profile_id__email UNIQUE (customer_profile_id, email);
CREATE INDEX ix_customer_profile_emails__customer_profile_id ON customer_profile_emails (customer_profile_id);
