#!/usr/bin/env bash
# mlcroissant 1.1.1: a field's arrayShape is not compared with the data, and Text comes as bytes.
#
# Expected: Croissant 1.1 states the shape of an array field (`arrayShape`), and mlcroissant is the
# reference library that checks metadata against data: a record whose array has another number of
# axes or other sizes is an error or a warning, and a field of dataType sc:Text is a str.
#
# What happens: a column of k x 2 numbers described as "7,7,7" loads without an error, and its
# records are yielded as they are; the only warnings are of recommended properties. sc:Text is bytes.
#
# Why it matters: a dataset card whose shapes are wrong (pose of 6 numbers a frame said to be 3, or
# frames and numbers exchanged) passes the check, so shapes need a test of their own.
#
# Exit status: 0 while this is so, 1 when it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check mlcroissant==1.1.1 numpy==1.26.4 pyarrow==25.0.1 pandas==3.0.6

cat > "$folder/check.py" <<'PYTHON'
import importlib.metadata
import json
import sys
from pathlib import Path

import mlcroissant
import numpy as np
import pyarrow as pa
import pyarrow.parquet

folder = Path(sys.argv[1])
pairs = pa.list_(pa.list_(pa.float32(), 2))
table = pa.table({"id": ["a", "b"], "pose": pa.array([[[1, 2], [3, 4]], [[5, 6]]], pairs)})
pyarrow.parquet.write_table(table, folder / "clips.parquet")


def describe(name, kind, **more):
    source = {"fileSet": {"@id": "files"}, "extract": {"column": name}}
    field = {"@type": "cr:Field", "@id": f"clips/{name}", "name": name}
    return field | {"dataType": kind, "source": source} | more


terms = ("arrayShape", "isArray", "recordSet", "field", "source", "fileSet", "extract", "column")
context = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "includes": "cr:includes",
} | {term: f"cr:{term}" for term in terms}
shaped = describe("pose", "cr:Float32", isArray=True, arrayShape="7,7,7")
files = {"@type": "cr:FileSet", "@id": "files", "includes": "*.parquet"}
metadata = {
    "@context": context,
    "@type": "sc:Dataset",
    "conformsTo": "http://mlcommons.org/croissant/1.1",
    "name": "clips",
    "description": "clips",
    "license": "CC0-1.0",
    "distribution": [files | {"encodingFormat": "application/x-parquet"}],
    "recordSet": [
        {"@type": "cr:RecordSet", "@id": "clips", "field": [describe("id", "sc:Text"), shaped]}
    ],
}
(folder / "croissant.json").write_text(json.dumps(metadata))
dataset = mlcroissant.Dataset(jsonld=str(folder / "croissant.json"))
issues = dataset.metadata.issues
first = next(iter(dataset.records("clips")))
shape = np.array([list(row) for row in first["clips/pose"]]).shape
named = [warning for warning in issues.warnings if "pose" in warning or "hape" in warning]
print("mlcroissant", importlib.metadata.version("mlcroissant"))
print("errors:", len(issues.errors), "warnings of the shape:", len(named))
print("stated 7 x 7 x 7, yielded", " x ".join(map(str, shape)))
print("sc:Text is", type(first["clips/id"]).__name__)
if issues.errors or named or shape != (2, 2) or not isinstance(first["clips/id"], bytes):
    sys.exit("CHANGED")
print("as described")
PYTHON
"$folder/venv/bin/python" "$folder/check.py" "$folder"

# Seen, Linux x86-64, after warnings that citeAs, datePublished and version are recommended:
# mlcroissant 1.1.1
# errors: 0 warnings of the shape: 0
# stated 7 x 7 x 7, yielded 2 x 2
# sc:Text is bytes
# as described
