"""Loads a plan into PostgreSQL on Apache Spark, each document once.

    profile-loader plan '/lake/customers/*' --parts 64 -o plan.json
    spark-submit examples/spark/load.py --plan plan.json --out /lake/loaded -- --on-existing update

A task checks a split and writes its accepted documents in blocks; Spark brings the blocks of each part to one place, sorted; a task
feeds them to `load --part`. Which documents are in the tables is in the ledger beside them and in one transaction with them, so
whatever Spark does again changes nothing. Inputs, --out and the program have to be there on every machine, and how to reach
the database (a service file or a password file; what stands behind -- is seen by everybody). No Python touches a document.

Writes OUT/report.json and OUT/report.html, OUT/rejects/split-N and OUT/rejects/part-K. The exit code is that of `profile-loader load`.
"""

import argparse
import glob
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

HEADER_BYTES = 44
NO_PART = 2**32 - 1
NOT_TRIED_AGAIN = "is not tried again: exit code "


def failed(what, code, error):
    """Spark tries it again; what comes again however often it is tried has a mark for the driver."""
    words = "exit code " if code in (4, 130, 143) or code < 0 else NOT_TRIED_AGAIN
    return RuntimeError(f"{what} {words}{code}: {error}")


def scatter(split, said, plan):
    """The blocks of a split, on an executor, each with part, split and number."""
    from pyspark import SparkFiles

    folder = tempfile.mkdtemp(prefix=f".split-{split}-", dir=os.path.join(said.out, "rejects"))
    try:
        report = os.path.join(folder, "report.json")
        command = [said.program, "scatter", "--quiet", "--plan", SparkFiles.get(plan), "--split", str(split), "--jobs", "1"]
        command += ["--accept-rejects", "--rejects", folder, "--report", report]
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
            try:
                while len(header := process.stdout.read(HEADER_BYTES)) == HEADER_BYTES:
                    length, part, block_split, number = struct.unpack_from("<4xI8xIII", header)
                    if part != NO_PART:
                        yield (part, block_split, number), header + process.stdout.read(length)
            finally:
                process.stdout.close()
                code = process.wait()
            if code != 0:
                errors.seek(0)
                raise failed(f"split {split}", code, errors.read().decode(errors="replace").strip())
        # Of several attempts one puts its files there; all hold the same.
        os.replace(report, os.path.join(said.out, "splits", f"{split}.json"))
        if os.listdir(folder):
            try:
                os.rename(folder, os.path.join(said.out, "rejects", f"split-{split}"))
            except OSError:
                if not os.path.isdir(os.path.join(said.out, "rejects", f"split-{split}")):
                    raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def load(part, blocks, said, plan):
    """Feeds the blocks of a part to the program. A part that is loaded already is answered for before all of them are read."""
    from pyspark import SparkFiles

    command = [said.program, "load", "--quiet", "--plan", SparkFiles.get(plan), "--part", str(part), "--accept-rejects"]
    command += ["--rejects", os.path.join(said.out, "rejects"), *said.options]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output)
        try:
            for _, block in blocks:
                process.stdin.write(block)
            process.stdin.close()
        except BrokenPipeError:
            pass
        except BaseException:
            # What is not whole must not look as if it were: without the last blocks it does not.
            process.kill()
            raise
        if (code := process.wait()) != 0:
            output.seek(0)
            raise failed(f"part {part}", code, output.read().decode(errors="replace").strip()[-2000:])
    yield part


def step(said, *words):
    """The beginning and the end, on the driver."""
    command = [said.program, "load", "--plan", said.plan, "--rejects", os.path.join(said.out, "rejects"), *words, *said.options]
    return subprocess.run(command).returncode


def main():
    from pyspark.sql import SparkSession

    arguments = argparse.ArgumentParser()
    arguments.add_argument("--plan", required=True)
    arguments.add_argument("--out", required=True)
    arguments.add_argument("--program", default="profile-loader")
    arguments.add_argument("options", nargs="*", help="of load, behind --")
    said = arguments.parse_args()
    said.out = os.path.abspath(said.out)
    with open(said.plan) as file:
        planned = json.load(file)
    for name in ["rejects", "splits"]:
        os.makedirs(os.path.join(said.out, name), exist_ok=True)
    if (code := step(said, "--begin")) != 0:
        sys.exit(code)

    spark = SparkSession.builder.appName("profile-loader load").getOrCreate().sparkContext
    spark.addFile(os.path.abspath(said.plan))
    plan, splits = os.path.basename(said.plan), range(len(planned["splits"]))
    blocks = spark.parallelize(splits, len(splits)).flatMap(lambda split: scatter(split, said, plan))
    parts = blocks.repartitionAndSortWithinPartitions(planned["parts"], lambda key: key[0])
    try:
        parts.mapPartitionsWithIndex(lambda part, blocks: load(part, blocks, said, plan)).collect()
    except Exception as error:
        print(error, file=sys.stderr)
        code = re.search(NOT_TRIED_AGAIN + r"(\d+)", str(error))
        sys.exit(int(code[1]) if code else 4)
    finally:
        spark.stop()
    for left in glob.glob(os.path.join(said.out, "rejects", ".split-*")):  # of executors that were lost
        shutil.rmtree(left, ignore_errors=True)
    reports = [os.path.join(said.out, "splits", f"{split}.json") for split in splits]
    files = [word for name in ["report.json", "report.html"] for word in ["--report", os.path.join(said.out, name)]]
    sys.exit(step(said, "--finish", *files, *reports))


if __name__ == "__main__":
    main()
