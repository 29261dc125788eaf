ALTER TABLE customer_profile_phone_numbers
    ADD CONSTRAINT fk_customer_profile_phone_numbers__customer_profile_id
    FOREIGN KEY (customer_profile_id) REFERENCES customer_profiles (id) ON DELETE CASCADE;
