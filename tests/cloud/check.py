"""Objects in stores, which it starts: named, listed, by patterns; disturbed, killed and resumed; changed, missing, refused. Called by
scripts/test-cloud with the program, the folder of its packages, and a folder for data."""

import collections
import gzip
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

import boto3
from azure.storage.blob import ContainerSasPermissions, BlobServiceClient, generate_container_sas
from datetime import datetime, timedelta, timezone

import servers
from servers import AZURE_KEY, KEY, SECRET

PROGRAM, PACKAGES, FOLDER = (pathlib.Path(word).resolve() for word in sys.argv[1:4])
VENV, MODULES = PACKAGES / "venv", PACKAGES / "node_modules"
ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = FOLDER / "files"
# Small, so that there are many ranges.
QUICK = ["--range-bytes", "200000", "--input-stall", "5s"]
Ended = collections.namedtuple("Ended", "code said report")
checks = 0


def fail(words):
    raise SystemExit(f"test-cloud: {words}")


def expect(is_so, words):
    global checks
    checks += 1
    if not is_so:
        fail(words)


def environment(variables):
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "AZURE_", "GOOGLE_", "PROFILE_LOADER_"))}
    # Nothing is asked of another machine, should credentials be looked for.
    return {**ours, "AWS_METADATA_ENDPOINT": "http://127.0.0.1:9", **variables}


def run(variables, *words, wait=300, secrets=()):
    """Nothing secret is shown, by whatever it says or writes."""
    report = FOLDER / "report.json"
    report.unlink(missing_ok=True)
    command = [PROGRAM, *words, "--report", report]
    ended = subprocess.run([str(word) for word in command], env=environment(variables), cwd=FOLDER, capture_output=True, text=True, timeout=wait)
    said = ended.stdout + ended.stderr
    written = report.read_text() if report.exists() else ""
    for secret in (SECRET, AZURE_KEY, "X-Amz", "Signature=", "sig=", *secrets):
        expect(secret not in said and secret not in written, f"{secret} was shown by {words}: {said}")
    return Ended(ended.returncode, said, json.loads(written) if written else None)


def validate(variables, *words, **options):
    return run(variables, "validate", *words, *QUICK, **options)


def judged(ended):
    """What became of the documents, wherever they came from."""
    if ended.report is None:
        fail(ended.said)
    inputs = [(one["bytes"], one["digest"]) for one in ended.report["inputs"]]
    errors = [(error["code"], error["documents"]) for error in ended.report["errors"]]
    return ended.code, ended.report["documents"], inputs, errors


def refused(variables, code, words, *inputs, **options):
    ended = validate(variables, *inputs, **options)
    expect(ended.code == code and words in ended.said, f"{inputs}: {ended.code}, not {code} and '{words}': {ended.said}")


def make_files():
    generate = ROOT / "target/debug/examples/generate"
    (FILES / "data/deep").mkdir(parents=True)
    for seed, name in enumerate(["data/a.ndjson", "data/b.ndjson", "data/deep/c d#é.ndjson"]):
        with open(FILES / name, "wb") as file:
            words = [str(generate), "--count", "8000", "--seed", str(seed), "--invalid", "0.01"]
            subprocess.run(words, stdout=file, check=True)
    plain = FILES / "data/b.ndjson"
    (FILES / "data/b.ndjson.gz").write_bytes(gzip.compress(plain.read_bytes(), 5))
    plain.unlink()
    (FILES / "data/_SUCCESS").write_bytes(b"")
    (FILES / "data/_committed_1").write_bytes(b"{}\n")


def names():
    return sorted(str(path.relative_to(FILES)) for path in FILES.rglob("*") if path.is_file())


def s3_client(port):
    options = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET, "region_name": "us-east-1"}
    return boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", **options)


def s3(port, **others):
    return {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, **others}


def fill_s3(port):
    client = s3_client(port)
    for attempt in range(100):
        try:
            client.create_bucket(Bucket="exports")
            break
        except client.exceptions.ClientError:
            time.sleep(0.2)
    for name in names():
        client.upload_file(str(FILES / name), "exports", name)
    # As consoles make folders.
    client.put_object(Bucket="exports", Key="data/", Body=b"")
    return client


def fill_azure(port):
    account = f"http://127.0.0.1:{port}/devstoreaccount1"
    service = BlobServiceClient(account, credential={"account_name": "devstoreaccount1", "account_key": AZURE_KEY})
    container = service.create_container("exports")
    for name in names():
        container.upload_blob(name, (FILES / name).read_bytes())
    until = datetime.now(timezone.utc) + timedelta(hours=1)
    permission = ContainerSasPermissions(read=True, list=True)
    sas = generate_container_sas("devstoreaccount1", "exports", account_key=AZURE_KEY, permission=permission, expiry=until)
    common = {"AZURE_STORAGE_ACCOUNT_NAME": "devstoreaccount1", "AZURE_STORAGE_ENDPOINT": account}
    return {**common, "AZURE_STORAGE_ACCOUNT_KEY": AZURE_KEY}, {**common, "AZURE_STORAGE_SAS_TOKEN": sas}, sas


def same_as_files(store, variables, **options):
    """One object, all below a name, and patterns."""
    for words in [["data/a.ndjson"], ["data/b.ndjson.gz"], ["data/deep/c d#é.ndjson"]]:
        expected = judged(validate({}, *(FILES / word for word in words)))
        found = judged(validate(variables, *(f"{store}/{word}" for word in words), **options))
        expect(found == expected, f"{store}: {words}: {found}, not {expected}")
    everything = ["data/a.ndjson", "data/b.ndjson.gz", "data/deep/c d#é.ndjson"]
    for pattern, matched in [("data/", everything), ("data/*.ndjson*", everything[:2]), ("data/**/[ac]*.ndjson", everything[::2])]:
        expected = judged(validate({}, *(FILES / name for name in matched)))
        ended = validate(variables, f"{store}/{pattern}", **options)
        expect(judged(ended) == expected, f"{store}: {pattern}: {ended.said}")
        sources = [one["source"] for one in ended.report["inputs"]]
        expect(sources == [f"{store}/{name}" for name in matched], f"{pattern}: {sources}")
        expect(("left out 1 whose names" in ended.said) == (pattern == "data/"), ended.said)
    refused(variables, 2, "there is no object of this name", f"{store}/data/none", **options)
    refused(variables, 2, "holds no object", f"{store}/none/", **options)
    refused(variables, 2, "matches no object", f"{store}/data/*.zst", **options)


def load(variables, url, store, **options):
    words = ["load", url, f"--embedded={FOLDER / store}", "--rejects", FOLDER / f"{store}-rejects", "--connections", "2"]
    return run(variables, *words, "--strategy", "merge", "--batch-bytes", "200000", *QUICK, **options)


def killed_and_resumed(variables, url, proxy):
    """By a store that is disturbed all the time, with the loader aborted behind commits."""
    undisturbed = load(variables, url, "undisturbed")
    expect(undisturbed.code == 1, undisturbed.said)
    behind = {**variables, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}"}
    kills = 3
    for commits in range(2, 2 + kills):
        aborted = load({**behind, "FAILPOINTS": f"lane-after-commit={commits}*off->return"}, url, "killed")
        expect(aborted.code == -6, f"{aborted.code}: {aborted.said}")
    resumed = load(behind, url, "killed")
    expect("resum" in resumed.said, f"it was not resumed: {resumed.said}")
    expect(judged(resumed) == judged(undisturbed), f"{judged(resumed)}, not {judged(undisturbed)}: {resumed.said}")
    expect(proxy.faults > 5, f"{proxy.faults} faults")
    one, other = ((FOLDER / f"{store}-rejects/rejects.ndjson").read_bytes() for store in ["undisturbed", "killed"])
    expect(one == other, "the rejected documents differ")
    return kills, proxy.faults


def changed(client, port):
    """While it is read, behind a proxy that lets it be replaced; and between two attempts at a load."""
    name, url = "changing/a.ndjson", "s3://exports/changing/a.ndjson"
    text = (FILES / "data/a.ndjson").read_bytes()
    put = lambda body: client.put_object(Bucket="exports", Key=name, Body=body)
    put(text)
    proxy = servers.Proxy(port, lambda number, _: put(text.replace(b"Ann", b"Bob")) and None if number == 8 else None)
    refused(s3(proxy.port), 5, "it was changed at the server", url)
    put(text)
    aborted = load({**s3(port), "FAILPOINTS": "lane-after-commit=6*off->return"}, url, "changed")
    expect(aborted.code == -6, aborted.said)
    put(b"\n" + text)
    ended = load(s3(port), url, "changed")
    expect(ended.code == 5, f"{ended.code}: {ended.said}")
    put(text)
    ended = load(s3(port), url, "changed")
    expect(ended.code == 1 and ended.report["documents"]["read"] == 8000, ended.said)


def down_and_up():
    """A server that is not there yet is waited for; and no longer than was said."""
    port = servers.free_ports(1)[0]
    variables = s3(port)
    refused(variables, 4, "refuses connections", "s3://exports/data/", "--input-wait", "1s")
    refused(variables, 4, "refuses connections", "s3://exports/data/a.ndjson", "--input-wait", "1s")

    def start():
        time.sleep(3)
        server = servers.moto(VENV, FOLDER, port)
        fill_s3(server.port)

    thread = threading.Thread(target=start)
    thread.start()
    ended = validate(variables, "s3://exports/data/", "--input-wait", "60s")
    # It may be there before its bucket is.
    while ended.code == 2 and "NoSuchBucket" in ended.said:
        time.sleep(0.3)
        ended = validate(variables, "s3://exports/data/", "--input-wait", "60s")
    thread.join()
    ended = validate(variables, "s3://exports/data/", "--input-wait", "60s")
    expect(ended.code == 1, f"{ended.code}: {ended.said}")
    return port


def signed_urls(port):
    """Without the feature's help: what a client of S3 signs."""
    client = s3_client(port)
    for name in ["data/a.ndjson", "data/b.ndjson.gz"]:
        url = client.generate_presigned_url("get_object", Params={"Bucket": "exports", "Key": name}, ExpiresIn=600)
        found, expected = judged(validate({}, url)), judged(validate({}, FILES / name))
        expect(found == expected, f"{name}: {found}, not {expected}")
    url = client.generate_presigned_url("get_object", Params={"Bucket": "exports", "Key": "none"}, ExpiresIn=600)
    refused({}, 2, "404 Not Found", url)
    url = client.generate_presigned_url("get_object", Params={"Bucket": "exports", "Key": "data/_SUCCESS"}, ExpiresIn=600)
    expect(validate({}, url).code == 0, "an empty object is no fault")


def timed(what, do, *words):
    began, before = time.monotonic(), checks
    result = do(*words)
    print(f"{what}: {checks - before} checks in {time.monotonic() - began:.0f} s", flush=True)
    return result


def seaweedfs():
    port = servers.seaweedfs(VENV, FOLDER).port
    client = fill_s3(port)
    timed("SeaweedFS, objects", same_as_files, "s3://exports", s3(port))
    refused(s3(port, AWS_SECRET_ACCESS_KEY="another"), 2, "SignatureDoesNotMatch", "s3://exports/data/a.ndjson", secrets=["another"])
    refused(s3(port, AWS_ACCESS_KEY_ID="nobody"), 2, "InvalidAccessKeyId", "s3://exports/data/", secrets=[])
    refused(s3(port), 2, "there is no such bucket", "s3://nowhere/data/")
    refused({"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_SKIP_SIGNATURE": "true"}, 2, "403 Forbidden", "s3://exports/data/a.ndjson")
    proxy = servers.Proxy(port, lambda number, _: "cut" if number % 3 == 0 else 503 if number % 5 == 0 else None)
    kills, faults = timed("SeaweedFS, killed and resumed", killed_and_resumed, s3(port), "s3://exports/data/", proxy)
    print(f"  killed {kills} times, with {faults} connections cut or refused")
    timed("SeaweedFS, changed", changed, client, port)


def azure():
    port = servers.azurite(MODULES, FOLDER).port
    by_key, by_sas, sas = fill_azure(port)
    timed("Azurite, account key", same_as_files, "az://exports", by_key)
    timed("Azurite, SAS", lambda: same_as_files("az://exports", by_sas, secrets=[sas]))
    host = "abfss://exports@devstoreaccount1.dfs.core.windows.net"
    expect(validate(by_key, f"{host}/data/a.ndjson").code == 1, "by the URL of Hadoop's driver")
    refused(by_key, 2, "there is no such container", "az://nowhere/a")
    wrong = "d3Jvbmc="
    refused({**by_key, "AZURE_STORAGE_ACCOUNT_KEY": wrong}, 2, "403", "az://exports/data/a.ndjson", secrets=[wrong])


def gcs():
    server = servers.fake_gcs(VENV, FOLDER, FILES)
    if server is None:
        print("GCS is left out: its server comes for Linux on x86-64 only")
        return
    variables = {"GOOGLE_BASE_URL": f"http://127.0.0.1:{server.port}", "GOOGLE_BEARER_TOKEN": SECRET}
    timed("fake-gcs-server", same_as_files, "gs://exports", variables)


def main():
    make_files()
    port = timed("moto, down and up", down_and_up)
    timed("moto, signed URLs", signed_urls, port)
    timed("moto, objects", same_as_files, "s3://exports", s3(port))
    seaweedfs()
    azure()
    gcs()
    print(f"test-cloud: passed, {checks} checks")


main()
