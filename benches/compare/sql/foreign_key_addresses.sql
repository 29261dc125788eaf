ALTER TABLE customer_profile_addresses
    ADD CONSTRAINT fk_customer_profile_addresses__customer_profile_id
    FOREIGN KEY (customer_profile_id) REFERENCES customer_profiles (id) ON DELETE CASCADE;
