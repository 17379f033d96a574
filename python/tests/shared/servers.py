"""Object stores on this machine, each in a process of its own, and what the tests see in them.

None of them imports rekindle. A server outlives the client that a test kills or stops, and
ends when it is closed, or when the process that started it ends.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from urllib.request import Request, urlopen

import azure_calls
import boto3
import obstore
from botocore.config import Config
from obstore.store import from_url

# No other text has these, so that a test can search for them.
KEY_ID, SECRET = "AKIAREKINDLETESTKEY0", "rekindle-test-secret/that+nothing+may+print"
_SECONDS = 60


def store_of(url, options, client_options=None, **settings):
    """The store of obstore for a URL. Settings of the connection among `options` are accepted."""
    config = dict(options)
    # obstore 0.12 panics when its config has this key, which the environment may have.
    client = {"allow_http": config.pop("allow_http", "false"), **(client_options or {})}
    return from_url(url, config=config, client_options=client, **settings)


class Server:
    """What all servers have.

    Attributes:
        endpoint: The server's URL.
        bucket: The name of the bucket, or container, that is there.
        url: The bucket as a user names it.
        options: The settings of obstore's class for this server.
        environment: The same, as environment variables.
    """

    endpoint: str
    bucket: str
    scheme: str

    @property
    def url(self):
        return f"{self.scheme}://{self.bucket}"

    @property
    def options(self):
        return self.options_at(self.endpoint)

    @property
    def environment(self):
        return self.environment_at(self.endpoint)

    def options_at(self, endpoint):
        """The settings for a client that goes to this endpoint: that of a proxy."""
        raise NotImplementedError

    def environment_at(self, endpoint):
        raise NotImplementedError

    def store(self, prefix=None, **settings):
        """A store of obstore for the bucket, which goes to the server itself."""
        url = f"{self.url}/{prefix}" if prefix else self.url
        return store_of(url, self.options, **settings)

    def objects(self, prefix=""):
        """The bytes of each object whose name begins with `prefix`."""
        store = self.store()
        # obstore takes a prefix for a folder: "run7" has "run7/a", and not "run70/a".
        found = [one["path"] for batch in obstore.list(store) for one in batch]
        return {
            name: bytes(obstore.get(store, name).bytes())
            for name in sorted(found)
            if name.startswith(prefix)
        }

    def put(self, name, data):
        obstore.put(self.store(), name, data, use_multipart=False)

    def delete(self, name):
        obstore.delete(self.store(), name)

    def uploads(self):
        """The names of multipart uploads that were begun, and neither completed nor aborted."""
        raise NotImplementedError

    def reset(self):
        """Removes everything, and makes the bucket."""
        raise NotImplementedError

    def close(self):
        raise NotImplementedError

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


class S3Server(Server):
    """moto's server of S3. It decides a condition and writes in one instant, as the real one does.

    It does not check signatures, so that a proxy may stand before it.
    """

    scheme = "s3"

    def __init__(self, bucket="rekindle-tests"):
        self.bucket = bucket
        self._process = self._started()
        self._client = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}),
        )
        self._client.create_bucket(Bucket=bucket)

    def _started(self):
        """Starts the process and sets the endpoint. Returns when the server answers."""
        script = str(Path(__file__).with_name("moto_program.py"))
        process = subprocess.Popen(
            [sys.executable, script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C goes to the tests alone
        )
        with process.stdout:
            port = process.stdout.readline()
        if not port:
            raise RuntimeError(f"moto's server ended with the status {process.wait()}")
        self.endpoint = f"http://127.0.0.1:{int(port)}"
        return process

    def options_at(self, endpoint):
        return {
            "access_key_id": KEY_ID,
            "secret_access_key": SECRET,
            "region": "us-east-1",
            "endpoint": endpoint,
            "allow_http": "true",
        }

    def environment_at(self, endpoint):
        return {
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ALLOW_HTTP": "true",
        }

    def uploads(self):
        listed = self._client.list_multipart_uploads(Bucket=self.bucket)
        return sorted(one["Key"] for one in listed.get("Uploads", []))

    def reset(self):
        with urlopen(Request(f"{self.endpoint}/moto-api/reset", method="POST"), timeout=20):
            self._client.create_bucket(Bucket=self.bucket)

    def close(self):
        _end(self._process)


def azurite():
    """The path of `azurite-blob`, or None."""
    return os.environ.get("REKINDLE_AZURITE") or shutil.which("azurite-blob")


class AzureServer(Server):
    """Azurite, Microsoft's own emulator. It is another program, and checks signatures.

    A test that uses it is skipped where :func:`azurite` finds none.
    """

    scheme = "az"

    def __init__(self, bucket="rekindle-tests"):
        self.bucket = bucket
        self._folder = tempfile.mkdtemp(prefix="azurite-")
        port = _free_port()
        self.endpoint = f"http://127.0.0.1:{port}/{azure_calls.ACCOUNT}"
        command = [azurite(), "--silent", "--skipApiVersionCheck", "--disableTelemetry"]
        where = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", self._folder]
        self._process = subprocess.Popen(
            command + where,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        _wait_for(port, self._process)
        azure_calls.make_container(self.endpoint, bucket)

    def options_at(self, endpoint):
        return {
            "account_name": azure_calls.ACCOUNT,
            "account_key": azure_calls.KEY,
            "endpoint": endpoint,
            "allow_http": "true",
        }

    def environment_at(self, endpoint):
        return {
            "AZURE_STORAGE_ACCOUNT_NAME": azure_calls.ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": azure_calls.KEY,
            "AZURE_STORAGE_ENDPOINT": endpoint,
            "AZURE_ALLOW_HTTP": "true",
        }

    def uploads(self):
        return azure_calls.uncommitted(self.endpoint, self.bucket)

    def reset(self):
        """Goes to a new container: to delete one takes Azurite, like Azure, a while."""
        self.bucket = f"rekindle-tests-{uuid.uuid4().hex}"
        azure_calls.make_container(self.endpoint, self.bucket)

    def close(self):
        _end(self._process)
        shutil.rmtree(self._folder, ignore_errors=True)


def _free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _wait_for(port, process):
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    process.kill()
    raise RuntimeError(f"{process.args[0]} does not answer; its status is {process.wait()}")


def _end(process):
    process.kill()
    process.wait()
