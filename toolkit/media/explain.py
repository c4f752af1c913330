"""Why a file cannot be read, in a person's words: what it is in place of a video or recording.

libav says "Invalid data" or "Invalid argument" of everything that it does not open. What a file is
stands in its first bytes; an MP4 says more by the boxes that it is made of.
"""

import errno
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av

from toolkit.errors import SourceError
from toolkit.schema import Reason

_HEAD = 4096
_MOST_BOXES = 10_000
_MOST_OF_INDEX = 1 << 20

_SPECIAL = (
    (stat.S_ISDIR, "a folder, no file"),
    (stat.S_ISFIFO, "a pipe (fifo), no file"),
    (stat.S_ISSOCK, "a socket, no file"),
    (stat.S_ISCHR, "a device, no file"),
    (stat.S_ISBLK, "a device, no file"),
)

_SYSTEM = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}
"""Errors of opening that are no fault of the file."""

_CUT = "the recording, copy or download was cut off"

_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "a picture (JPEG), no video"),
    (0, b"\x89PNG", "a picture (PNG), no video"),
    (0, b"GIF8", "a picture (GIF), no video with sound"),
    (0, b"BM", "a picture (BMP), no video"),
    (8, b"WEBP", "a picture (WebP), no video"),
    (0, b"II*\0", "a picture (TIFF), no video"),
    (0, b"MM\0*", "a picture (TIFF), no video"),
    (0, b"8BPS", "a picture (PSD), no video"),
    (0, b"PK\3\4", "an archive (ZIP): unpack it"),
    (0, b"PK\5\6", "an archive (ZIP), and empty"),
    (0, b"\x1f\x8b", "an archive (gzip): unpack it"),
    (0, b"7z\xbc\xaf\x27\x1c", "an archive (7z): unpack it"),
    (0, b"Rar!", "an archive (RAR): unpack it"),
    (0, b"BZh", "an archive (bzip2): unpack it"),
    (0, b"\xfd7zXZ", "an archive (xz): unpack it"),
    (0, b"\x28\xb5\x2f\xfd", "an archive (zstd): unpack it"),
    (257, b"ustar", "an archive (tar): unpack it"),
    (0, b"Salted__", "an encrypted file (OpenSSL): decrypt it"),
    (0, b"age-encryption.org", "an encrypted file (age): decrypt it"),
    (0, b"-----BEGIN PGP", "an encrypted file (PGP): decrypt it"),
    (0, b"%PDF", "a PDF, no video"),
    (0, b"\xd0\xcf\x11\xe0", "an Office document, no video"),
    (0, b"\x7fELF", "a program, no video"),
    (0, b"MZ", "a program, no video"),
    (0, b"\x89HDF", "an HDF5 file, no video"),
    (0, b"\x93NUMPY", "a NumPy array, no video"),
    (0, b"SQLite format", "a database (SQLite), no video"),
    (0, b".RMF", "a RealMedia file, which is not read here: ffmpeg -i it new.mkv"),
    (0, b"YUV4MPEG2", "raw pictures (Y4M), which are not read here: ffmpeg -i it new.mkv"),
    (0, b"FWS", "a Flash animation (SWF), no video"),
    (0, b"CWS", "a Flash animation (SWF), no video"),
    (0, b"\0\0\0\1", "a bare stream without a container: ffmpeg -i it -c copy new.mkv"),
    (0, b"\0\0\1\x67", "a bare stream without a container: ffmpeg -i it -c copy new.mkv"),
    (0, b"\x1a\x45\xdf\xa3", f"a Matroska or WebM file without its beginning whole: {_CUT}"),
    (8, b"AVI ", f"an AVI file without its beginning whole: {_CUT}"),
    (8, b"WAVE", f"a recording (WAV) without its beginning whole: {_CUT}"),
    (8, b"AIF", "a recording (AIFF), no video"),
    (0, b".snd", "a recording (AU), no video"),
    (0, b"#!AMR", "a recording (AMR), no video"),
    (0, b"caff", "a recording (CAF), no video"),
)
"""Offset, bytes that stand there, what such a file is that libav does not open as a video."""

_TEXTS: tuple[tuple[str, str], ...] = (
    (r"<(!doctype html|html|head|body|script)", "a web page (HTML), not the video it may lead to"),
    (r"#extm3u", "a playlist (M3U): it names other files, give those"),
    (r"ffconcat version", "a playlist (ffconcat): it names other files, give those"),
    (r"\[playlist\]|<asx|<smil|<mpd|<\?xml[^>]*>\s*(<!--.*?-->\s*)*<(mpd|asx|smil|playlist)\b",
     "a playlist: it names other files, give those"),
    (r"v=0\r?\no=", "a session description (SDP), no video"),
    (r"version https://git-lfs", "a pointer of Git LFS: git lfs pull gets the video"),
    (r"/annex/objects/", "a pointer of git-annex: git annex get gets the video"),
    (r"webvtt|\d+\s*\r?\n\d\d:\d\d:\d\d[,.]\d\d\d -->", "subtitles, no video"),
    (r"accessdenied|<\?xml[^>]*>\s*<error", "an error message of a server, not the video"),
    (r"[{\[]", "a text file (JSON), no video"),
)  # fmt: skip
"""How a text begins, in lower case, and what it is then."""

_PICTURES = {b"avif", b"avis", b"heic", b"heix", b"heif", b"mif1", b"msf1"}
_BOXES = {b"ftyp", b"moov", b"mdat", b"moof", b"styp", b"sidx", b"wide", b"free", b"skip", b"pnot"}
_LOCK = re.compile(rb"(encv|enca|drmi|drms)\0{7}[\1-\xff]")
"""How a track's description begins in an MP4 that is encrypted; its table is full of numbers."""

_LOCKED = "an encrypted MP4 (copy protection): it cannot be decoded"
_NO_START = "a segment of a stream (DASH, HLS) without its beginning: join it to its first part"

_WORDS: dict[type[Exception], str] = {
    av.error.InvalidDataError: "it is damaged, or of no kind that ffmpeg knows",
    av.error.ArgumentError: "it is of no kind that is read here",
    av.error.EOFError: "it ends too early",
    av.error.DecoderNotFoundError: "ffmpeg has no decoder for its codec",
}
"""Error of libav -> what it means for a file."""


def word_error(error: Exception) -> str:
    """An error of libav in words, or as it words itself."""
    for kind, words in _WORDS.items():
        if isinstance(error, kind):
            return words
    return str(getattr(error, "strerror", None) or error)


def require_file(path: Path) -> None:
    """Refuse what is no regular file, which may never answer; one that is missing passes.

    Raises:
        SourceError: `unreadable`; names the path and what it is.
    """
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    if kind := _name_kind(mode):
        raise SourceError(Reason.UNREADABLE, f"{path}: {kind}: give a file")


def find_problem(path: Path) -> str:
    """Why a path cannot be read as a file, "" if it can; nothing but regular files is opened.

    Raises:
        OSError: too many files are open, or memory is short.
    """
    try:
        if kind := _name_kind(path.stat().st_mode):
            return kind
        with path.open("rb"):
            return ""
    except OSError as error:
        return describe_refusal(path, error)


def describe_refusal(path: Path, error: OSError) -> str:
    """Why the system does not let a path be read; raises again what is no fault of the file."""
    if error.errno in _SYSTEM:
        raise error
    if error.errno == errno.ELOOP:
        return "a link that leads in a circle"
    if error.errno == errno.ENOENT and path.is_symlink():
        target = " ".join(os.fspath(path.readlink()).split())
        return f"a link to {target}, which is not there: get it first"
    if error.errno == errno.ENOENT:
        return "it is gone"
    return f"it cannot be read ({error.strerror}): make it readable or leave it out"


def _name_kind(mode: int) -> str:
    return next((text for is_kind, text in _SPECIAL if is_kind(mode)), "")


def explain_file(path: Path) -> str:
    """What a file is that libav does not open, or what it lacks; "" where nothing says it."""
    try:
        with path.open("rb") as file:
            head, size = file.read(_HEAD), os.fstat(file.fileno()).st_size
            return _explain_head(head, size) or _explain_boxes(file, size) or _explain_text(head)
    except OSError:
        return ""


def refuse_encrypted(path: Path) -> None:
    """Refuse an MP4 with copy protection: ffmpeg opens it, and some of its noise may decode.

    Raises:
        SourceError: `unreadable`.
    """
    with path.open("rb") as file:
        if _explain_boxes(file, os.fstat(file.fileno()).st_size) == _LOCKED:
            raise SourceError(Reason.UNREADABLE, _LOCKED)


def _explain_head(head: bytes, size: int) -> str:
    if not size:
        return "the file is empty"
    if not any(head):
        return "the file begins with zeros: a copy or download did not end"
    for offset, mark, text in _SIGNATURES:
        if head.startswith(mark, offset):
            return text
    return ""


def _explain_boxes(file: BinaryIO, size: int) -> str:
    """What an MP4 or MOV lacks, by its boxes."""
    boxes = list(_read_boxes(file, size))
    names = [name for name, _, _ in boxes]
    if not names or names[0] not in _BOXES:
        return ""
    file.seek(8)
    if names[0] == b"ftyp" and file.read(4) in _PICTURES:
        return "a picture (HEIF or AVIF), no video"
    index = next(((start, end) for name, start, end in boxes if name == b"moov"), None)
    if index is None:
        return _NO_START if b"moof" in names else f"an MP4 without its index (moov): {_CUT}"
    if index[1] > size:
        return f"an MP4 whose index (moov) is not whole: {_CUT}"
    file.seek(index[0])
    content = file.read(min(index[1] - index[0], _MOST_OF_INDEX))
    return _LOCKED if _LOCK.search(content) else ""


def _read_boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and claimed end of each box that an MP4 consists of, as far as they go."""
    start = 0
    for _ in range(_MOST_BOXES):
        file.seek(start)
        head = file.read(16)
        if len(head) < 8:
            return
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        end = start + length if length else size
        if end < start + 8:
            return
        yield head[4:8], start, end
        start = end


def _explain_text(head: bytes) -> str:
    text = _read_text(head)
    if text is None:
        return ""
    found = (words for form, words in _TEXTS if re.match(form, text, re.DOTALL))
    return next(found, "a text file, no video")


def _read_text(head: bytes) -> str | None:
    """The beginning of a text in lower case, without space before it; None if it is none."""
    coding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = head.decode(coding)
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:  # not the last letter, cut in two
            return None
        text = head[: error.start].decode(coding)
    is_text = all(letter.isprintable() or letter.isspace() for letter in text)
    return text.strip().lower() if is_text else None
