"""The job of examples/spark/dry_run.py in a session whose executors have run tasks before, so that what it says of its time has no part of Spark's start:
executors have their classes loaded, and their Python workers run."""

import pathlib
import sys
import time

from pyspark.sql import SparkSession

JOB = pathlib.Path(__file__).resolve().parents[2] / "examples/spark/dry_run.py"
# Long enough that each executor gets some.
TASKS, SECONDS = 12, 0.5

sys.path.insert(0, str(JOB.parent))
import dry_run

spark = SparkSession.builder.getOrCreate().sparkContext
spark.addPyFile(str(JOB))
spark.parallelize(range(TASKS), TASKS).map(lambda _: time.sleep(SECONDS)).collect()
dry_run.main()
