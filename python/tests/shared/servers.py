"""Object stores on this machine, each in a process of its own, and what the tests see in them.

None of them imports rekindle. A server outlives the client that a test kills or stops, and
ends when it is closed, or when the process that started it ends.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from urllib.request import Request, urlopen

import azure_calls
import boto3
import obstore
import server_programs
from botocore.config import Config
from obstore.store import from_url

# No other text has these, so that a test can search for them.
KEY_ID, SECRET = "AKIAREKINDLETESTKEY0", "rekindle-test-secret/that+nothing+may+print"


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
        server_programs.end(self._process)


def localstack():
    """The path of a Python that has LocalStack, or None. `REKINDLE_LOCALSTACK` names it."""
    return os.environ.get("REKINDLE_LOCALSTACK")


class LocalStackServer(S3Server):
    """LocalStack's S3, which is another program than moto's, and takes seconds to start.

    A test that uses it is skipped where :func:`localstack` finds none. Version 4.3.0 runs on
    Python 3.11, in an environment of its own, with cbor2<5.8, pyopenssl<24.3, cryptography<44 and
    service_identity<24.2 beside `localstack-core[runtime]`.
    """

    def _started(self):
        self._folder = tempfile.mkdtemp(prefix="localstack-")
        port = server_programs.free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        settings = {
            "GATEWAY_LISTEN": f"127.0.0.1:{port}",
            "LOCALSTACK_VOLUME_DIR": self._folder,
            "SERVICES": "s3",
            "STRICT_SERVICE_LOADING": "1",
            "DISABLE_EVENTS": "1",  # no reports to its makers
            "SKIP_SSL_CERT_DOWNLOAD": "1",
            "DNS_ADDRESS": "0",
        }
        others = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command = [localstack(), "-m", "localstack.runtime.main"]
        process = server_programs.program(command, env={**others, **settings})
        server_programs.wait_for(port, process)
        return process

    def reset(self):
        """Goes to a new bucket."""
        self.bucket = f"rekindle-tests-{uuid.uuid4().hex}"
        self._client.create_bucket(Bucket=self.bucket)

    def close(self):
        super().close()
        shutil.rmtree(self._folder, ignore_errors=True)


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
        port = server_programs.free_port()
        self.endpoint = f"http://127.0.0.1:{port}/{azure_calls.ACCOUNT}"
        options = ["--silent", "--skipApiVersionCheck", "--disableTelemetry"]
        where = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", self._folder]
        self._process = server_programs.program([azurite(), *options, *where])
        server_programs.wait_for(port, self._process)
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
        server_programs.end(self._process)
        shutil.rmtree(self._folder, ignore_errors=True)
