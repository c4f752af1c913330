"""Every error the toolkit raises on purpose.

A caller's mistake is a `ValueError`; everything below is trouble with data or the environment.
The command line prints the message alone and exits with 1, or with 3 where another process is
still at work.
"""

from toolkit.schema import Reason


class ToolkitError(Exception):
    """Data or environment is not as it must be; the message names the file and what to do.

    The command line exits with `exit_code`.
    """

    exit_code = 1


class SourceError(ToolkitError):
    """One source cannot become clips through its own fault; becomes a row in `rejected`."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class SetupError(ToolkitError):
    """A program, library or weights file is missing; the message says how to get it."""


class StorageError(ToolkitError):
    """The disk is full, the folder not writable, or memory is short: no video is at fault."""


class ShardError(ToolkitError):
    """A shard is missing, damaged, of another schema, or lacks the array asked for."""


class ManifestError(ToolkitError):
    """A manifest table is missing, damaged or contradicts the shards."""


class BusyError(ToolkitError):
    """Another process is still at the work that was asked for; the message says which."""

    exit_code = 3


class OptionsError(ToolkitError):
    """The dataset was made with other options; the message names the first that differs."""


_SYSTEM_PACKAGES = {
    "libGL.so": "libgl1",
    "libgthread": "libglib2.0-0",
    "libglib": "libglib2.0-0",
    "libEGL": "libegl1",
    "libgomp": "libgomp1",
    "libsndfile": "libsndfile1",
}
"""Shared library -> the Debian package that holds it."""


def explain_import(error: ImportError) -> str:
    """What to install where a library cannot be imported; names the system package if it is one."""
    for library, package in _SYSTEM_PACKAGES.items():
        if library in str(error):
            return f"{library} is missing: apt-get install {package}, or the like ({error})"
    return f"a library cannot be loaded: pip install ttk, or its extra, again ({error})"
