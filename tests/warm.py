"""A process that has loaded what `ttk` loads, and is copied for every run of it.

Of the time that a short command takes, most goes into loading libraries. Here that is done once;
every run has the memory, folder, environment and exit of a process of its own. The libraries are
only loaded, not used, before the copy is made: no thread of theirs is at work then.
"""

import atexit
import functools
import gc
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests import ROOT

_PROGRAM = """
import signal, sys
import cv2, mediapipe, threadpoolctl, torch
from mediapipe.python.solutions import face_detection, face_mesh
import toolkit.cli.dataset, toolkit.cli.ingest, toolkit.cli.show, toolkit.ingest.run
from tests.warm import wait_for_words
from toolkit.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv[1:] = wait_for_words(int(sys.argv[1]))
main()
"""

_MOST = 1 << 18
"""Bytes of a message: words and environment."""


def run_warm(
    words: Sequence[str], *, cwd: Path | None = None, timeout: float = 500
) -> "subprocess.CompletedProcess[str]":
    """Run `ttk` with these words to its end in a copy of the process that has loaded everything."""
    connection = _open_warm()
    with (
        tempfile.TemporaryFile("w+", errors="surrogateescape") as out,
        tempfile.TemporaryFile("w+", errors="surrogateescape") as err,
    ):
        content = pickle.dumps((words, os.fspath(cwd or Path.cwd()), dict(os.environ)))
        socket.send_fds(connection, [content], [out.fileno(), err.fileno()])
        pid = int(connection.recv(_MOST))
        connection.settimeout(timeout)
        try:
            code = int(connection.recv(_MOST))
        except TimeoutError as error:
            os.kill(pid, signal.SIGKILL)
            connection.recv(_MOST)
            raise subprocess.TimeoutExpired(list(words), timeout) from error
        finally:
            connection.settimeout(None)
        texts = [file.read() for file in (out, err) if not file.seek(0)]
    return subprocess.CompletedProcess(list(words), code, *texts)


@functools.cache
def _open_warm() -> socket.socket:
    """Start the process; returns the connection to it, at whose end it ends."""
    client, server = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with server:
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(server.fileno())],
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            pass_fds=[server.fileno()],
            start_new_session=True,  # a Ctrl-C in the terminal of the tests is not for it
        )

    def close() -> None:
        client.close()
        process.wait()

    atexit.register(close)
    return client


def wait_for_words(number: int) -> list[str]:
    """Copy this process at every request over the socket of this number.

    Returns in the copies alone: the words that their command is to have.
    """
    gc.collect()
    gc.freeze()  # a collection in a copy would write to, and so copy, everything it looks at
    connection = socket.socket(fileno=number)
    while True:
        content, files, _, _ = socket.recv_fds(connection, _MOST, 2)
        if not content:
            os._exit(0)
        if not (pid := os.fork()):
            break
        for file in files:
            os.close(file)
        connection.send(str(pid).encode())
        _, status = os.waitpid(pid, 0)
        connection.send(str(os.waitstatus_to_exitcode(status)).encode())
    connection.close()
    words, folder, environment = pickle.loads(content)
    for target, file in zip((1, 2), files, strict=True):
        os.dup2(file, target)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    return list(words)
