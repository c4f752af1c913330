"""Clips in a browser: who may ask, what is sent, what is written, and what the page shows."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.serving import BaseWSGIServer
from werkzeug.test import Client, TestResponse

from tests.browser import Browser, needs_chromium
from tests.datasets import FakeClip, write_dataset
from toolkit.cli import main
from toolkit.dataset.excluded import read_excluded
from toolkit.dataset.manifest import write_split
from toolkit.dataset.shard import ShardReader
from toolkit.errors import ManifestError, ToolkitError
from toolkit.media.video import probe
from toolkit.preview.clip import read_clip
from toolkit.view import clips as shown
from toolkit.view import videos as kept
from toolkit.view.server import MAX_BODY, Viewer, is_own_host, open_server
from toolkit.view.videos import VideoCache

MARKUP = "<b>ann</b>"
SIDE, NUM_FRAMES = 64, 60


def make_mesh() -> "dict[str, np.ndarray[Any, Any]]":
    """Frame t has all its points at (t, 2t) px, and AU45 of t / 20."""
    frames = np.arange(NUM_FRAMES, dtype=np.float32)
    mesh = np.stack([frames, 2 * frames, 0 * frames], axis=-1)
    return {
        "face/landmarks": np.repeat(mesh[:, None], 478, axis=1),
        "face/au45": frames / 20,
        "face/valid": frames != 5,
    }


CLIPS = [
    FakeClip(identity=MARKUP, source="videos/<i>1</i>.mp4", num_frames=NUM_FRAMES,
             arrays=make_mesh(), row={"face_size": 100.0, "mouth_audio_lag": 0.1}),
    FakeClip(identity="bob", source="videos/2.mp4", num_frames=30,
             row={"face_size": 300.0, "mouth_audio_lag": None}),
    FakeClip(identity="bob", source="videos/3.mp4", num_frames=30,
             row={"face_size": 200.0, "mouth_audio_lag": None}),
]  # fmt: skip
ANN, BOB, BOB_2 = (clip.id for clip in CLIPS)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips of two people; pictures of frame t have brightness 10·t mod 250."""
    folder = write_dataset(tmp_path_factory.mktemp("data") / "set", {"j": CLIPS}, frame_size=SIDE)
    made = {"by": "source", "ratio": "1-1-1", "seed": 0}
    parts = zip((ANN, BOB, BOB_2), ("train", "val", "test"), strict=True)
    write_split(folder, [{"clip_id": i, "split": part, **made} for i, part in parts])
    return folder


@pytest.fixture
def dataset(written: Path, tmp_path: Path) -> Path:
    """A copy that a test may write to."""
    return Path(shutil.copytree(written, tmp_path / "set"))


@pytest.fixture
def videos() -> Iterator[VideoCache]:
    with VideoCache() as cache:
        yield cache


@pytest.fixture
def viewer(dataset: Path, videos: VideoCache) -> Viewer:
    return Viewer(dataset, "127.0.0.1", videos)


def get(viewer: Viewer, path: str = "", **options: Any) -> TestResponse:
    base = options.pop("base_url", "http://127.0.0.1:8000")
    return Client(viewer).open(f"/{viewer.secret}/{path}", base_url=base, **options)


def ask(viewer: Viewer, path: str, **options: Any) -> Any:
    answer = get(viewer, path, **options)
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def list_names(viewer: Viewer, query: str) -> list[str]:
    return [row["id"] for row in ask(viewer, f"clips?{query}")["clips"]]


# --- who may ask --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "loopback", "any_address"),
    [
        ("127.0.0.1:8000", True, True),
        ("localhost", True, True),
        ("localhost:8000", True, True),
        ("[::1]:8000", True, True),
        ("[::1]", True, True),
        ("192.168.0.7:8000", False, True),
        ("[fe80::1]:8000", False, True),
        ("evil.example", False, False),
        ("127.0.0.1.evil.example:8000", False, False),
        ("localhost.evil.example", False, False),
        ("", False, False),
        (":8000", False, False),
        ("127.0.0.1:http", False, False),
    ],
)
def test_a_host_header_that_names_another_machine_is_refused(
    header: str, loopback: bool, any_address: bool
) -> None:
    assert is_own_host(header, "127.0.0.1") == loopback
    assert is_own_host(header, "0.0.0.0") == any_address


@given(st.text())
def test_no_host_header_raises(header: str) -> None:
    assert isinstance(is_own_host(header, "127.0.0.1"), bool)


def test_a_name_that_was_made_to_lead_here_gets_nothing(viewer: Viewer, dataset: Path) -> None:
    for path, method in (("", "GET"), ("clips", "GET"), (f"clips/{ANN}/exclude", "POST")):
        answer = get(
            viewer, path, method=method, json={"reason": ""}, base_url="http://evil.example"
        )
        assert answer.status_code == 403
    assert read_excluded(dataset) == {}


def test_without_the_secret_nothing_is_read_or_marked(viewer: Viewer, dataset: Path) -> None:
    client = Client(viewer)
    for start in ("", "/", "/guess/", f"/{viewer.secret}", f"/{viewer.secret[:-1]}/", "/ü/"):
        for path in ("", "clips", f"clips/{ANN}/video"):
            assert client.get(start + path, base_url="http://localhost").status_code == 404
    answer = client.post(
        f"/guess/clips/{ANN}/exclude", json={"reason": ""}, base_url="http://localhost"
    )
    assert answer.status_code == 404
    assert read_excluded(dataset) == {}


@pytest.mark.parametrize(
    "name",
    ["../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e/manifests/split.parquet",
     "/etc/passwd", "shards/j.h5", ANN[:6], "%00", "\ud800"],
)  # fmt: skip
def test_only_whole_ids_of_the_manifest_are_found(viewer: Viewer, name: str) -> None:
    name = name.encode("utf-8", "surrogatepass").decode("latin-1")
    for path in (f"clips/{name}", f"clips/{name}/video", f"clips/{name}/mesh", name):
        assert get(viewer, path).status_code == 404


def test_another_address_than_loopback_is_said_what_it_means(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BaseWSGIServer, "serve_forever", lambda server: server.server_close())
    before = signal.getsignal(signal.SIGTERM)
    try:
        words = ["view", "--data", str(dataset)]
        near, far = (
            CliRunner().invoke(main, [*words, *more]) for more in ([], ["--host", "0.0.0.0"])
        )
    finally:
        signal.signal(signal.SIGTERM, before)
    assert "who has the address sees faces" in far.stderr
    assert re.match(r"http://0\.0\.0\.0:\d+/", far.stdout)
    assert "who has the address" not in near.stderr


# --- what is sent -------------------------------------------------------------------------------


def test_the_page_loads_nothing_and_may_be_shown_in_no_other(viewer: Viewer) -> None:
    answer = get(viewer)
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert not re.search(r"https?:|url\(|@import|<link|<iframe|\{\{", answer.text)


def test_the_name_of_a_dataset_is_no_markup(tmp_path: Path, videos: VideoCache) -> None:
    folder = write_dataset(tmp_path / "<script>1", {"j": CLIPS[1:2]}, shards=False)
    text = get(Viewer(folder, "127.0.0.1", videos)).text
    assert "<h1>&lt;script&gt;1</h1>" in text
    assert text.count("<script>") == 1


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [BOB, BOB_2, ANN]),  # in order of source: 2, 3, <
        ("identity=bob", [BOB, BOB_2]),
        ("part=val", [BOB]),
        ("doubt=lip+sync", [ANN]),
        ("where=face_size+%3E+150+and+identity+%3D%3D+'bob'", [BOB, BOB_2]),
        ("where=face_size+%3E+1000", []),
        ("order=face_size", [ANN, BOB_2, BOB]),
        ("order=face_size&descending=on", [BOB, BOB_2, ANN]),
        ("order=mouth_audio_lag&descending=on", [ANN, BOB, BOB_2]),
        ("mark=excluded", [BOB_2]),
        ("mark=kept", [BOB, ANN]),
        ("where=excluded", [BOB_2]),
    ],
)
def test_clips_are_chosen_and_ordered_by_the_manifest(
    viewer: Viewer, query: str, expected: list[str]
) -> None:
    get(viewer, f"clips/{BOB_2}/exclude", method="POST", json={"reason": "late"})
    assert list_names(viewer, query) == expected


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("where=face_size+%3E", "is no expression"),
        ("where=__import__('os')", "is not allowed"),
        ("where=height+%3E+nothing", "no column 'nothing'"),
        ("order=identity", "unknown order 'identity'"),
        ("doubt=x", "unknown doubt 'x'"),
        ("mark=x", "unknown mark 'x'"),
    ],
)
def test_what_cannot_be_chosen_is_said_in_one_line(
    viewer: Viewer, query: str, message: str
) -> None:
    answer = get(viewer, f"clips?{query}")
    assert answer.status_code == 400
    assert message in answer.get_json()["error"]
    assert "\n" not in answer.get_json()["error"]


def test_of_many_clips_the_first_are_listed(
    viewer: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shown, "MAX_ROWS", 2)
    found = ask(viewer, "clips")
    assert (len(found["clips"]), found["chosen"], found["total"]) == (2, 3, 3)


def test_traces_are_those_of_the_shard(viewer: Viewer, dataset: Path) -> None:
    found = ask(viewer, f"clips/{ANN}")
    reader = ShardReader(dataset / "shards" / "j.h5")
    assert (found["num_frames"], found["fps"], found["size"]) == (NUM_FRAMES, 30, SIDE)
    assert found["au45"] == pytest.approx([t / 20 for t in range(NUM_FRAMES)], abs=1e-3)
    turns = np.degrees(reader.read("face/pose", 0)[:, :3].astype(float))
    assert np.allclose(np.array(found["pose"]).T, turns, atol=1e-3)
    assert found["invalid"] == [[5, 6]]
    assert len(found["level"]) == NUM_FRAMES
    assert found["symbols"].startswith("data:image/png;base64,")
    columns = dict(found["columns"])
    assert columns["face_size"] == "100"
    assert columns["identity"] == MARKUP
    assert columns["mouth_audio_lag"] == "0.1"
    mesh = np.frombuffer(get(viewer, f"clips/{ANN}/mesh").data, "<f4").reshape(-1, 478, 2)
    assert np.array_equal(mesh, reader.read("face/landmarks", 0)[..., :2])


def test_what_is_no_number_and_what_is_not_stored_are_null(dataset: Path) -> None:
    clip = read_clip(BOB, dataset / "shards" / "j.h5", 1)
    bare = replace(clip, au45=np.full(30, np.nan), pose=None, symbols=None, landmarks=None)
    made = json.loads(json.dumps(shown.describe_traces(bare), allow_nan=False))
    assert made["au45"] == [None] * 30
    assert (made["pose"], made["symbols"], made["letters"]) == (None, None, [])
    assert made["has_mesh"] is False
    assert shown.encode_mesh(bare) == b""


def test_a_video_has_the_clips_frames_and_sound_and_can_be_read_in_parts(
    viewer: Viewer, tmp_path: Path
) -> None:
    path = f"clips/{BOB}/video"
    whole = get(viewer, path)
    assert whole.mimetype == "video/mp4"
    (tmp_path / "v.mp4").write_bytes(whole.data)
    found, _ = probe(tmp_path / "v.mp4")
    assert (found.width, found.height, found.audio_start) == (SIDE, SIDE, 0)
    assert found.duration == pytest.approx(1.0, abs=0.1)
    part = get(viewer, path, headers={"Range": "bytes=100-199"})
    assert part.status_code == 206
    assert part.data == whole.data[100:200]
    assert part.headers["Content-Range"] == f"bytes 100-199/{len(whole.data)}"
    assert get(viewer, path, headers={"Range": "bytes=99999999-"}).status_code == 416


def test_a_video_is_made_once_and_the_oldest_goes(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "NUM_KEPT", 2)
    shard = dataset / "shards" / "j.h5"
    with VideoCache() as cache:
        first = cache.find(ANN, shard, 0)
        assert cache.find(ANN, shard, 0) == first
        second = cache.find(BOB, shard, 1)
        cache.find(ANN, shard, 0)
        third = cache.find(BOB_2, shard, 2)
        assert [path.exists() for path in (first, second, third)] == [True, False, True]
        folder = first.parent
        assert oct(folder.stat().st_mode & 0o777) == "0o700"
    assert not folder.exists()


def test_a_clip_whose_shard_is_gone_has_a_message(viewer: Viewer, dataset: Path) -> None:
    (dataset / "shards" / "j.h5").unlink()
    for path in (f"clips/{ANN}", f"clips/{ANN}/video", f"clips/{ANN}/mesh"):
        answer = get(viewer, path)
        assert answer.status_code == 500
        assert "j.h5: missing" in answer.get_json()["error"]


def test_frames_that_are_not_stored_are_grey(tmp_path: Path, videos: VideoCache) -> None:
    folder = write_dataset(tmp_path, {"j": CLIPS[1:2]})
    path = videos.find(BOB, folder / "shards" / "j.h5", 0)
    assert probe(path)[0].width == 256


# --- what is written ----------------------------------------------------------------------------


def list_files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_mark_is_one_line_in_one_file_and_nothing_else_changes(
    viewer: Viewer, dataset: Path
) -> None:
    before = list_files(dataset)
    for path in ("", "clips", f"clips/{ANN}", f"clips/{ANN}/video", f"clips/{ANN}/mesh"):
        get(viewer, path)
    assert list_files(dataset) == before
    reason = {"reason": 'two\n voices, "both" loud '}
    marked = ask(viewer, f"clips/{ANN}/exclude", method="POST", json=reason)
    assert marked == {"excluded": True, "reason": 'two voices, "both" loud'}
    assert read_excluded(dataset) == {ANN: 'two voices, "both" loud'}
    assert set(list_files(dataset)) - set(before) == {"manifests/excluded.csv"}
    (row,) = [row for row in ask(viewer, "clips")["clips"] if row["id"] == ANN]
    assert (row["excluded"], row["reason"]) == (True, 'two voices, "both" loud')
    ask(viewer, f"clips/{ANN}/include", method="POST", json={"reason": ""})
    assert read_excluded(dataset) == {}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"{}", 400),
        (b'{"reason": 3}', 400),
        (b'{"reason": "\\ud800"}', 400),
        (b"\xff", 400),
        (b"[" * 20_000, 400),
        (b" " * (MAX_BODY + 1), 413),
    ],
)
def test_a_body_that_is_no_reason_marks_nothing(
    viewer: Viewer, dataset: Path, body: bytes, code: int
) -> None:
    answer = get(viewer, f"clips/{ANN}/exclude", method="POST", data=body)
    assert answer.status_code == code
    assert read_excluded(dataset) == {}


def test_reading_an_address_that_marks_is_refused(viewer: Viewer, dataset: Path) -> None:
    assert get(viewer, f"clips/{ANN}/exclude").status_code == 405
    assert (
        get(viewer, "clips/unknown/exclude", method="POST", json={"reason": ""}).status_code == 404
    )
    assert read_excluded(dataset) == {}


def test_a_damaged_list_is_left_as_it_is(viewer: Viewer, dataset: Path) -> None:
    path = dataset / "manifests" / "excluded.csv"
    path.write_text("no list\n")
    answer = get(viewer, f"clips/{ANN}/exclude", method="POST", json={"reason": ""})
    assert answer.status_code == 500
    assert "mend it or delete it" in answer.get_json()["error"]
    assert path.read_text() == "no list\n"


# --- the command --------------------------------------------------------------------------------


def test_it_ends_by_a_signal_and_leaves_no_video(dataset: Path) -> None:
    place = dataset.parent / "tmp"
    place.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", "from toolkit.cli import main; main()", "view", "--data", dataset],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(place)},
    )
    assert process.stdout is not None
    address = process.stdout.readline()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{22}/\n", address)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(f"{address.strip()}clips/{BOB}/video") as answer:
        assert answer.status == 200
    assert list(place.rglob("*.mp4"))
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=500) == 0
    assert list(place.iterdir()) == []


def test_a_port_that_is_taken_is_said_in_one_line(viewer: Viewer) -> None:
    server = open_server(viewer, "127.0.0.1", 0)
    try:
        with pytest.raises(ToolkitError, match="choose another --port"):
            open_server(viewer, "127.0.0.1", server.port)
    finally:
        server.server_close()
    with pytest.raises(ToolkitError, match=r"cannot listen at 203\.0\.113\.1"):
        open_server(viewer, "203.0.113.1", 0)


def test_a_folder_without_a_dataset_is_refused(tmp_path: Path, videos: VideoCache) -> None:
    with pytest.raises(ManifestError, match="no dataset here"):
        Viewer(tmp_path, "127.0.0.1", videos)


# --- in a browser -------------------------------------------------------------------------------

READY = "typeof mesh !== 'undefined' && mesh !== null && video.readyState >= 3"
SHOWN = """(() => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0, 1, 1);
  return [frame, context.getImageData(0, 0, 1, 1).data[1], clip.au45[frame]];
})()"""


@needs_chromium
def test_a_browser_shows_the_frame_whose_numbers_it_draws_and_marks_clips(
    viewer: Viewer, dataset: Path, tmp_path: Path
) -> None:
    server = open_server(viewer, "127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with Browser(tmp_path / "browser", width=500) as browser:
        browser.open(f"http://127.0.0.1:{server.port}/{viewer.secret}/#{ANN}", dark=True)
        browser.wait(READY)
        assert browser.run("find('title').textContent").startswith(MARKUP)
        for frame in (0, 1, 17, 24, NUM_FRAMES - 1):
            browser.run(f"go({frame})")
            browser.wait(f"frame === {frame} && !video.seeking")
            t, brightness, au45 = browser.run(SHOWN)
            assert t == frame
            assert brightness == pytest.approx(10 * t % 250, abs=4)
            assert au45 == pytest.approx(t / 20, abs=1e-3)
        seen = browser.run("""[document.body.scrollWidth - document.body.clientWidth,
            getComputedStyle(document.body).backgroundColor, rows.length, find("error").textContent,
            performance.getEntriesByType("resource").filter(
              (entry) => new URL(entry.name).origin !== location.origin
                && !entry.name.startsWith("data:")).length]""")
        assert seen == [0, "rgb(20, 24, 31)", 3, "", 0]
        browser.run("find('reason').value = 'two voices'; find('exclude').click()")
        browser.wait("rows[at].excluded")
        assert read_excluded(dataset) == {ANN: "two voices"}
        assert browser.run("find('exclude').textContent") == "Include again"
        browser.run("filter.elements.where.value = 'face_size > 250'; "
                    "filter.dispatchEvent(new Event('input'))")  # fmt: skip
        browser.wait("rows.length === 1 && clip && video.readyState >= 3")
        assert browser.run("find('title').textContent").startswith("bob")
        browser.run("filter.elements.where.value = 'nothing'; "
                    "filter.dispatchEvent(new Event('input'))")  # fmt: skip
        assert "no column 'nothing'" in browser.wait("find('error').textContent")
    server.shutdown()
