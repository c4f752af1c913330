"""The dataset card: `README.md` with the front matter that the hub reads."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

import toolkit
from toolkit.export.clips import ExportClip
from toolkit.export.options import HubOptions
from toolkit.names import write_name
from toolkit.schema import ARRAYS, CLIP_COLUMNS
from toolkit.weights import WEIGHTS

SIZES = (("n<1K", 10**3), ("1K<n<10K", 10**4), ("10K<n<100K", 10**5), ("100K<n<1M", 10**6))
"""Size category of the hub -> numbers of rows below this."""

_BROUGHT = {
    "openface": "OpenFace 2: academic and non-commercial",
    "pyfeat": "py-feat's weights: see its pages",
}
"""Licences of what `ttk weights` does not list, by backend."""

_CONSENT = """\
Faces and voices identify people, and a model that is trained on them can make these people say what
they never said. A public video is not consent. In the European Union processing them to identify a
person falls under Article 9 of the GDPR; other places have laws of their own. Before this folder is
passed on or published, everybody in it should have agreed to that, and the licence of the footage
must allow it. Whoever asks to be removed can be: `identity` says which clips show them."""


def write_card(
    clips: pd.DataFrame, clip: ExportClip, name: str, options: HubOptions, path: Path
) -> None:
    """Write the card.

    Args:
        clips: rows of all clips, with `split`.
        clip: one of them; all have the same arrays.
        name: the dataset's title.
        options: licence and consent, as stated.
        path: file to write.
    """
    lines = [*_front_matter(clips, name, options), "", f"# {write_name(name)}", ""]
    lines += [
        f"{len(clips)} clips of talking heads, {clips['duration'].sum() / 60:.1f} minutes: sound "
        "at 16 kHz and what was measured in every frame, made by "
        f"ttk {toolkit.__version__} with `ttk export hf`. One row is one clip: one face over one "
        "uninterrupted stretch of a video, with picture and sound on one clock of "
        f"{clip.reader.fps} frames a second.",
        "",
        *_section("Splits", _list_splits(clips)),
        *_section("Consent", _list_consent(options)),
        *_section("Licences", _list_licences(clip, options)),
        *_section("Loading", _list_loading(clips)),
        *_section("Columns", _list_columns(clip)),
    ]
    path.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def _front_matter(clips: pd.DataFrame, name: str, options: HubOptions) -> Iterator[str]:
    """JSON's strings are YAML's."""
    size = next((size for size, limit in SIZES if len(clips) < limit), "n>1M")
    yield "---"
    yield f"pretty_name: {json.dumps(name)}"
    yield f"license: {json.dumps(options.license)}"
    yield f"size_categories: [{json.dumps(size)}]"
    yield "tags: [talking-head, audio, video, speech, face]"
    yield "configs:"
    yield "- config_name: default"
    yield "  data_files:"
    for part in sorted(clips["split"].unique()):
        yield f"  - split: {part}"
        yield f"    path: data/{part}-*.parquet"
    yield "---"


def _section(title: str, lines: Iterator[str]) -> list[str]:
    return [f"## {title}", "", *lines, ""]


def _list_splits(clips: pd.DataFrame) -> Iterator[str]:
    yield "| split | clips | minutes | frames | sources | people |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for part, rows in [*clips.groupby("split", sort=True), ("all", clips)]:
        yield (
            f"| {part} | {len(rows)} | {rows['duration'].sum() / 60:.1f} | "
            f"{rows['num_frames'].sum()} | {rows['source_sha256'].nunique()} | "
            f"{rows['identity'].nunique()} |"
        )
    if shared := int((clips.groupby("identity")["split"].nunique() > 1).sum()):
        yield ""
        yield f"People who stand in more than one split: {shared}."


def _list_consent(options: HubOptions) -> Iterator[str]:
    stated = write_name(options.consent) or "Nothing was stated when this folder was made."
    yield f"**What the people in the videos agreed to:** {stated}"
    yield ""
    yield _CONSENT


def _list_licences(clip: ExportClip, options: HubOptions) -> Iterator[str]:
    stated = "not stated" if options.license == "unknown" else f"`{options.license}`, as stated"
    yield f"Footage: {stated} when this folder was made. What made the columns:"
    yield ""
    yield "| feature | backend | version | licence of its weights |"
    yield "| --- | --- | --- | --- |"
    for feature, made in clip.reader.provenance.items():
        prefix = f"{feature}, backend {made.backend}"
        found = [w.licence for w in WEIGHTS.values() if w.purpose.startswith(prefix)]
        known = "; ".join(found) or _BROUGHT.get(made.backend, "–")
        yield f"| {feature} | {made.backend} | {made.version} | {known} |"


def _list_loading(clips: pd.DataFrame) -> Iterator[str]:
    yield "```python"
    yield "from datasets import load_dataset"
    yield ""
    yield f'clips = load_dataset("FOLDER", split="{min(clips["split"])}")'
    yield 'clips.select_columns(["identity", "pose"]).with_format("numpy")[0]["pose"]  # (n, 6)'
    yield "```"
    yield ""
    yield (
        "A whole row (`clips[0]`) decodes `audio` and `video`, which needs torchcodec; "
        "`cast_column` to `Audio(decode=False)` and `Video(decode=False)` gives the files' bytes. "
        "The format `numpy` makes float32 of lists and of whole columns of float64: `source_time` "
        "keeps its digits without a format, and in the format `arrow`."
    )


def _list_columns(clip: ExportClip) -> Iterator[str]:
    """Shapes with n for the clip's frames."""
    specs = {column.name: column for column in CLIP_COLUMNS}
    yield "| column | type | shape | unit | what it is |"
    yield "| --- | --- | --- | --- | --- |"
    for name in clip.describe():
        known = specs.get(name)
        unit, text = (known.unit, known.text) if known else ("", "part of the split")
        text = "name of the source file" if name == "source" else text
        yield f"| `{name}` | {known.type if known else 'string'} |  | {unit} | {text} |"
    yield "| `audio` | WAV | (samples,) | 1/32768 | 16 kHz mono, 16 bit |"
    if side := clip.reader.frame_size:
        what = "the crop: H.264 of the stored JPEGs, with the sound as AAC"
        yield f"| `video` | MP4 | (n, {side}, {side}, 3) |  | {what} |"
    for short, name in clip.arrays.items():
        spec = ARRAYS[name]
        axes = (["n"] if spec.axis == "N" else []) + [str(size) for size in spec.shape]
        shape = f"({', '.join(axes)}{',' if len(axes) == 1 else ''})"
        text = spec.text.replace("attributes `symbols` and `scale`", f"scale {clip.reader.scale}")
        yield f"| `{short}` | {spec.dtype} | {shape} | {spec.unit} | {text} |"
