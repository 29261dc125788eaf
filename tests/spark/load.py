"""A plan that is loaded on Apache Spark beside one load of the same files by one process: tables, rejected documents and report are equal, for the three
policies, merging and in bulk, whatever is killed. Called by scripts/test-spark with the program and a folder, and words that the names of cases have
to have, or --short."""

import atexit
import contextlib
import glob
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import pg8000.dbapi as pg8000

from cluster import HERE, LONG, Cluster, Disturber, children, generate, rejected, report

JOB = str(HERE / "examples/spark/load.py")
FILES, DOCUMENTS, PARTS = 6, 2000, 6
PROGRAM = os.path.abspath(sys.argv[1])
# What is loaded each time that anything changes: both strategies, a fault that the engine repairs and one that the ledger does.
SHORT = [("bulk", "update", "executors killed"), ("merge", "update", "commits and is killed")]
# What speculation needs to begin early.
SPECULATION = [f"spark.speculation{more}" for more in ["=true", ".quantile=0.3", ".multiplier=1.2", ".interval=50ms", ".minTaskRuntime=0ms"]]

# Runs the program; the first time that a part is loaded, what waits for it is killed before it hears of that.
COMMITS_AND_IS_KILLED = """#!/bin/sh
"{program}" "$@"
code=$?
case "$*" in *"load "*"--part "*) if [ $code = 0 ] && mkdir "{marks}/$(echo "$*" | sed 's/.*--part \\([0-9]*\\).*/\\1/')" 2>/dev/null; then kill -9 $PPID; fi ;; esac
exit $code
"""

DIGEST = """SELECT count(*) || ' ' || md5(coalesce(string_agg(d, '' ORDER BY d COLLATE "C"), '')) FROM (SELECT md5(ROW({columns})::text) AS d FROM {table}) AS rows"""
TABLES = {
    "customer_profiles": "id, first_name, middle_name, last_name, marketing_emails_enabled, two_factor_enabled",
    "customer_profile_addresses": "customer_profile_id, line1, line2, city, state, postal_code, country",
    "customer_profile_emails": "customer_profile_id, email",
    "customer_profile_phone_numbers": "customer_profile_id, type, number",
}


class Server:
    """A PostgreSQL server of its own."""

    def __init__(self, folder):
        found = shutil.which("initdb") or sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))[-1]
        self.programs, self.folder = pathlib.Path(found).parent, folder / "server"
        self.folder.mkdir(mode=0o755)
        self.user = {}
        if os.geteuid() == 0:
            user = next(one for one in pwd.getpwall() if one.pw_name in ("postgres", "nobody"))
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self.user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.run("initdb", "-D", "data", "-U", "postgres", "-A", "trust", "--no-sync")
        self.control("start")

    def run(self, name, *words):
        subprocess.run([self.programs / name, *words], cwd=self.folder, check=True, stdout=subprocess.DEVNULL, **self.user)

    def control(self, *words):
        options = f"-c port={self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c max_connections=200"
        self.run("pg_ctl", *words, "-w", "-D", "data", "-l", "log", "-o", options)

    def url(self, database):
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def query(self, database, sql):
        with contextlib.closing(pg8000.connect("postgres", host="127.0.0.1", port=self.port, database=database)) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(sql)
            return cursor.fetchone()[0] if cursor.description else None

    def tables(self, database):
        return [self.query(database, DIGEST.format(table=table, columns=columns)) for table, columns in TABLES.items()]

    def stop(self):
        self.run("pg_ctl", "stop", "-m", "immediate", "-D", "data")


def submit(cluster, said, log, speculates):
    settings = ["spark.ui.enabled=false", "spark.task.maxFailures=30", "spark.driver.host=127.0.0.1", "spark.executor.memory=512m"]
    settings += SPECULATION if speculates else []
    words = ["spark-submit", "--master", cluster.url]
    for setting in settings:
        words += ["--conf", setting]
    # A group of its own, to be killed as a whole.
    return subprocess.Popen([*words, JOB, *said], stdout=log, stderr=log, start_new_session=True)


def loads(job):
    """Whether parts are being loaded for a job."""
    return any("--part" in words and " load " in words for _, words in children(os.getpid()))


def once(job, is_time, act):
    """Acts when it is time; says whether it did."""
    done = []

    def wait():
        while job.poll() is None and not done:
            time.sleep(0.05)
            if is_time():
                act()
                done.append(True)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread, done


def spark(cluster, server, name, said, options, disturbance):
    """Runs the job to its end, disturbed; says what of it has happened."""
    program, kills, freezes = PROGRAM, 0, disturbance == "speculation"
    if disturbance == "executors killed":
        kills = 2
    if disturbance == "commits and is killed":
        marks = pathlib.Path(name + ".marks")
        marks.mkdir()
        program = name + ".program"
        pathlib.Path(program).write_text(COMMITS_AND_IS_KILLED.format(program=PROGRAM, marks=marks))
        os.chmod(program, 0o755)
    words = [*said, "--program", program, "--", *options]
    with open(f"{name}.log", "wb") as log:
        job = submit(cluster, words, log, freezes)
        if disturbance == "driver killed":
            thread, done = once(job, lambda: loads(job), lambda: os.killpg(job.pid, signal.SIGKILL))
            job.wait()
            thread.join()
            assert done, "the driver was killed"
            job = submit(cluster, words, log, freezes)
            assert job.wait(timeout=LONG) == 1, pathlib.Path(f"{name}.log").read_text(errors="replace")[-4000:]
            return "driver killed: 1"
        if disturbance == "server restarted":
            thread, done = once(job, lambda: loads(job), lambda: server.control("restart", "-m", "immediate"))
            code = job.wait(timeout=LONG)
            thread.join()
            assert code == 1 and done, (done, pathlib.Path(f"{name}.log").read_text(errors="replace")[-4000:])
            return "server restarted: 1"
        twin = lambda: len([pid for pid, said in children(os.getpid()) if " load " in said and "--part" in said and frozen_part() in said]) > 1
        disturber = Disturber(job, "--part ", kills, freezes, twin)

        def frozen_part():
            with open(f"/proc/{disturber.frozen}/cmdline") as file:
                said = file.read().split("\0")
            return f"--part {said[said.index('--part') + 1]} "

        disturber.start()
        code = job.wait(timeout=LONG)
        disturber.left, disturber.freezes = 0, False
        disturber.join()
    assert code == 1, f"exit code {code}:\n" + pathlib.Path(f"{name}.log").read_text(errors="replace")[-4000:]
    if disturbance == "commits and is killed":
        marks = len(os.listdir(marks))
        assert marks == PARTS, marks
        return f"killed once it had committed: {marks}"
    assert disturber.killed == kills and (disturber.frozen is not None) == freezes, (disturber.killed, disturber.frozen)
    return f"executors killed: {disturber.killed}" + ("; one attempt stood still until another began" if freezes else "")


def one_load(server, name, inputs, options):
    """What one process makes of the same files."""
    server.query("postgres", "CREATE DATABASE one_" + name)
    rejects, told = f"{FOLDER}/one-{name}", f"{FOLDER}/one-{name}.json"
    words = [PROGRAM, "load", "--quiet", *inputs, "--rejects", rejects, "--report", told, "--database-url", server.url("one_" + name)]
    done = subprocess.run([*words, *options], stdout=subprocess.DEVNULL)
    assert done.returncode == 1, done
    return server.tables("one_" + name), comparable(told), rejected(rejects)


def comparable(path):
    """Of ids in several splits there is an estimate only, and where they are loaded does not matter."""
    told = report(path)
    told.pop("duplicates")
    for key in ["connections", "retries"]:
        told["load"].pop(key)
    return told


FOLDER = pathlib.Path(sys.argv[2])


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    inputs, plan = generate(PROGRAM, FOLDER, FILES, DOCUMENTS), str(FOLDER / "plan.json")
    words = [PROGRAM, "plan", *inputs, "-o", plan, "--split-size", "512KiB", "--parts", str(PARTS)]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    server = Server(FOLDER)
    atexit.register(server.stop)
    cluster = Cluster(FOLDER)
    atexit.register(cluster.stop)
    cases = [(strategy, "reject", "nothing") for strategy in ["bulk", "merge"]]
    rest = ["speculation", "commits and is killed", "driver killed", "server restarted"]
    cases += [(strategy, "update", disturbance) for disturbance in rest for strategy in ["merge", "bulk"]]
    cases += [(strategy, policy, "executors killed") for policy in ["reject", "skip", "update"] for strategy in ["merge", "bulk"]]
    if sys.argv[3:] == ["--short"]:
        cases = SHORT
    else:
        cases = [case for case in cases if all(word in ", ".join(case) for word in sys.argv[3:])]
    assert cases, "no load has these words in its name"
    expected = {}
    for number, (strategy, policy, disturbance) in enumerate(cases):
        options = ["--strategy", strategy, "--on-existing", policy]
        if (strategy, policy) not in expected:
            expected[strategy, policy] = one_load(server, f"{strategy}_{policy}", inputs, options)
        database, out = f"case_{number}", str(FOLDER / f"case-{number}")
        server.query("postgres", "CREATE DATABASE " + database)
        begun = time.monotonic()
        small = ["--database-url", server.url(database), "--connections", "2", "--batch-bytes", "100000", "--chunk-bytes", "20000"]
        happened = spark(cluster, server, out, ["--plan", plan, "--out", out], [*options, *small], disturbance)
        tables, told, lines = expected[strategy, policy]
        assert server.tables(database) == tables, (strategy, policy, disturbance)
        found = comparable(out + "/report.json")
        differing = {key for key in told if found[key] != told[key]}
        assert not differing, (strategy, policy, disturbance, {key: (found[key], told[key]) for key in differing})
        assert rejected(out + "/rejects") == lines, (strategy, policy, disturbance)
        print(f"{strategy}, {policy}, {disturbance}: equal to one load; {happened}; {time.monotonic() - begun:.1f} s", flush=True)
    print(f"{len(cases)} loads, each document exactly once")


main()
