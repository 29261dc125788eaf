"""Loads the NDJSON file argv[1] into the four tables of the PostgreSQL database argv[2] with DuckDB, two threads.

No schema is checked. Prints the number of documents. With argv[1] empty, only sees whether the extension is there:
it is loaded as DuckDB has it, or from the Python package duckdb-ext-postgres.
"""

import glob
import json
import os
import sys

import duckdb
from duckdb_columns import COLUMNS

connection = duckdb.connect(config={"threads": 2, "autoinstall_known_extensions": False})


def load_extension():
    try:
        connection.execute("LOAD postgres")
        return
    except duckdb.Error:
        for folder in sys.path:
            pattern = f"duckdb_ext/extensions/v{duckdb.__version__}/*/postgres_scanner.duckdb_extension"
            for file in glob.glob(os.path.join(folder, pattern)):
                connection.execute(f"LOAD '{file}'")
                return
        raise


load_extension()
if not sys.argv[1]:
    sys.exit()
connection.execute(f"ATTACH '{sys.argv[2]}' AS target (TYPE postgres)")
read = f"read_json('{sys.argv[1]}', format = 'newline_delimited', columns = {COLUMNS})"
connection.execute(f"CREATE TEMPORARY TABLE documents AS FROM {read}")
connection.execute(
    """INSERT INTO target.customer_profiles
           (id, first_name, middle_name, last_name, marketing_emails_enabled, two_factor_enabled)
       SELECT id, firstName, middleName, lastName, privacySettings.marketingEmailsEnabled,
              privacySettings.twoFactorEnabled
       FROM documents"""
)
connection.execute(
    """INSERT INTO target.customer_profile_addresses
           (customer_profile_id, line1, line2, city, state, postal_code, country)
       SELECT id, address.line1, address.line2, address.city, address.state, address.postalCode, address.country
       FROM documents WHERE address IS NOT NULL"""
)
connection.execute(
    """INSERT INTO target.customer_profile_emails (customer_profile_id, email)
       SELECT id, unnest(emails) FROM documents"""
)
connection.execute(
    """INSERT INTO target.customer_profile_phone_numbers (customer_profile_id, type, number)
       SELECT id, phone.type, phone.number
       FROM (SELECT id, unnest(phoneNumbers) AS phone FROM documents)"""
)
print(json.dumps({"documents": connection.execute("SELECT count(*) FROM documents").fetchone()[0]}))
