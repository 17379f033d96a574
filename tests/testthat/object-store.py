"""A server of S3 with one bucket, for test-object-stores.R.

It writes its port to the standard output, and ends when its standard input ends.
"""

import sys
from urllib.request import Request, urlopen

from moto.server import ThreadedMotoServer

server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
port = server.get_host_and_port()[1]
urlopen(Request(f"http://127.0.0.1:{port}/{sys.argv[1]}", method="PUT"), timeout=60).close()
sys.stdout.write(f"{port}\n")
sys.stdout.flush()
sys.stdin.read()
