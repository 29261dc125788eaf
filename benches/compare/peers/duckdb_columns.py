"""The columns of a customer document, as DuckDB's read_json takes them."""

COLUMNS = """{
    id: 'UUID', firstName: 'VARCHAR', middleName: 'VARCHAR', lastName: 'VARCHAR', emails: 'VARCHAR[]',
    phoneNumbers: 'STRUCT("type" VARCHAR, "number" VARCHAR)[]',
    address: 'STRUCT(line1 VARCHAR, line2 VARCHAR, city VARCHAR, state VARCHAR, postalCode VARCHAR,
                     country VARCHAR)',
    privacySettings: 'STRUCT(marketingEmailsEnabled BOOLEAN, twoFactorEnabled BOOLEAN)'
}"""
