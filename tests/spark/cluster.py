"""What the tests on Apache Spark share: a cluster of its own (a master, and a worker at each of three addresses), what disturbs it, inputs, and what is
compared."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

HERE = pathlib.Path(__file__).resolve().parents[2]
EXECUTORS = 3
# A job that takes longer has come to no end.
LONG = 900


def children(pid):
    """Processes beneath one, as (pid, command line)."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/stat") as file:
                parent = int(file.read().rsplit(")", 1)[1].split()[1])
            with open(f"/proc/{entry}/cmdline") as file:
                words = file.read().replace("\0", " ")
        except (OSError, ValueError, IndexError):
            continue
        if parent == pid:
            found.append((int(entry), words))
            found += children(int(entry))
    return found


class Disturber(threading.Thread):
    """Kills executors while a process with these words works for them, so many of them; or stops one such process, which only another
    attempt beside the first can complete, for good or until `thaws` says so."""

    def __init__(self, job, words, kills, freezes, thaws=lambda: False):
        super().__init__(daemon=True)
        self.job, self.words, self.left, self.freezes, self.thaws = job, words, kills, freezes, thaws
        self.killed, self.frozen = 0, None

    def run(self):
        while (self.left or self.freezes) and self.job.poll() is None:
            time.sleep(0.05)
            for executor, words in children(os.getpid()):
                if "CoarseGrainedExecutorBackend" not in words:
                    continue
                checks = [pid for pid, words in children(executor) if self.words in words]
                if checks and self.left:
                    os.kill(executor, signal.SIGKILL)
                    self.killed, self.left = self.killed + 1, self.left - 1
                    break
                if checks and self.freezes:
                    os.kill(checks[0], signal.SIGSTOP)
                    self.frozen, self.freezes = checks[0], False
                    break
        while self.frozen and self.job.poll() is None:
            time.sleep(0.05)
            if self.thaws():
                os.kill(self.frozen, signal.SIGCONT)
                break


class Cluster:
    """A master and its workers. Each worker has an address of its own, for Spark runs no second attempt at the address of the first."""

    def __init__(self, folder):
        self.processes, self.log = [], open(folder / "cluster.log", "wb")
        self.environment = {**os.environ, "SPARK_WORKER_DIR": str(folder / "work"), "SPARK_LOCAL_DIRS": str(folder / "local")}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"spark://127.0.0.1:{self.port}"
        self.start("master.Master", "--host", "127.0.0.1", "--port", str(self.port), "--webui-port", "0")
        self.wait_for_master()
        for number in range(1, EXECUTORS + 1):
            self.start("worker.Worker", "--host", f"127.0.0.{number}", "--cores", "1", "--memory", "1g", "--webui-port", "0", self.url)

    def wait_for_master(self):
        """Who finds it missing tries again after 20 seconds."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with socket.socket() as connection:
                if connection.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise TimeoutError("the master does not listen")

    def start(self, name, *words):
        command = ["spark-class", f"org.apache.spark.deploy.{name}", *words]
        self.processes.append(subprocess.Popen(command, stdout=self.log, stderr=self.log, env=self.environment))

    def stop(self):
        for pid, _ in children(os.getpid()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def report(path):
    """Without what differs from run to run: times, and what the plan is."""
    with open(path) as file:
        loaded = json.load(file)
    for key in ["exit_code", "rejects", "settings", "plan", "throughput", "timeline", "started_at", "elapsed_seconds", "run_id"]:
        loaded.pop(key, None)
    return loaded


def rejected(folder):
    """Rejected documents byte for byte."""
    lines = []
    for path in pathlib.Path(folder).rglob("rejects.ndjson"):
        lines += path.read_bytes().splitlines()
    return sorted(lines)


def generate(program, folder, files, documents):
    """Files with faulty documents, and with duplicates across files."""
    inputs = folder / "lake"
    inputs.mkdir(exist_ok=True)
    example = pathlib.Path(program).parent / "examples/generate"
    for number in range(files):
        words = [str(example), "--count", str(documents), "--seed", str(number // 2), "--invalid", "0.05"]
        with open(inputs / f"{number:02}.ndjson", "wb") as file:
            subprocess.run(words, stdout=file, check=True)
    return [str(path) for path in sorted(inputs.iterdir())]
