"""Checks the NDJSON file argv[1] against the schema argv[2] with sourcemeta's jsonschema, in its fast mode.

Prints the number of valid documents, and the seconds without the copy of the file. Formats are not checked: there
is no such mode for draft-07.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

with tempfile.TemporaryDirectory() as folder:
    # Only a file of this name is read line by line.
    file = os.path.join(folder, "documents.jsonl")
    shutil.copyfile(sys.argv[1], file)
    program = [sys.executable, "-m", "sourcemeta_jsonschema", "validate", sys.argv[2], file, "--fast"]
    begin = time.perf_counter()
    words = subprocess.run(program, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
    seconds = time.perf_counter() - begin
documents = int(re.search(r"(\d+) passed", words).group(1))
print(json.dumps({"documents": documents, "seconds": seconds}))
