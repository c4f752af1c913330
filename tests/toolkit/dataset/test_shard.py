"""Shards: what goes in comes out, damage is named, windows are slices."""

import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import ROOT
from tests.datasets import FPS, FakeClip, make_arrays, make_jpegs, make_pcm, write_shard
from toolkit.dataset.shard import ShardReader, ShardWriter, verify_shard
from toolkit.dataset.windows import WindowReader
from toolkit.errors import ShardError, StorageError
from toolkit.features import OFF
from toolkit.schema import ARRAYS, Provenance
from toolkit.storage import publish, write_whole

CLIPS = [
    FakeClip(num_frames=9),
    FakeClip(start_frame=11, num_frames=5, identity="bøb", source="ä b/\n-x.mp4"),
]
WINDOW_NAMES = ("audio/deepspeech", "face/expression", "face/pose", "face/au45")


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    """A shard of two clips with 16 px frames."""
    path = tmp_path / "a.h5"
    write_shard(path, CLIPS, frame_size=16)
    return path


def open_writer(tmp_path: Path, frame_size: int = 0) -> ShardWriter:
    """A writer of an empty shard."""
    return ShardWriter(
        tmp_path / "s.h5",
        fps=FPS,
        frame_size=frame_size,
        provenance={},
        options={},
        spool=tmp_path / "spool",
    )


def add(writer: ShardWriter, clip: FakeClip, **changed: object) -> None:
    """Add a clip, some arguments replaced."""
    arguments: dict[str, object] = {
        "clip_id": clip.id,
        "identity": "ann",
        "source": "v.mp4",
        "start_frame": clip.start_frame,
        "num_frames": clip.num_frames,
        "crop": (0, 0, 1, 1),
        "intrinsics": (1, 1, 0, 0),
        "arrays": make_arrays(clip.num_frames),
        "pcm": make_pcm(clip),
    }
    writer.add_clip(**(arguments | changed))  # type: ignore[arg-type]


def test_every_array_of_every_clip_comes_back_as_it_was_given(shard: Path) -> None:
    """Bit for bit, in the stored dtype."""
    reader = ShardReader(shard)
    for index, clip in enumerate(CLIPS):
        for name, array in make_arrays(clip.num_frames, seed=index).items():
            np.testing.assert_array_equal(reader.read(name, index), array)
            assert reader.read(name, index).dtype == ARRAYS[name].dtype
        np.testing.assert_array_equal(reader.read("audio/pcm", index), make_pcm(clip, index))


def test_the_clips_table_counts_frames_and_samples_on_the_clock(shard: Path) -> None:
    """Frames 11 to 16 at 30 fps are samples 5866 to 8533."""
    first, second = ShardReader(shard).clips
    assert (first.first_frame, first.num_frames, first.first_sample) == (0, 9, 0)
    assert (second.first_frame, second.num_frames) == (9, 5)
    assert (second.first_sample, second.num_samples) == (4800, 8533 - 5866)
    assert (second.identity, second.source) == ("bøb", "ä b/\n-x.mp4")
    assert second.crop == (1, 2, 101, 102)


def test_frames_decode_to_the_pictures_of_their_clip(shard: Path) -> None:
    """Frame t is grey of brightness 10·t."""
    reader = ShardReader(shard)
    assert reader.frame(1, 3).shape == (16, 16, 3)
    assert [int(reader.frame(1, t).mean()) for t in range(5)] == [0, 10, 20, 30, 40]
    with pytest.raises(ValueError, match="5 frames, no frame 5"):
        reader.frame(1, 5)


def test_frames_may_be_spooled_before_the_clip_is_added(tmp_path: Path, shard: Path) -> None:
    """One by one or as a list: the same bytes."""
    clip = CLIPS[0]
    with open_writer(tmp_path, 16) as writer:
        for jpeg in make_jpegs(clip.num_frames, 16):
            writer.spool_frame(jpeg)
        add(writer, clip)
        writer.finish()
    np.testing.assert_array_equal(
        ShardReader(tmp_path / "s.h5").frame(0, 4), ShardReader(shard).frame(0, 4)
    )


def test_root_attributes_say_how_the_shard_was_made(shard: Path) -> None:
    """Readable by any HDF5 tool."""
    with h5py.File(shard) as file:
        assert file.attrs["schema_version"] == 1
        assert file.attrs["fps"] == FPS
        assert file["audio/deepspeech"].attrs["symbols"] == " abcdefghijklmnopqrstuvwxyz'_"
        assert file["audio/deepspeech"].attrs["scale"] == "log_prob"
        stored = [name for name, spec in ARRAYS.items() if spec.feature not in OFF]
        assert all(file[name].chunks is None for name in stored)
    reader = ShardReader(shard)
    assert reader.provenance == {"au45": Provenance(backend="embedded", version="1")}
    assert (reader.frame_size, reader.options["au45"]) == (16, "embedded")


def test_the_same_input_gives_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    """No time, no path, no leftover memory in the file."""
    code = (
        "import sys; from pathlib import Path; from tests.datasets import FakeClip, write_shard;"
        "write_shard(Path(sys.argv[1]), [FakeClip(num_frames=40), FakeClip(start_frame=50)],"
        "frame_size=16)"
    )
    for name in ("a", "b"):
        path = str(tmp_path / name / f"{name}.h5")
        subprocess.run([sys.executable, "-c", code, path], check=True, cwd=ROOT)
    assert (tmp_path / "a/a.h5").read_bytes() == (tmp_path / "b/b.h5").read_bytes()


@pytest.mark.parametrize("name", ["face/pose", "face/au45", "audio/deepspeech"])
def test_an_array_with_one_row_too_few_is_named(tmp_path: Path, name: str) -> None:
    """One law: num_frames rows."""
    arrays = make_arrays(12)
    arrays[name] = arrays[name][:-1]
    with open_writer(tmp_path) as writer, pytest.raises(ValueError, match=name):
        add(writer, FakeClip(), arrays=arrays)


def test_wrong_input_is_refused(tmp_path: Path) -> None:
    """Audio of another length, NaN, unknown or differing names, a clip twice, missing frames."""
    clip, arrays = FakeClip(), make_arrays(12)
    nan = arrays | {"face/pose": np.full((12, 6), np.nan, np.float32)}
    fewer = {name: array for name, array in arrays.items() if name != "face/au45"}
    with open_writer(tmp_path) as writer:
        with pytest.raises(ValueError, match="audio/pcm has shape"):
            add(writer, clip, pcm=make_pcm(clip)[:-1])
        with pytest.raises(ValueError, match="face/pose holds values"):
            add(writer, clip, arrays=nan)
        with pytest.raises(ValueError, match="face/smile"):
            add(writer, clip, arrays={"face/smile": arrays["face/au45"]})
    with open_writer(tmp_path) as writer:
        add(writer, clip)
        with pytest.raises(ValueError, match="already"):
            add(writer, clip)
        with pytest.raises(ValueError, match=r"differ.*face/au45"):
            add(writer, FakeClip(start_frame=99), arrays=fewer)
    with open_writer(tmp_path, 16) as writer, pytest.raises(ValueError, match="11 frames, not 12"):
        add(writer, clip, frames=make_jpegs(11, 16))
    with open_writer(tmp_path) as writer, pytest.raises(ValueError, match="frame_size 0"):
        writer.spool_frame(b"x")
    with open_writer(tmp_path) as writer, pytest.raises(ValueError, match="at least one clip"):
        writer.finish()


def test_a_refused_clip_leaves_the_shard_as_it_was(tmp_path: Path, shard: Path) -> None:
    """Its frames do not show up under the next clip, nor its arrays."""
    first, second = CLIPS

    def broken() -> Iterator[bytes]:
        yield from make_jpegs(3, 16)
        raise RuntimeError

    with open_writer(tmp_path, 16) as writer:
        with pytest.raises(ValueError, match="not arrays of the schema"):
            add(writer, first, arrays={"face/smile": np.zeros(9)})
        add(writer, first, frames=make_jpegs(9, 16))
        with pytest.raises(RuntimeError):
            add(writer, second, frames=broken())
        with pytest.raises(ValueError, match="audio/pcm"):
            add(writer, second, frames=make_jpegs(5, 16), pcm=make_pcm(first))
        add(writer, second, frames=make_jpegs(5, 16))
        writer.finish()
    verify_shard(tmp_path / "s.h5")
    whole, again = ShardReader(shard), ShardReader(tmp_path / "s.h5")
    assert [clip.id for clip in again.clips] == [clip.id for clip in whole.clips]
    assert [again.jpeg(t) for t in range(14)] == [whole.jpeg(t) for t in range(14)]


def test_confidence_may_be_nan(tmp_path: Path) -> None:
    """The face mesh has no score."""
    arrays = make_arrays(12) | {"face/confidence": np.full(12, np.nan, np.float32)}
    with open_writer(tmp_path) as writer:
        add(writer, FakeClip(), arrays=arrays)
        writer.finish()
    verify_shard(tmp_path / "s.h5")


def test_an_unfinished_shard_leaves_nothing_behind(tmp_path: Path) -> None:
    """No shard, no spool."""
    with pytest.raises(RuntimeError), open_writer(tmp_path) as writer:
        add(writer, FakeClip())
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_finished_shard_leaves_no_spool(tmp_path: Path, shard: Path) -> None:
    """Only the shard lies in the folder."""
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


def test_writing_takes_no_memory_that_grows_with_the_shard(tmp_path: Path) -> None:
    """200 MB of frames pass through a process that may grow by 60 MB."""
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from tests.toolkit.dataset import test_shard as t\n"
        "clip = t.FakeClip(num_frames=400); jpeg = bytes(500_000)\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "with t.open_writer(Path(sys.argv[1]), 16) as writer:\n"
        "    t.add(writer, t.FakeClip(start_frame=900), frames=[jpeg] * 12); before = peak()\n"
        "    [writer.spool_frame(jpeg) for _ in range(400)]; t.add(writer, clip)\n"
        "    writer.finish(); print(peak() - before)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        check=True,
        cwd=ROOT,
        capture_output=True,
    )
    assert (tmp_path / "s.h5").stat().st_size > 200_000_000
    assert int(run.stdout) * 1024 < 60_000_000


# --- trouble with the disk ----------------------------------------------------------------------


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_clear_error(tmp_path: Path) -> None:
    """While spooling, and while the shard itself is written."""
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "face_landmarks.bin").symlink_to("/dev/full")
    with (
        pytest.raises(StorageError, match=r"face_landmarks.bin: .*disk is full: free"),
        open_writer(tmp_path) as writer,
    ):
        add(writer, FakeClip(num_frames=50))
    (tmp_path / "s.h5").symlink_to("/dev/full")
    with (
        pytest.raises(StorageError, match=r"s\.h5: .*disk is full"),
        open_writer(tmp_path) as writer,
    ):
        add(writer, FakeClip())
        writer.finish()
    assert not (tmp_path / "s.h5").is_symlink()


def test_a_file_size_limit_met_halfway_leaves_no_shard(tmp_path: Path) -> None:
    """The columns fit, the shard does not: h5py fails in the middle of its work."""
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from tests.toolkit.dataset import test_shard as t\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "with t.open_writer(Path(sys.argv[1])) as writer:\n"
        "    t.add(writer, t.FakeClip(num_frames=90))\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
        "    try: writer.finish()\n"
        "    except t.StorageError as error: print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        check=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert "s.h5: cannot be written: the file would be larger than is allowed" in run.stdout
    assert list(tmp_path.iterdir()) == []


def test_whole_files_or_none(tmp_path: Path) -> None:
    """A block that fails leaves the former file and no temporary one."""
    final = tmp_path / "sub" / "x.txt"
    with write_whole(final) as temporary:
        temporary.write_text("old")
    with pytest.raises(RuntimeError), write_whole(final) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert final.read_text() == "old"
    assert [path.name for path in final.parent.iterdir()] == ["x.txt"]
    with pytest.raises(FileNotFoundError):
        publish(tmp_path / "none", final)


# --- damage -------------------------------------------------------------------------------------


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    """Not a traceback of h5py."""
    with pytest.raises(ShardError, match=r"nope\.h5: missing"):
        ShardReader(tmp_path / "nope.h5")


@pytest.mark.parametrize("size", [0, 100, 3000, 30000])
def test_a_truncated_shard_is_refused(shard: Path, size: int) -> None:
    """At any length."""
    shard.write_bytes(shard.read_bytes()[:size])
    with pytest.raises(ShardError, match=r"a\.h5: not a whole shard"):
        ShardReader(shard)


def edit(shard: Path, name: str, value: object, where: object = ...) -> None:
    """Change stored values in place."""
    with h5py.File(shard, "r+") as file:
        file[name][where] = value


@pytest.mark.parametrize(
    ("name", "where", "value", "message"),
    [
        ("clips/frame_offset", 1, 14, "clips/frame_offset does not rise"),
        ("clips/frame_offset", 2, 13, "14 rows, not 13"),
        ("clips/sample_offset", 1, 4801, "its audio is not as long"),
    ],
)
def test_offsets_that_contradict_are_refused_on_open(
    shard: Path, name: str, where: int, value: int, message: str
) -> None:
    """Before any window is cut across a clip."""
    edit(shard, name, value, where)
    with pytest.raises(ShardError, match=message):
        ShardReader(shard)


def test_another_schema_version_is_refused(shard: Path) -> None:
    """A reader of version 1 reads version 1."""
    with h5py.File(shard, "r+") as file:
        file.attrs["schema_version"] = 2
    with pytest.raises(ShardError, match="schema version 2, not 1"):
        ShardReader(shard)


def test_a_column_of_another_type_or_none_at_all_is_refused(shard: Path) -> None:
    """Of the schema's name but not its dtype; a required one removed."""
    with h5py.File(shard, "r+") as file:
        del file["face/au45"]
        file["face/au45"] = np.zeros(14)
    with pytest.raises(ShardError, match="face/au45 is float64, not float32"):
        ShardReader(shard)
    with h5py.File(shard, "r+") as file:
        del file["face/au45"]
        del file["audio/pcm"]
    with pytest.raises(ShardError, match="lacks audio/pcm"):
        ShardReader(shard)


def test_verification_finds_nan_and_a_broken_jpeg(shard: Path) -> None:
    """What opening does not look at."""
    verify_shard(shard)
    edit(shard, "video/jpeg", 0, 0)
    with pytest.raises(ShardError, match="row 0 of video/jpeg"):
        verify_shard(shard)
    edit(shard, "face/pose", np.nan, (3, 2))
    with pytest.raises(ShardError, match="face/pose holds values"):
        verify_shard(shard)


@pytest.mark.parametrize(
    ("name", "option"), [("face/au45", "--au45"), ("video/jpeg", "--frame-size")]
)
def test_a_missing_array_names_the_option_that_makes_it(
    tmp_path: Path, name: str, option: str
) -> None:
    """Switched off at ingest, asked for in training."""
    arrays = {n: array for n, array in make_arrays(12).items() if n != "face/au45"}
    with open_writer(tmp_path) as writer:
        add(writer, FakeClip(), arrays=arrays)
        writer.finish()
    with pytest.raises(ShardError, match=rf"s\.h5 has no {name}: .*{option}"):
        ShardReader(tmp_path / "s.h5").column(name)


# --- windows ------------------------------------------------------------------------------------


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(1, 6), st.data())
def test_windows_are_exactly_the_slices_that_stay_in_one_clip(
    tmp_path: Path, lengths: list[int], num_frames: int, data: st.DataObject
) -> None:
    """Against a list made by hand from single clips, over two shards."""
    clips = [FakeClip(source=f"{i}.mp4", num_frames=n) for i, n in enumerate(lengths)]
    cut = data.draw(st.integers(0, len(clips) - 1))
    groups = [group for group in (clips[:cut], clips[cut:]) if group]
    for index, group in enumerate(groups):
        write_shard(tmp_path / f"{index}.h5", group)
    readers = [ShardReader(tmp_path / f"{i}.h5") for i in range(len(groups))]
    expected = [
        reader.read("face/pose", c)[t : t + num_frames]
        for reader in readers
        for c, clip in enumerate(reader.clips)
        for t in range(clip.num_frames - num_frames + 1)
    ]
    windows = WindowReader(readers, ["face/pose", "face/au45"], num_frames)
    assert len(windows) == len(expected)
    batch = windows.read(np.arange(len(expected)))
    assert batch["face/au45"].shape == (len(expected), num_frames)
    for got, wanted in zip(batch["face/pose"], expected, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_a_sampled_batch_is_a_writable_copy_and_reproducible(shard: Path) -> None:
    """The file is not touched by what training does to a batch."""
    windows = WindowReader([ShardReader(shard)], WINDOW_NAMES, 4)
    first = windows.sample(np.random.default_rng(1), 8)
    kept = {name: array.copy() for name, array in first.items()}
    first["face/pose"] += 1
    again = windows.sample(np.random.default_rng(1), 8, out=first)
    for name, array in again.items():
        np.testing.assert_array_equal(array, kept[name])
    assert again["audio/deepspeech"].shape == (8, 4, 29)


def test_windows_longer_than_any_clip_and_wrong_names_are_refused(shard: Path) -> None:
    """A caller's mistake."""
    reader = ShardReader(shard)
    with pytest.raises(ValueError, match="shorter than 10"):
        WindowReader([reader], ["face/pose"], 10).sample(np.random.default_rng(), 1)
    with pytest.raises(ValueError, match="no frame axis"):
        WindowReader([reader], ["audio/pcm"], 2)
    with pytest.raises(ValueError, match="numbered 0 to"):
        WindowReader([reader], ["face/pose"], 2).read(np.array([99]))
    with pytest.raises(ShardError, match="--au45"):
        with h5py.File(shard, "r+") as file:
            del file["face/au45"]
        WindowReader([ShardReader(shard)], ["face/au45"], 2)


def test_windows_of_chosen_clips_are_those_clips_alone_and_survive_pickling(
    tmp_path: Path,
) -> None:
    """As for one part of the split, read by a data loader's worker."""
    clips = [FakeClip(source=f"{i}.mp4", num_frames=6 + i) for i in range(3)]
    write_shard(tmp_path / "a.h5", clips)
    readers = [ShardReader(tmp_path / "a.h5")]
    windows = WindowReader(readers, ["face/pose"], 6, clips=[clips[0].id, clips[2].id])
    again = pickle.loads(pickle.dumps(windows))
    assert len(windows) == len(again) == 1 + 3
    expected = [readers[0].read("face/pose", 0)[:6], readers[0].read("face/pose", 2)[2:8]]
    for reader in (windows, again):
        np.testing.assert_array_equal(reader.read(np.array([0, 3]))["face/pose"], expected)
    with pytest.raises(ValueError, match="in none of the shards"):
        WindowReader(readers, ["face/pose"], 6, clips=["no such clip"])


def test_shards_whose_backends_differ_are_not_mixed_unless_told_to(tmp_path: Path) -> None:
    """Two versions of AU45; pose comes from the same one."""
    for version in ("1", "2"):
        clip = FakeClip(source=f"{version}.mp4")
        write_shard(tmp_path / f"{version}.h5", [clip], au45_version=version)
    readers = [ShardReader(tmp_path / f"{version}.h5") for version in ("1", "2")]
    with pytest.raises(ShardError, match="au45 comes from"):
        WindowReader(readers, ["face/au45"], 4)
    assert len(WindowReader(readers, ["face/pose"], 4)) == 2 * 9
    assert len(WindowReader(readers, ["face/au45"], 4, mix_backends=True)) == 2 * 9


def test_a_reader_may_be_pickled_for_a_loaders_worker(shard: Path) -> None:
    """The file is opened again, not copied."""
    reader = ShardReader(shard)
    reader.column("face/landmarks")
    assert len(pickle.dumps(reader)) < 500
    again = pickle.loads(pickle.dumps(reader))
    np.testing.assert_array_equal(again.read("face/pose", 1), reader.read("face/pose", 1))


def test_a_compressed_column_is_read_too(shard: Path) -> None:
    """Where another tool repacked the file, there is no offset to map."""
    with h5py.File(shard, "r+") as file:
        pose = file["face/pose"][:]
        del file["face/pose"]
        file.create_dataset("face/pose", data=pose, chunks=(4, 6), compression="gzip")
    reader = ShardReader(shard)
    np.testing.assert_array_equal(reader.read("face/pose", 1), pose[9:])
    assert not reader.column("face/pose").flags.writeable
