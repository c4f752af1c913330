#!/usr/bin/env bash
# datasets 5.2.0 with numpy 1.26.4: in the format `numpy` one float64 cell has two values, by whether
# its row or its column is asked for.
#
# Expected: with_format("numpy") gives a float64 feature as it is stored, since numpy has float64 and
# no default of float32; and ds[0]["start"] equals ds[:]["start"][0].
#
# What happens: of a row a scalar keeps float64, and a list becomes float32; of a batch or a column
# scalars become float32 as well. No warning. With dtype=np.float64 given to with_format, or with
# the format `arrow`, all are as stored.
#
# Why it matters: times of frames in a long recording, in seconds, are off by up to 1.8 ms at eleven
# hours, and a clip's start looked up by row differs from the one looked up by column, so that a
# comparison or a join of the two finds nothing.
#
# Exit status: 0 while this is so, 1 when it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check datasets==5.2.0 numpy==1.26.4 pyarrow==25.0.1 pandas==3.0.6

cat > "$folder/check.py" <<'PYTHON'
import sys

import datasets
import numpy as np

times = np.arange(4) / 30 + 40_000.0  # s, frames of a long recording
double = datasets.Value("float64")
data = datasets.Dataset.from_dict(
    {"times": [times.tolist()], "start": [times[1]]},
    features=datasets.Features({"times": datasets.List(double), "start": double}),
)
shown = data.with_format("numpy")
by_row, by_column = shown[0]["start"], shown[:]["start"]
listed = shown[0]["times"]
error = float(np.abs(listed.astype(np.float64) - times).max())
print("datasets", datasets.__version__, "numpy", np.__version__)
print("a list of a row:", listed.dtype, f"off by {1e3 * error:.2f} ms at most")
print("a scalar of a row:", np.asarray(by_row).dtype, "as stored:", bool(by_row == times[1]))
print("the same of the column:", by_column.dtype, "as stored:", bool(by_column[0] == times[1]))
asked = data.with_format("numpy", dtype=np.float64)
print("float64 asked for:", asked[0]["times"].dtype, asked[:]["start"].dtype)
same = (
    listed.dtype == np.float32
    and by_row == times[1]
    and by_column.dtype == np.float32
    and by_column[0] != times[1]
    and asked[0]["times"].dtype == np.float64
    and asked[:]["start"].dtype == np.float64
)
if not same:
    sys.exit("CHANGED")
print("as described")
PYTHON
HF_HUB_OFFLINE=1 HF_HOME="$folder/home" "$folder/venv/bin/python" "$folder/check.py"

# Seen, Linux x86-64:
# datasets 5.2.0 numpy 1.26.4
# a list of a row: float32 off by 1.82 ms at most
# a scalar of a row: float64 as stored: True
# the same of the column: float32 as stored: False
# float64 asked for: float64 float64
# as described
