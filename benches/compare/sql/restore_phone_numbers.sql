ALTER TABLE customer_profile_phone_numbers ADD CONSTRAINT pk_customer_profile_phone_numbers PRIMARY KEY (id);
CREATE INDEX ix_customer_profile_phone_numbers__customer_profile_id
    ON customer_profile_phone_numbers (customer_profile_id);
