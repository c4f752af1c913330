#!/usr/bin/env bash
# pyarrow 25.0.1: read_table(filters=...) loses rows with NaN that match the filter, depending on
# how large the Parquet file's row groups are.
#
# Expected: filters= keeps the rows for which the expression is true, as Table.filter does with the
# same expression. Comparisons follow IEEE 754, so NaN >= 0.5 is false and ~(score >= 0.5) is true
# for NaN: in memory the two halves "score >= 0.5" and "not that" make up the whole table. How rows
# are grouped in a file, or whether it has statistics, should change speed, not results.
#
# What happens: read_table skips row groups by their least and greatest value, and these leave NaN
# out, as the Parquet format demands. A group [0.8, NaN] states 0.8 to 0.8; the reader concludes
# that "score >= 0.5" is true for all of it, and skips it for ~(score >= 0.5). The format also says
# that a reader who looks for NaN must ignore these values. Here even is_nan(score) loses rows.
# Groups that hold a lower score as well are read, and their NaN rows are returned. Without
# statistics in the file every row is found.
#
# Why it matters: measures of clips (confidence, lag, correlation between mouth and sound) are NaN
# where there was nothing to measure, and those clips are what one looks for when cleaning. Kept
# and turned-down clips no longer add up, and the loss depends on how the file was written. Only
# NaN from NumPy or Arrow is concerned: pandas turns NaN into null when it writes.
#
# Exit status: 0 while this is so, 1 when it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyarrow==25.0.1 numpy==1.26.4

cat > "$folder/check.py" <<'PYTHON'
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

folder = Path(sys.argv[1])
scores = np.array([0.8, np.nan, 0.7, 0.2, 0.9, np.nan, 0.3, np.nan])
table = pa.table({"clip": np.arange(len(scores)), "score": scores})
score = pc.field("score")
expressions = {
    "score >= 0.5": score >= 0.5,
    "not (score >= 0.5)": ~(score >= 0.5),
    "is_nan(score)": pc.is_nan(score),
}


def write(name, **options):
    path = folder / f"{name}.parquet"
    pq.write_table(table, path, **options)
    return path


files = {
    "one row group": write("whole"),
    "row groups of 2": write("twos", row_group_size=2),
    "row groups of 2, no statistics": write("plain", row_group_size=2, write_statistics=False),
}
print("pyarrow", pa.__version__)
print("scores of clips 0 to 7:", scores.tolist())
print("expected: the same clips from every file as in memory")
expected = {text: table.filter(e)["clip"].to_pylist() for text, e in expressions.items()}
seen = {}
for text, expression in expressions.items():
    print(f"{text}: in memory {expected[text]}")
    for name, path in files.items():
        seen[name, text] = pq.read_table(path, filters=expression)["clip"].to_pylist()
        print(f"    {name}: {seen[name, text]}")

for name in ("one row group", "row groups of 2, no statistics"):
    if any(seen[name, text] != clips for text, clips in expected.items()):
        sys.exit(f"CHANGED: a comparison failed: {name} no longer gives what memory gives")
if seen["row groups of 2", "not (score >= 0.5)"] != [3, 6, 7]:
    sys.exit("CHANGED: not (score >= 0.5) no longer loses exactly the NaN rows 1 and 5")
if seen["row groups of 2", "is_nan(score)"] == expected["is_nan(score)"]:
    sys.exit("CHANGED: is_nan(score) no longer loses rows")
print("seen: with row groups of 2, clips 1 and 5 are in neither half")
PYTHON
"$folder/venv/bin/python" "$folder/check.py" "$folder"
