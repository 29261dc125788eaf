"""Checks each line of the NDJSON file argv[1] against the schema argv[2] with jsonschema-rs, format checks on.

Prints the number of valid documents.
"""

import json
import sys

import jsonschema_rs

with open(sys.argv[2], encoding="utf-8") as file:
    validator = jsonschema_rs.validator_for(json.load(file), validate_formats=True)
with open(sys.argv[1], "rb") as lines:
    print(json.dumps({"documents": sum(validator.is_valid(json.loads(line)) for line in lines)}))
