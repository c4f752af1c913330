"""What is said of files that are no video: by what they hold, and never in libav's words."""

import gzip
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.media import run_ffmpeg
from toolkit.errors import SourceError, ToolkitError
from toolkit.media.audio import open_sound, read_sound
from toolkit.media.explain import explain_file, find_problem
from toolkit.media.packets import hash_packets
from toolkit.media.video import probe, read_duration
from toolkit.schema import Reason

LIBAV = ("Invalid data", "Invalid argument", "Input/output error", "Errno")


def zip_up(name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, "x")
    return file.getvalue()


def tar_up() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.mp4"))
    return file.getvalue()


CONTENTS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "the file is empty"),
    "zeros": (bytes(10_000), "begins with zeros: a copy or download did not end"),
    "text": (b"this is no video\n" * 100, "a text file, no video"),
    "page": (b"\n<!DOCTYPE html><html><title>404</title>", "a web page (HTML)"),
    "json": (b'{"error": "not found"}', "a text file (JSON)"),
    "denied": (b'<?xml version="1.0"?><Error><Code>x</Code></Error>', "message of a server"),
    "m3u8": (b"#EXTM3U\n#EXTINF:2,\na.mp4\n", "a playlist (M3U): it names other files"),
    "concat": (b"ffconcat version 1.0\nfile a.mp4\n", "a playlist (ffconcat)"),
    "mpd": (b'<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash"></MPD>', "a playlist"),
    "pls": (b"[playlist]\nFile1=a.mp4\n", "a playlist"),
    "utf-16": ("#EXTM3U\na.mp4\n".encode("utf-16"), "a playlist (M3U)"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git lfs pull"),
    "annex": (b"/annex/objects/SHA256E-s1--1.mp4\n", "git annex get"),
    "srt": (b"1\n00:00:01,000 --> 00:00:02,000\nHello\n", "subtitles"),
    "vtt": (b"WEBVTT\n\n", "subtitles"),
    "zip": (zip_up("a.mp4"), "an archive (ZIP): unpack it"),
    "gzip": (gzip.compress(b"a" * 999), "an archive (gzip): unpack it"),
    "tar": (tar_up(), "an archive (tar): unpack it"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(range(256)), "an archive (7z)"),
    "openssl": (b"Salted__" + bytes(range(256)), "an encrypted file (OpenSSL)"),
    "pdf": (b"%PDF-1.4\n" + bytes(range(256)), "a PDF"),
    "random": (bytes(range(255, 0, -1)) * 20, "damaged, or of no kind that ffmpeg knows"),
}


@pytest.mark.parametrize("kind", CONTENTS)
def test_a_file_of_another_kind_is_called_what_it_is(kind: str, tmp_path: Path) -> None:
    content, words = CONTENTS[kind]
    path = tmp_path / f"{kind}.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        probe(path)
    assert caught.value.reason is Reason.UNREADABLE
    assert words in str(caught.value)
    assert not any(text in str(caught.value) for text in LIBAV)
    with pytest.raises(ToolkitError, match=r"no sound can be read: ") as heard:
        read_sound(path)
    assert words.removesuffix(", no video") in str(heard.value)


@pytest.mark.parametrize("kind", ["png", "jpg", "gif", "bmp", "tiff"])
def test_a_picture_is_called_a_picture(kind: str, tmp_path: Path, videos: Path) -> None:
    picture = tmp_path / f"x.{kind}"
    run_ffmpeg("-i", videos / "person00" / "clip00.mp4", "-frames:v", "1", picture)
    with pytest.raises(SourceError, match="a picture"):
        probe(picture.rename(tmp_path / "x.mp4"))


@pytest.fixture
def whole(tmp_path: Path, videos: Path) -> bytes:
    """An MP4 with its index at the end."""
    path = tmp_path / "whole.mp4"
    run_ffmpeg("-i", videos / "person00" / "clip00.mp4", "-c", "copy", "-movflags", "0", path)
    return path.read_bytes()


def explain(content: bytes, folder: Path) -> str:
    path = folder / "cut.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        probe(path)
    return str(caught.value)


def test_an_mp4_that_was_cut_off_says_what_of_it_is_missing(whole: bytes, tmp_path: Path) -> None:
    index = whole.index(b"moov") - 4
    assert "an MP4 without its index (moov)" in explain(whole[:index], tmp_path)
    assert "an MP4 whose index (moov) is not whole" in explain(whole[: index + 2000], tmp_path)
    front = whole[:32] + whole[index:]  # the index in front of the data, and cut
    assert "is not whole" in explain(front[:300], tmp_path)


def test_a_segment_of_a_stream_needs_its_beginning(tmp_path: Path, videos: Path) -> None:
    path = tmp_path / "f.mp4"
    flags = ("-movflags", "frag_keyframe+empty_moov+default_base_moof")
    run_ffmpeg("-i", videos / "person00" / "clip00.mp4", "-c", "copy", *flags, path)
    content = path.read_bytes()
    segment = content[content.index(b"moof") - 4 :]
    assert "a segment of a stream (DASH, HLS) without its beginning" in explain(segment, tmp_path)


def test_an_encrypted_mp4_says_so(tmp_path: Path, videos: Path) -> None:
    path = tmp_path / "locked.mp4"
    key = ("-encryption_key", "0" * 31 + "1", "-encryption_kid", "0" * 31 + "2")
    run_ffmpeg("-i", videos / "person00" / "clip00.mp4", "-c", "copy", "-encryption_scheme",
               "cenc-aes-ctr", *key, path)  # fmt: skip
    with pytest.raises(SourceError, match="an encrypted MP4"):
        probe(path)


def test_the_word_for_encryption_among_an_indexs_numbers_means_nothing(
    whole: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "whole.mp4"
    place = whole.index(b"Lavf")  # text behind the tables
    path.write_bytes(whole[:place] + b"encv" + whole[place + 4 :])
    assert probe(path)[0].width == 256


def test_a_codec_that_ffmpeg_does_not_know_does_not_stop_a_plan(
    whole: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "odd.mp4"
    path.write_bytes(whole.replace(b"avc1", b"zzz1"))
    with pytest.raises(SourceError, match="ffmpeg has no decoder for its codec"):
        probe(path)
    assert hash_packets(path) == ""


@pytest.mark.parametrize("suffix", ["wav", "mp3", "m4a", "flac"])
def test_sound_without_a_picture_is_called_a_recording(
    suffix: str, tmp_path: Path, videos: Path
) -> None:
    path = tmp_path / f"x.{suffix}"
    run_ffmpeg("-i", videos / "person00" / "clip00.mp4", "-vn", path)
    with pytest.raises(SourceError, match="a sound recording: the file has no video stream") as e:
        probe(path)
    assert e.value.reason is Reason.NO_VIDEO


def test_the_end_of_the_first_block_may_cut_a_letter_in_two(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(b"a" + "é".encode() * 5000)
    assert explain_file(path) == "a text file, no video"


# --- what is no file ----------------------------------------------------------------------------


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "speech.wav"
    os.mkfifo(pipe)
    with pytest.raises(ToolkitError, match=r"speech\.wav: a pipe \(fifo\), no file: give a file"):
        read_sound(pipe)
    with pytest.raises(SourceError, match="a pipe"), open_sound(pipe):
        pass
    with pytest.raises(SourceError, match="a pipe"):
        probe(pipe)
    assert read_duration(pipe) == 0
    assert find_problem(pipe) == "a pipe (fifo), no file"


def test_a_device_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="/dev/zero: a device, no file"):
        read_sound(Path("/dev/zero"))
    with pytest.raises(ToolkitError, match="a folder, no file"):
        read_sound(tmp_path)


def test_a_file_may_be_reached_by_a_link(tmp_path: Path, videos: Path) -> None:
    link = tmp_path / "link.mp4"
    link.symlink_to(videos / "person00" / "clip00.mp4")
    assert probe(link)[0].width == 256
    assert not find_problem(link)


def test_a_file_that_may_not_be_opened_says_so(
    tmp_path: Path, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"x")

    def refuse(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(SourceError, match=r"^it cannot be read \(Permission denied\): make it"):
        probe(path)
