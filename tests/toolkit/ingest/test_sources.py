"""Sources: files that are given, and their paths in the manifest; files stand for videos here."""

import os
import random
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.numbered import HEIGHT, WIDTH, draw_numbers, encode, list_encoders
from toolkit.dataset.paths import encode_path, source_path
from toolkit.errors import ToolkitError
from toolkit.ingest.sources import check_inputs, find_sources
from toolkit.media.video import SUFFIXES, probe
from toolkit.schema import Source

PIXELS = {"mjpeg": "yuvj420p"}


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# --- what is found ------------------------------------------------------------------------------


def test_a_folder_is_searched_through_for_videos(tmp_path: Path) -> None:
    for name in ("b.MP4", "sub/a.mkv", "sub/deep/c.webm", "notes.md", ".hidden/d.mp4", ".e.mp4"):
        write(tmp_path / name, name)
    found = find_sources([tmp_path])
    assert {path.name: place.depth for path, place in found.places.items()} == {
        "b.MP4": 0, "a.mkv": 1, "c.webm": 2,
    }  # fmt: skip
    assert {place.root for place in found.places.values()} == {tmp_path}


def test_linked_folders_are_searched_through_once(tmp_path: Path) -> None:
    video = write(tmp_path / "elsewhere" / "1.mp4", "1")
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "ann").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "v" / "bob").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "circle").symlink_to(tmp_path / "v")
    ((path, place),) = find_sources([tmp_path / "v"]).places.items()
    assert (path, place.path) == (video, tmp_path / "v" / "ann" / "1.mp4")


def lock(patch: pytest.MonkeyPatch, name: str) -> None:
    """The folder of this name cannot be searched."""
    scan = os.scandir

    def refuse(path: str) -> object:
        if Path(path).name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    patch.setattr(os, "scandir", refuse)


def test_a_folder_that_cannot_be_searched_is_a_problem_and_the_rest_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "v" / "locked" / "1.mp4", "1")
    good = write(tmp_path / "v" / "2.mp4", "2")
    lock(monkeypatch, "locked")
    found = find_sources([tmp_path / "v"])
    assert list(found.places) == [good]
    words = "the folder cannot be searched (Permission denied)"
    assert found.problems == {tmp_path / "v" / "locked": words}
    lock(monkeypatch, "v")
    with pytest.raises(ToolkitError, match=r"v: the folder cannot be searched \(Permission denied"):
        find_sources([tmp_path / "v"])


def test_what_is_no_file_is_a_problem_and_is_never_opened(tmp_path: Path) -> None:
    """Opening the pipe would wait for a writer without end."""
    write(tmp_path / "a.mp4", "a")
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "tape.mp4").symlink_to("/dev/null")
    (tmp_path / "round.mkv").symlink_to("round.mkv")
    (tmp_path / "ann").symlink_to("/gone/ann")
    write(tmp_path / "sub" / "b.mp4", "b")
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    with socket.socket(socket.AF_UNIX) as server, pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)  # the name of a socket may not be long
        server.bind("socket.mp4")
        found = find_sources([tmp_path])
    assert [path.name for path in found.places] == ["a.mp4", "b.mp4"]
    assert {str(path.relative_to(tmp_path)): text for path, text in found.problems.items()} == {
        "pipe.mp4": "a pipe (fifo), no file",
        "socket.mp4": "a socket, no file",
        "tape.mp4": "a device, no file",
        "round.mkv": "a link that leads in a circle",
        "ann": "a link to /gone/ann, which is not there: get it first",
        "sub/up": f"a link to {tmp_path}, which it lies in",
    }
    assert not found.passed_over


def test_a_link_into_a_folder_that_may_not_be_entered_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.mp4", "b.mp4"):
        write(tmp_path / name, name)
    look = os.stat

    def refuse(path: Path, *args: Any, **more: Any) -> os.stat_result:
        if Path(path).name == "b.mp4":
            raise PermissionError(13, "Permission denied", str(path))
        return look(path, *args, **more)

    monkeypatch.setattr(os, "stat", refuse)
    found = find_sources([tmp_path])
    assert [path.name for path in found.places] == ["a.mp4"]
    words = "it cannot be read (Permission denied): make it readable or leave it out"
    assert found.problems == {tmp_path / "b.mp4": words}


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        (["*_raw.mp4"], ["a.mp4", "in/b.mp4", "in/deep/c.mp4", "out/a.mp4"]),
        (["in"], ["a.mp4", "a_raw.mp4", "out/a.mp4"]),
        (["in/*"], ["a.mp4", "a_raw.mp4", "out/a.mp4"]),
        (["in/deep"], ["a.mp4", "a_raw.mp4", "in/b.mp4", "out/a.mp4"]),
        (["./in/deep/"], ["a.mp4", "a_raw.mp4", "in/b.mp4", "out/a.mp4"]),
        (["a.mp4", "c*"], ["a_raw.mp4", "in/b.mp4"]),
        (["[!a]*"], ["a.mp4", "a_raw.mp4"]),
    ],
)
def test_names_and_paths_that_fit_a_pattern_are_left_out(
    patterns: list[str], left: list[str], tmp_path: Path
) -> None:
    for name in ("a.mp4", "a_raw.mp4", "in/b.mp4", "in/deep/c.mp4", "out/a.mp4"):
        write(tmp_path / name, name)
    found = find_sources([tmp_path], patterns)
    assert [path.relative_to(tmp_path).as_posix() for path in found.places] == left
    assert found.passed_over["excluded"] > 0


@pytest.mark.parametrize("given", ["v", "./v/", "{here}/v"])
@pytest.mark.parametrize("named", ["v/in/", "./v/in", "{here}/v/in", "../{name}/v/in"])
def test_what_a_shell_completes_is_left_out(
    given: str, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("v/a.mp4", "v/in/b.mp4", "v/v/in/c.mp4"):
        write(tmp_path / name, name)
    monkeypatch.chdir(tmp_path)
    given, named = (text.format(here=tmp_path, name=tmp_path.name) for text in (given, named))
    found = find_sources([Path(given)], [named])
    assert [path.name for path in found.places if path.name != "c.mp4"] == ["a.mp4"]
    assert (tmp_path / "v/in") in found.excluded


def test_a_file_given_by_itself_or_in_a_list_is_left_out_too(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", "a"), write(tmp_path / "b.mp4", "b")
    listed = write(tmp_path / "l.txt", "a.mp4\nb.mp4\n")
    for inputs in ([tmp_path / "a.mp4", tmp_path / "b.mp4"], [listed]):
        assert [path.name for path in find_sources(inputs, ["b*"]).places] == ["a.mp4"]


def test_a_pattern_that_fits_nothing_is_reported(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", "a")
    with pytest.warns(UserWarning, match=r"--exclude \*\.mvo: fits nothing that is given"):
        find_sources([tmp_path], ["*.mvo"])


def test_a_list_names_paths_relative_to_itself_one_a_line(tmp_path: Path) -> None:
    for name in ("in/a b.mp4", "in/ü\u2028x.mp4", "in/c.xyz"):
        write(tmp_path / name, name)
    text = "a b.mp4\r\n\nü\u2028x.mp4\nc.xyz".encode()
    listed = write(tmp_path / "in" / "all.txt", text)
    assert [path.name for path in find_sources([listed]).places] == [
        "a b.mp4",
        "c.xyz",
        "ü\u2028x.mp4",
    ]


def test_a_list_may_name_files_that_are_not_utf8(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.mp4")
    write(tmp_path / name, "x")
    assert [p.name for p in find_sources([write(tmp_path / "l.txt", b"caf\xe9.mp4\n")]).places] == [
        name
    ]


@pytest.mark.parametrize("kind", ["missing", "empty", "listed"])
def test_nothing_to_ingest_is_an_error_that_names_what_was_given(kind: str, tmp_path: Path) -> None:
    given_ = tmp_path / "given"
    if kind == "empty":
        given_.mkdir()
    elif kind == "listed":
        given_ = write(tmp_path / "given.txt", "gone.mp4\n")
    with pytest.raises(ToolkitError, match=r"given|gone"):
        find_sources([given_])


def test_a_file_given_twice_is_one_source_and_the_order_of_giving_changes_nothing(
    tmp_path: Path,
) -> None:
    videos = tmp_path / "videos"
    inputs = [videos, write(videos / "a.mp4", "aaa"), write(videos / "sub" / "b.mp4", "bbb")]
    expected = find_sources(inputs)
    assert len(expected.places) == 2
    for _ in range(5):
        random.shuffle(inputs)
        assert find_sources(inputs) == expected


def test_a_list_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", "a")
    listed = write(tmp_path / "list.txt", b"\xef\xbb\xbfa.mp4\r\n")
    assert [path.name for path in find_sources([listed]).places] == ["a.mp4"]


def test_a_list_in_a_list_and_a_line_that_names_nothing_are_refused_by_line(
    tmp_path: Path,
) -> None:
    itself = write(tmp_path / "list.txt", "\nlist.txt\n")
    with pytest.raises(ToolkitError, match=r"list.txt, line 2: a list cannot hold a list"):
        find_sources([itself])
    wrong = write(tmp_path / "wrong.txt", "gone.mp4\n")
    with pytest.raises(ToolkitError, match=r"wrong.txt, line 1: .*gone.mp4: no such file"):
        find_sources([wrong])


# --- what is passed over ------------------------------------------------------------------------


def test_what_a_folder_holds_beside_videos_is_counted_by_kind(tmp_path: Path) -> None:
    """Hidden files are none of anybody's business."""
    for name in ("a.mp4", "sub/b.JPG", "c.jpg", "README", "sub/talk", ".DS_Store", ".git/x.txt"):
        write(tmp_path / name, name)
    found = find_sources([tmp_path, tmp_path / "sub"])
    assert [path.name for path in found.places] == ["a.mp4"]
    assert found.passed_over == {".jpg": 2, "without a suffix": 2}
    (text,) = found.describe_passed()
    assert text.startswith("passed over in the folders given: 2 .jpg, 2 without a suffix")


def test_a_file_that_is_given_by_itself_was_not_passed_over(tmp_path: Path) -> None:
    talk = write(tmp_path / "talk", "no suffix")
    found = find_sources([tmp_path, talk])
    assert list(found.places) == [talk]
    assert not found.passed_over


def test_many_kinds_are_summed_up(tmp_path: Path) -> None:
    for number in range(10):
        write(tmp_path / f"x.k{number}", "x")
    write(tmp_path / "v.mp4", "v")
    (text,) = find_sources([tmp_path]).describe_passed()
    assert text.endswith(": " + ", ".join(f"1 .k{number}" for number in range(8)) + ", 2 others")


def test_a_folder_without_videos_says_what_lies_there_instead(tmp_path: Path) -> None:
    write(tmp_path / "a.jpg", "a")
    with pytest.raises(ToolkitError, match=r"no videos in .* \(passed over in .*: 1 \.jpg\)"):
        find_sources([tmp_path])


def test_a_link_to_nothing_that_is_given_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").symlink_to(tmp_path / "gone")
    with pytest.raises(ToolkitError, match=r"a\.mp4: a link to .*gone, which is not there"):
        check_inputs([tmp_path / "a.mp4"])


MUXERS = {
    "3g2": ("3g2", "mpeg4"), "3gp": ("3gp", "mpeg4"), "asf": ("asf", "wmv2"),
    "avi": ("avi", "mpeg4"), "divx": ("avi", "mpeg4"), "f4v": ("f4v", "libx264"),
    "flv": ("flv", "flv"), "ivf": ("ivf", "libvpx"), "m1v": ("mpeg1video", "mpeg1video"),
    "m2p": ("vob", "mpeg2video"), "m2t": ("mpegts", "mpeg2video"),
    "m2ts": ("mpegts", "mpeg2video"), "m2v": ("mpeg2video", "mpeg2video"),
    "m4v": ("mp4", "mpeg4"), "mk3d": ("matroska", "mpeg4"), "mkv": ("matroska", "mpeg4"),
    "mod": ("vob", "mpeg2video"), "mov": ("mov", "mpeg4"), "mp4": ("mp4", "mpeg4"),
    "mpe": ("mpeg", "mpeg1video"), "mpeg": ("mpeg", "mpeg1video"), "mpg": ("vob", "mpeg2video"),
    "mpv": ("mpeg2video", "mpeg2video"), "mts": ("mpegts", "mpeg2video"),
    "ogm": ("ogg", "libtheora"), "ogv": ("ogg", "libtheora"), "qt": ("mov", "mjpeg"),
    "tod": ("mpegts", "mpeg2video"), "trp": ("mpegts", "mpeg2video"),
    "ts": ("mpegts", "mpeg2video"), "vob": ("vob", "mpeg2video"), "vro": ("vob", "mpeg2video"),
    "webm": ("webm", "libvpx"), "wmv": ("asf", "wmv2"),
}  # fmt: skip
"""Suffix -> the container that such files are, and a codec."""


@pytest.mark.parametrize("suffix", MUXERS)
def test_videos_of_every_suffix_are_found_and_can_be_read(suffix: str, tmp_path: Path) -> None:
    muxer, codec = MUXERS[suffix]
    if codec not in list_encoders():
        pytest.skip(f"this ffmpeg cannot encode {codec}")
    path = tmp_path / f"video.{suffix.upper()}"
    encode(path, draw_numbers(5), "-c:v", codec, "-pix_fmt", PIXELS.get(codec, "yuv420p"), "-f",
           muxer)  # fmt: skip
    assert list(find_sources([tmp_path]).places) == [path]
    assert (probe(path)[0].width, probe(path)[0].height) == (WIDTH, HEIGHT)


def test_every_suffix_but_those_of_formats_of_fixed_size_is_tried() -> None:
    """DV, MXF's and Motion JPEG 2000's encoders take few sizes."""
    untried = {suffix[1:] for suffix in SUFFIXES} - MUXERS.keys()
    assert untried == {"dif", "dv", "mj2", "mxf"}


# --- names --------------------------------------------------------------------------------------


NAME = st.binary(min_size=1, max_size=40).filter(
    lambda raw: b"/" not in raw and b"\0" not in raw and raw not in (b".", b"..")
)


@settings(max_examples=200)
@given(st.lists(NAME, min_size=1, max_size=3))
def test_any_path_is_written_as_utf8_and_found_again(parts: list[bytes]) -> None:
    dataset = Path("/somewhere/data")
    path = Path("/somewhere/videos").joinpath(*(os.fsdecode(part) for part in parts))
    encoded = encode_path(path, dataset)
    encoded.encode()
    source = Source(path=encoded, size=0, mtime_ns=0, sha256="", identity="", duration=0)
    found = os.path.normpath(source_path(source, dataset))
    assert os.fsencode(found) == os.fsencode(path)


@settings(max_examples=200)
@given(NAME, NAME)
def test_two_paths_are_never_written_the_same_way(one: bytes, other: bytes) -> None:
    encoded = [encode_path(Path("/v") / os.fsdecode(name), Path("/d")) for name in (one, other)]
    assert (encoded[0] == encoded[1]) == (one == other)
