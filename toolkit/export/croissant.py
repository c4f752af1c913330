"""Croissant 1.1 metadata of an exported folder: which files there are, and what columns they hold.

Format: https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import toolkit
from toolkit.export.clips import ExportClip
from toolkit.export.options import HubOptions
from toolkit.schema import ARRAYS, CLIP_COLUMNS

Node = dict[str, object]

_CONTEXT: Node = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "citeAs": "cr:citeAs",
    "conformsTo": "dct:conformsTo",
    "arrayShape": "cr:arrayShape",
    "isArray": "cr:isArray",
    "recordSet": "cr:recordSet",
    "field": "cr:field",
    "key": "cr:key",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "source": "cr:source",
    "fileSet": "cr:fileSet",
    "extract": "cr:extract",
    "column": "cr:column",
    "transform": "cr:transform",
    "jsonPath": "cr:jsonPath",
    "includes": "cr:includes",
}

_TYPES: Mapping[str, str] = {
    "string": "sc:Text",
    "int64": "cr:Int64",
    "double": "cr:Float64",
    "list<double>": "cr:Float64",
    "timestamp[us, tz=UTC]": "sc:DateTime",
    "bool": "sc:Boolean",
    "float16": "cr:Float16",
    "float32": "cr:Float32",
    "float64": "cr:Float64",
}
"""Type of a column or array -> Croissant's."""

_FILES = "parquet-files"


def write_croissant(clip: ExportClip, name: str, options: HubOptions, path: Path) -> None:
    """Write the metadata as JSON-LD; today is the date of publication.

    Args:
        clip: one of the clips; all have the same columns.
        name: the dataset's title.
        options: licence of the footage, version and citation, as stated.
        path: file to write.
    """
    document: Node = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": name,
        "description": f"Clips of talking heads, exported by ttk {toolkit.__version__}.",
        "license": options.license,
        "version": options.dataset_version,
        "citeAs": options.cite or f"{name}, version {options.dataset_version}",
        "datePublished": datetime.now(UTC).date().isoformat(),
        "distribution": [
            {
                "@type": "cr:FileSet",
                "@id": _FILES,
                "encodingFormat": "application/x-parquet",
                "includes": "data/*.parquet",
            }
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "clips",
                "description": "One record for each clip.",
                "key": {"@id": "clips/clip_id"},
                "field": list(_list_fields(clip)),
            }
        ],
    }
    text = json.dumps(document, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _list_fields(clip: ExportClip) -> Iterator[Node]:
    specs = {column.name: column for column in CLIP_COLUMNS}
    for name in clip.describe():
        kind = specs[name].type if name in specs else "string"
        text = specs[name].text if name in specs else "part of the split"
        shape = "-1" if kind.startswith("list") else ""
        yield _make_field(name, _TYPES[kind], text, shape)
    yield _make_field("audio", "sc:AudioObject", "16 kHz mono", of_bytes=True)
    if clip.reader.frame_size:
        yield _make_field("video", "sc:VideoObject", "the crop, with the sound", of_bytes=True)
    for short, name in clip.arrays.items():
        spec = ARRAYS[name]
        axes = ([-1] if spec.axis == "N" else []) + list(spec.shape)
        text = f"{spec.text} [{spec.unit}]" if spec.unit else spec.text
        yield _make_field(short, _TYPES[spec.dtype], text, ",".join(map(str, axes)))


def _make_field(
    name: str, kind: str, text: str, shape: str = "", *, of_bytes: bool = False
) -> Node:
    source: Node = {"fileSet": {"@id": _FILES}, "extract": {"column": name}}
    if of_bytes:
        source["transform"] = {"jsonPath": "bytes"}
    field: Node = {
        "@type": "cr:Field",
        "@id": f"clips/{name}",
        "name": name,
        "description": text,
        "dataType": kind,
        "source": source,
    }
    return field | ({"isArray": True, "arrayShape": shape} if shape else {})
