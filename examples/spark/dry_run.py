"""Checks the splits of a plan on Apache Spark, and adds their reports up.

    profile-loader plan '/lake/customers/*' -o plan.json
    spark-submit examples/spark/dry_run.py --plan plan.json --out /lake/checked

A split is a task: Spark hands tasks out, and does those again that an executor was lost with; a task's result is its report, so each
split counts once however often it was tried. Inputs, --out and the program have to be there on every machine; no Python touches
a document. Writes OUT/report.json and OUT/report.html, and OUT/rejects/N for each split with rejected documents.

The exit code is that of `profile-loader validate`, with 0 in place of 1 where --accept-rejects is given.
"""

import argparse
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

# What may go better another time: Spark tries again.
TEMPORARY = {4, 130, 143}


def check(split, program, plan, rejects):
    """One split, on an executor: its report, or why there is none however often it is tried."""
    from pyspark import SparkFiles

    folder = tempfile.mkdtemp(prefix=f".split-{split}-", dir=rejects)
    try:
        command = [program, "validate", "--quiet", "--plan", SparkFiles.get(plan), "--split", str(split), "--jobs", "1"]
        command += ["--accept-rejects", "--output", "json", "--rejects", folder]
        done = subprocess.run(command, capture_output=True)
        error = done.stderr.decode(errors="replace").strip()
        if done.returncode in TEMPORARY or done.returncode < 0:
            raise RuntimeError(f"split {split}: exit code {done.returncode}: {error}")
        if done.returncode == 0 and os.listdir(folder):
            # Of several attempts one puts its folder there; all hold the same.
            try:
                os.rename(folder, os.path.join(rejects, str(split)))
            except OSError:
                if not os.path.isdir(os.path.join(rejects, str(split))):
                    raise
        return split, done.returncode, done.stdout.decode(), error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main():
    from pyspark.sql import SparkSession

    arguments = argparse.ArgumentParser()
    arguments.add_argument("--plan", required=True)
    arguments.add_argument("--out", required=True)
    arguments.add_argument("--program", default="profile-loader")
    arguments.add_argument("--accept-rejects", action="store_true")
    said = arguments.parse_args()
    with open(said.plan) as file:
        splits = range(len(json.load(file)["splits"]))
    rejects = os.path.join(os.path.abspath(said.out), "rejects")
    os.makedirs(rejects, exist_ok=True)

    spark = SparkSession.builder.appName("profile-loader dry run").getOrCreate().sparkContext
    spark.addFile(os.path.abspath(said.plan))
    plan, program = os.path.basename(said.plan), said.program
    tasks = spark.parallelize(splits, max(len(splits), 1))
    begun = time.monotonic()
    results = tasks.map(lambda split: check(split, program, plan, rejects)).collect()
    print(f"{len(splits)} splits checked in {time.monotonic() - begun:.1f} s", file=sys.stderr)
    spark.stop()
    for left in glob.glob(os.path.join(rejects, ".split-*")):  # of executors that were lost
        shutil.rmtree(left, ignore_errors=True)

    failed = [(code, f"split {split}: {error}") for split, code, _, error in results if code != 0]
    for _, error in failed:
        print(error, file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        names = []
        for split, _, report, _ in results:
            if report:
                names.append(os.path.join(folder, f"{split:06}.json"))
                with open(names[-1], "w") as file:
                    file.write(report)
        merged = [os.path.join(said.out, name) for name in ["report.json", "report.html"]]
        command = [program, "report", "merge", *names, "--report", merged[0], "--html", merged[1], "--output", "text"]
        merging = subprocess.run(command)
    if failed or merging.returncode != 0:
        sys.exit(max([code for code, _ in failed] + [merging.returncode]))
    with open(merged[0]) as file:
        rejected = json.load(file)["documents"]["rejected"]
    sys.exit(1 if rejected and not said.accept_rejects else 0)


if __name__ == "__main__":
    main()
