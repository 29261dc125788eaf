"""Counts the documents of the NDJSON file argv[1] with DuckDB, two threads: parsed, but no column is converted.

Prints their number, and the seconds of the query alone: without the start of Python and the import.
"""

import json
import sys
import time

import duckdb
from duckdb_columns import COLUMNS

SQL = f"SELECT count(*) FROM read_json(?, format = 'newline_delimited', columns = {COLUMNS})"

connection = duckdb.connect(config={"threads": 2})
begin = time.perf_counter()
documents = connection.execute(SQL, [sys.argv[1]]).fetchone()[0]
print(json.dumps({"documents": documents, "seconds": time.perf_counter() - begin}))
