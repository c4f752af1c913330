"""User studies: who sees what, what a page asks, and the table of what was answered."""

import html
import html.parser
import json
import re
import shutil
import subprocess
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.media import run_ffmpeg
from toolkit.errors import SetupError
from zoo.cli import main
from zoo.evaluation.studies.make import Study, make_study, read_study
from zoo.evaluation.studies.page import name_answers
from zoo.evaluation.studies.protocols import DAS, FACIAL, PROTOCOLS
from zoo.evaluation.studies.score import score_study

NUM_VIDEOS = 4
SYSTEMS = ("ours", "their <system>", "real")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three systems with four videos each, no two alike."""
    found = {}
    for number, name in enumerate(SYSTEMS):
        folder = tmp_path_factory.mktemp("system")
        for k in range(NUM_VIDEOS):
            grey = hex(20 + 70 * number + 10 * k)[2:] * 3
            source = f"color=0x{grey}:size=64x64:rate=10:duration=0.3"
            codec = ("-c:v", "libx264", "-pix_fmt", "yuv420p")
            run_ffmpeg("-f", "lavfi", "-i", source, *codec, folder / f"clip{k}.mp4")
        found[name] = folder
    return found


def make(out: Path, folders: dict[str, Path], **options: Any) -> Study:
    return make_study(out, folders, options.pop("protocol", FACIAL), **options)


def write_answers(
    made: Study, folder: Path, rater: str, values: dict[str, dict[str, int]], changes: Any = None
) -> Path:
    """A rater's file: every video of a system gets that system's values."""
    (sheet,) = (s for s in made.sheets if s.rater == rater)
    rows = [{"video": v, "scores": values[made.videos[v][0]]} for v in sheet.videos]
    content = {"study": made.id, "rater": rater, "answers": rows} | (changes or {})
    path = folder / name_answers(made.id, rater)
    path.write_text(json.dumps(content), "utf-8")
    return path


def answer(value: int) -> dict[str, int]:
    """The same number for every criterion of FACIAL's."""
    return {criterion.name: value for criterion in FACIAL.criteria}


# --- who sees what ------------------------------------------------------------------------------


def test_every_rater_sees_each_system_alike_and_every_video_is_seen_alike(
    tmp_path: Path, folders: dict[str, Path]
) -> None:
    """8 videos of 3 systems: 2 or 3 of each; 6 raters rate 48 times, 4 times each of 12."""
    study = make(tmp_path / "s", folders, raters=6, num_videos=8)
    for sheet in study.sheets:
        assert len(set(sheet.videos)) == 8
        counts = Counter(study.videos[v][0] for v in sheet.videos)
        assert set(counts) == set(SYSTEMS)
        assert max(counts.values()) - min(counts.values()) <= 1
    assert set(Counter(v for s in study.sheets for v in s.videos).values()) == {4}


def test_examples_are_not_among_the_videos_that_count(
    tmp_path: Path, folders: dict[str, Path]
) -> None:
    study = make(tmp_path / "s", folders, raters=4, num_videos=8)
    for sheet in study.sheets:
        assert len(sheet.examples) == 3
        assert not set(sheet.examples) & set(sheet.videos)


def test_raters_see_videos_in_orders_of_their_own_and_not_system_by_system(
    tmp_path: Path, folders: dict[str, Path]
) -> None:
    study = make(tmp_path / "s", folders, raters=5, num_videos=12)
    assert len({sheet.videos for sheet in study.sheets}) == 5
    blocks = [[study.videos[v][0] for v in sheet.videos] for sheet in study.sheets]
    changes = [sum(a != b for a, b in pairwise(row)) for row in blocks]
    assert min(changes) > 2


def test_a_seed_gives_the_same_study_and_another_one_another(
    tmp_path: Path, folders: dict[str, Path]
) -> None:
    first, same, other = (
        make(tmp_path / name, folders, raters=3, num_videos=6, seed=seed)
        for name, seed in (("a", 7), ("b", 7), ("c", 8))
    )
    assert first == same == read_study(tmp_path / "a")
    assert first.id == same.id != other.id
    assert first.videos.keys() != other.videos.keys()
    pages = ["pages/rater-1.html", "pages/index.html"]
    for page in pages:
        assert (tmp_path / "a" / page).read_bytes() == (tmp_path / "b" / page).read_bytes()


def test_as_many_videos_as_there_are_where_the_paper_had_more(
    tmp_path: Path, folders: dict[str, Path]
) -> None:
    """Of 12, Das et al.'s raters judge all, and FACIAL's all but the three examples."""
    study = make(tmp_path / "das", folders, protocol=DAS)
    assert len(study.sheets) == 25
    assert all(len(s.videos) == 12 and not s.examples for s in study.sheets)
    study = make(tmp_path / "facial", folders)
    assert len(study.sheets) == 20
    assert all(len(s.videos) == 9 and len(s.examples) == 3 for s in study.sheets)


def test_what_cannot_be_a_study_is_refused(tmp_path: Path, folders: dict[str, Path]) -> None:
    one = {"ours": folders["ours"]}
    with pytest.raises(ValueError, match="two systems"):
        make(tmp_path / "s", one)
    with pytest.raises(ValueError, match="no such folder"):
        make(tmp_path / "s", one | {"real": tmp_path / "none"})
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"holds no \.mp4"):
        make(tmp_path / "s", one | {"real": tmp_path / "empty"})
    with pytest.raises(ValueError, match="no more than the 12"):
        make(tmp_path / "s", folders, num_videos=13)
    with pytest.raises(ValueError, match="a video of each"):
        make(tmp_path / "s", folders, num_videos=2)
    assert not (tmp_path / "s").exists()
    make(tmp_path / "s", folders, raters=1)
    with pytest.raises(ValueError, match="something already"):
        make(tmp_path / "s", folders, raters=1)


def test_what_browsers_do_not_play_is_refused_and_named(
    tmp_path: Path, folders: dict[str, Path]
) -> None:
    path = tmp_path / "odd" / "old.mp4"
    path.parent.mkdir()
    run_ffmpeg("-f", "lavfi", "-i", "color=size=64x64:duration=0.2", "-c:v", "mpeg4", path)
    with pytest.raises(ValueError, match=r"old\.mp4: browsers do not play mpeg4"):
        make(tmp_path / "s", {"ours": folders["ours"], "odd": path.parent})
    path.write_bytes(b"no video")
    with pytest.raises(SetupError, match=r"old\.mp4"):
        make(tmp_path / "s", {"ours": folders["ours"], "odd": path.parent})


# --- pages --------------------------------------------------------------------------------------


class Links(html.parser.HTMLParser):
    """What a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("src", "href")]


CHROMIUM = shutil.which("chromium")
RATE_ALL = """<script>
document.getElementById("begin").click();
for (let turn = 0; turn < 50 && !document.getElementById("save"); turn++) {
  const next = document.getElementById("next");
  let before = next.disabled;
  for (const group of document.querySelectorAll("fieldset"))
    group.querySelectorAll("input")[3].click();
  before &&= next.disabled;
  document.querySelector("video").dispatchEvent(new Event("ended"));
  if (!before || next.disabled) break;
  next.click();
}
if (document.getElementById("save")) document.body.append("<<" + write() + ">>");
</script>"""


@pytest.mark.skipif(not CHROMIUM, reason="needs chromium")
@pytest.mark.parametrize(("protocol", "fourth"), [(FACIAL, 1), (DAS, 4)], ids=["facial", "das"])
def test_what_a_browser_saves_is_what_is_scored(
    tmp_path: Path, folders: dict[str, Path], protocol: Any, fourth: int
) -> None:
    """The fourth answer to every question; a next video only after the end and all answers."""
    study = make(tmp_path / "s", folders, protocol=protocol, raters=1, num_videos=6)
    page = tmp_path / "s" / "pages" / "rater-1.html"
    page.write_text(page.read_text("utf-8").replace("</html>", RATE_ALL + "</html>"), "utf-8")
    options = ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'u'}")
    command = [str(CHROMIUM), *options, "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    (saved,) = re.findall("&lt;&lt;(.*)&gt;&gt;", done.stdout, re.DOTALL)
    path = tmp_path / "s" / "answers" / name_answers(study.id, "1")
    path.write_text(html.unescape(saved), "utf-8")
    scores = score_study(path.parent)
    unit = 10 if protocol is DAS else 1
    values = [mean.value for means in scores.means.values() for mean in means.values()]
    assert values == pytest.approx([fourth * unit] * len(values))
    assert scores.missing == ()
    assert sum(scores.num_answers.values()) == 6


def read_sheet(path: Path) -> dict[str, Any]:
    (text,) = re.findall(r'id="sheet">(.*?)</script>', path.read_text("utf-8"), re.DOTALL)
    sheet: dict[str, Any] = json.loads(text)
    return sheet


def test_what_raters_get_names_no_system_and_no_file(
    tmp_path: Path, folders: dict[str, Path]
) -> None:
    make(tmp_path / "s", folders, raters=2)
    pages = tmp_path / "s" / "pages"
    assert not (pages / "study.json").exists()
    for path in pages.rglob("*"):
        assert not re.search("ours|their|real|clip", path.name.removesuffix(".html"))
    for page in pages.glob("rater-*.html"):
        shown = json.dumps(read_sheet(page)["videos"])
        assert not re.search("ours|their|real|clip", shown)


def test_pages_open_without_a_network_and_their_videos_lie_beside_them(
    tmp_path: Path, folders: dict[str, Path]
) -> None:
    study = make(tmp_path / "s", folders, raters=2)
    pages = tmp_path / "s" / "pages"
    for sheet in study.sheets:
        page = pages / f"rater-{sheet.rater}.html"
        links = Links()
        links.feed(page.read_text("utf-8"))
        assert links.found == []
        assert "http" not in page.read_text("utf-8")
        content = read_sheet(page)
        assert [v["name"] for v in content["videos"]] == [*sheet.examples, *sheet.videos]
        assert [v["counts"] for v in content["videos"]] == [
            *(False for _ in sheet.examples),
            *(True for _ in sheet.videos),
        ]
        for video in content["videos"]:
            system, file, _ = study.videos[video["name"]]
            original = folders[system] / file
            assert (pages / video["file"]).read_bytes() == original.read_bytes()


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=lambda p: p.name)
def test_a_page_asks_what_the_paper_asked(
    tmp_path: Path, folders: dict[str, Path], protocol: Any
) -> None:
    make(tmp_path / "s", folders, protocol=protocol, raters=1)
    content = read_sheet(tmp_path / "s" / "pages" / "rater-1.html")
    asked = {c["name"]: [value for value, _ in c["labels"]] for c in content["criteria"]}
    if protocol is FACIAL:
        assert asked == {name: [-2, -1, 0, 1, 2] for name in ("image", "lip", "pose", "blink")}
    else:
        assert asked == {"realism": list(range(1, 11))}


# --- the table ----------------------------------------------------------------------------------


def test_means_are_those_of_the_answers_and_intervals_are_over_raters(
    tmp_path: Path, folders: dict[str, Path]
) -> None:
    """Rater 1 gives ours 2 and rater 2 gives it 1: mean 1.5, and no rater is outside 1 to 2."""
    study = make(tmp_path / "s", folders, raters=2, num_videos=6)
    answers = tmp_path / "s" / "answers"
    for rater, ours in (("1", 2), ("2", 1)):
        values = {"ours": answer(ours), "their <system>": answer(-2), "real": answer(2)}
        write_answers(study, answers, rater, values)
    scores = score_study(answers)
    assert scores.raters == ("1", "2")
    assert scores.num_answers == dict.fromkeys(SYSTEMS, 4)
    mean = scores.means["ours"]["lip"]
    assert (mean.value, mean.low, mean.high) == (1.5, 1, 2)
    same = scores.means["real"]["blink"]
    assert (same.value, same.low, same.high) == (2, 2, 2)
    assert scores.missing == ()


def test_realism_is_printed_as_the_share_of_ten(tmp_path: Path, folders: dict[str, Path]) -> None:
    """7 of 10 is 70 %."""
    study = make(tmp_path / "s", folders, protocol=DAS, raters=1, num_videos=3)
    answers = tmp_path / "s" / "answers"
    values = {name: {"realism": k} for name, k in zip(SYSTEMS, (7, 1, 10), strict=True)}
    write_answers(study, answers, "1", values)
    means = score_study(answers).means
    assert [means[name]["realism"].value for name in SYSTEMS] == pytest.approx([70, 10, 100])


def test_missing_raters_and_answers_are_named_and_the_rest_counts(
    tmp_path: Path, folders: dict[str, Path]
) -> None:
    study = make(tmp_path / "s", folders, raters=3, num_videos=6)
    answers = tmp_path / "s" / "answers"
    values = dict.fromkeys(SYSTEMS, answer(1))
    path = write_answers(study, answers, "1", values)
    content = json.loads(path.read_text())
    left_out, half = content["answers"][0]["video"], content["answers"][1]
    content["answers"][2]["scores"], empty = {}, content["answers"][2]["video"]
    content["answers"] = content["answers"][1:]
    del half["scores"]["lip"]
    path.write_text(json.dumps(content))
    write_answers(study, answers, "3", values)
    scores = score_study(answers)
    first, second = scores.missing
    assert first == f"rater 1: not fully answered: {left_out}, {half['video']}, {empty}"
    assert second == f"rater 2: no {name_answers(study.id, '2')}"
    assert sum(scores.num_answers.values()) == 10
    assert scores.means["ours"]["image"].value == 1


def test_answers_that_do_not_belong_here_are_refused(
    tmp_path: Path, folders: dict[str, Path]
) -> None:
    study = make(tmp_path / "s", folders, raters=2, num_videos=6)
    answers, values = tmp_path / "s" / "answers", dict.fromkeys(SYSTEMS, answer(1))
    with pytest.raises(SetupError, match="no answers"):
        score_study(answers)
    unseen = next(v for v in study.videos if v not in study.sheets[0].videos)
    seen = study.sheets[0].videos[0]
    for changes, message in (
        ({"study": "0" * 12}, "answers study 000000000000"),
        ({"rater": "9"}, "no rater 9"),
        ({"answers": [{"video": unseen, "scores": answer(1)}]}, f"not shown video {unseen}"),
        ({"answers": [{"video": seen, "scores": answer(3)}]}, "image 3 is not among the answers"),
        ({"answers": [{"video": seen, "scores": {"image": True}}]}, "image True"),
        ({"answers": [{"video": seen, "scores": {"charm": 1}}]}, "charm 1"),
        ({"answers": [{"video": seen, "scores": answer(1)}] * 2}, "a video twice"),
        ({"answers": 5}, "damaged"),
    ):
        write_answers(study, answers, "1", values, changes)
        with pytest.raises(SetupError, match=message):
            score_study(answers)
    path = write_answers(study, answers, "1", values)
    (answers / "again.json").write_bytes(path.read_bytes())
    with pytest.raises(SetupError, match=r"rater 1 answers in again\.json too"):
        score_study(answers)


# --- commands -----------------------------------------------------------------------------------


def test_commands_make_a_study_and_print_its_table(
    tmp_path: Path, folders: dict[str, Path]
) -> None:
    out = tmp_path / "study"
    systems = [f"{name}={folder}" for name, folder in folders.items()]
    run = CliRunner().invoke
    options = ["--protocol=facial", "--raters=2", f"--out={out}"]
    done = run(main, ["study", "make", "--systems", *systems, *options])
    assert done.exit_code == 0, done.output
    assert "next: zoo study score" in done.output
    study = read_study(out)
    values = {"ours": answer(1), "their <system>": answer(0), "real": answer(2)}
    write_answers(study, out / "answers", "1", values)
    done = run(main, ["study", "score", str(out / "answers")])
    assert done.exit_code == 0, done.output
    assert "1 rater\n" in re.sub(r" +\n", "\n", done.output)
    assert "[" not in done.output
    done = run(main, ["study", "score", str(out / "answers"), "--json"])
    assert json.loads(done.stdout)["means"]["ours"]["lip"] == {
        "value": 1,
        "low": None,
        "high": None,
    }
    write_answers(study, out / "answers", "2", values | {"ours": answer(2)})
    done = run(main, ["study", "score", str(out / "answers")])
    assert re.search(r"^ours +6 +1\.50 .*\n +\[1\.0, 2\.0\]", done.output, re.MULTILINE)
    assert max(map(len, done.output.splitlines())) <= 80
    assert re.search(r"^FACIAL +1\.6 +1\.2 +1\.7 +1\.4 *$", done.output, re.MULTILINE)
    done = run(main, ["study", "score", str(out / "answers"), "--json"])
    assert json.loads(done.output)["means"]["real"]["pose"]["value"] == 2


def test_systems_that_are_written_wrongly_are_refused(tmp_path: Path) -> None:
    options = ["--protocol=das", f"--out={tmp_path / 's'}"]
    for systems, message in (
        (["--systems=ours"], "no NAME=FOLDER"),
        (["--systems=a=x", "--systems=a=y"], "is taken: choose another"),
        (["--systems", "a=x", "a=y"], "is taken: choose another"),
    ):
        done = CliRunner().invoke(main, ["study", "make", *systems, *options])
        assert done.exit_code == 2
        assert message in done.output
