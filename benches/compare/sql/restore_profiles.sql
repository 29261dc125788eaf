ALTER TABLE customer_profiles ADD CONSTRAINT pk_customer_profiles PRIMARY KEY (id);
ALTER TABLE customer_profile_addresses ADD CONSTRAINT pk_customer_profile_addresses PRIMARY KEY (customer_profile_id);
