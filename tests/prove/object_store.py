"""Forecasts from and into an object store, moto's server on this machine, by the command line.

Run by `.venv-ray/bin/python -m tests.prove.object_store FOLDER`; writes FOLDER/outcome.json for tests/prove/test_object_store.py.
"""

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

from tests.prove.ray_cluster import digests, write_histories

BUCKET = "shop"


def start() -> ThreadedMotoServer:
    """Return a running server, whose address and credentials are in the environment."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "one",
        "AWS_SECRET_ACCESS_KEY": "two",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return server


def forecast(data: str, output: str, *options: str) -> str:
    """Run `almanac forecast`, and return what it printed."""
    command = [sys.executable, "-m", "almanac", "forecast", "--model", "starter", "--data", data, "--output", output]
    found = subprocess.run([*command, "--horizon", "12", *options], check=False, capture_output=True, text=True)  # noqa: S603
    if found.returncode:
        raise SystemExit(found.stderr)
    return found.stderr


def main(root: Path) -> None:
    """Forecast a folder of this machine, then of the store on both engines, then what is missing again."""
    data = write_histories(root / "in")
    forecast(str(data), str(root / "here"))
    server = start()
    store: Any = boto3.client("s3")
    store.create_bucket(Bucket=BUCKET)
    for path in sorted(data.iterdir()):
        store.upload_file(str(path), BUCKET, f"in/{path.name}")

    def stored(folder: str) -> dict[str, tuple[str, str]]:
        """Return digest and time of each file of forecasts."""
        found = store.list_objects_v2(Bucket=BUCKET, Prefix=f"{folder}/part-")["Contents"]
        bodies = {one["Key"]: store.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read() for one in found}
        times = {one["Key"]: one["LastModified"].isoformat() for one in found}
        return {key.split("/")[1]: (sha256(body).hexdigest(), times[key]) for key, body in bodies.items()}

    def same(folder: str) -> bool:
        return {name: digest for name, (digest, _) in stored(folder).items()} == digests(root / "here")

    forecast(f"s3://{BUCKET}/in", f"s3://{BUCKET}/local", "--engine", "local", "--workers", "1")
    outcome: dict[str, Any] = {"local": same("local")}
    before = stored("local")
    lost = min(before)
    for key in (f"local/{lost}", "local/_manifest.json"):
        store.delete_object(Bucket=BUCKET, Key=key)
    printed = forecast(f"s3://{BUCKET}/in", f"s3://{BUCKET}/local", "--engine", "local", "--workers", "1")
    after = stored("local")
    kept = [name for name in after if after[name] == before[name]]
    manifest = json.loads(store.get_object(Bucket=BUCKET, Key="local/_manifest.json")["Body"].read())
    outcome["resumed"] = same("local") and f"{len(kept)} parts are there already" in printed
    outcome["kept"] = (len(kept), len(after))
    outcome["checksums"] = {one["file"]: one["sha256"] for one in manifest["written"]} == digests(root / "here")
    forecast(f"s3://{BUCKET}/in", f"s3://{BUCKET}/ray", "--engine", "ray", "--workers", "1")
    outcome["ray"] = same("ray")
    (root / "outcome.json").write_text(json.dumps(outcome))
    server.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
