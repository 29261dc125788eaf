"""Reads the NDJSON file argv[1] into typed columns with DuckDB, two threads. No schema is checked, nothing is kept.

Prints the number of documents, and the seconds of the read alone: without the start of Python and the import.
"""

import json
import sys
import time

import duckdb
from duckdb_columns import COLUMNS

# Every column is counted, or DuckDB would not convert it.
SQL = f"""
    SELECT count(*), count(id), count(firstName), count(middleName), count(lastName), count(emails),
           count(phoneNumbers), count(address), count(privacySettings)
    FROM read_json(?, format = 'newline_delimited', columns = {COLUMNS})"""

connection = duckdb.connect(config={"threads": 2})
begin = time.perf_counter()
documents = connection.execute(SQL, [sys.argv[1]]).fetchone()[0]
print(json.dumps({"documents": documents, "seconds": time.perf_counter() - begin}))
