#!/usr/bin/env bash
# torchmetrics 1.9.0: in a MetricCollection, two metrics that agree on the first batch have one and
# the same value from then on.
#
# Expected: a collection is a dictionary of metrics that are updated together; each has the value it
# would have alone. The documentation says that metrics are updated once where they "belong to the
# same compute group", as accuracy and precision do, which differ in their last step alone. So
# accuracy at two thresholds, which count other things, is counted twice; and the order of batches
# changes no value.
#
# What happens: groups are not known from classes and arguments but found by comparing numbers
# behind the first update: where the counters of two metrics of one kind happen to be equal, one of
# the two is never updated again and shows the other's value. Arguments of the metrics are not
# looked at. An easy first batch is enough. Nothing warns. With compute_groups=False all is as
# expected.
#
# Why it matters: sweeps over thresholds (a judge of lip-sync, blinks, faces of one identity) and
# scores with and without a class are usual collections, the first batch of a validation is small or
# sorted, and what comes out is a flat curve, or two equal columns, that look like a result.
#
# Exit status: 0 while this is so, 1 when it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torchmetrics==1.9.0 lightning-utilities==0.15.3 torch==2.13.0 numpy==1.26.4

cat > "$folder/check.py" <<'PYTHON'
import sys

import torch
import torchmetrics
from torchmetrics.classification import BinaryAccuracy

# Scores and labels: of the first batch no score lies between the thresholds, of the second all do.
EASY = torch.tensor([0.1, 0.9]), torch.tensor([0, 1])
HARD = torch.full((8,), 0.6), torch.zeros(8, dtype=torch.long)
THRESHOLDS = {"low": 0.5, "high": 0.7}


def score(batches, **options):
    metrics = {name: BinaryAccuracy(threshold=at) for name, at in THRESHOLDS.items()}
    collection = torchmetrics.MetricCollection(metrics, **options)
    for batch in batches:
        collection.update(*batch)
    return {name: round(float(value), 3) for name, value in sorted(collection.compute().items())}


def score_alone(batches, threshold):
    metric = BinaryAccuracy(threshold=threshold)
    for batch in batches:
        metric.update(*batch)
    return round(float(metric.compute()), 3)


print("torchmetrics", torchmetrics.__version__, "torch", torch.__version__)
alone = {name: score_alone((EASY, HARD), at) for name, at in sorted(THRESHOLDS.items())}
easy_first, hard_first = score((EASY, HARD)), score((HARD, EASY))
apart = score((EASY, HARD), compute_groups=False)
print("accuracy at 0.5 (low) and 0.7 (high), each alone:", alone)
print("in a collection, the easy batch first:", easy_first)
print("in a collection, the hard batch first:", hard_first)
print("in a collection with compute_groups=False:", apart)
if alone != {"high": 1.0, "low": 0.2} or hard_first != alone or apart != alone:
    sys.exit("CHANGED: a comparison failed")
if easy_first["low"] != easy_first["high"]:
    sys.exit("CHANGED: the values are those of the metrics alone")
print("as described")
PYTHON
"$folder/venv/bin/python" "$folder/check.py"

# Seen, Linux x86-64:
# torchmetrics 1.9.0 torch 2.13.0+cpu
# accuracy at 0.5 (low) and 0.7 (high), each alone: {'high': 1.0, 'low': 0.2}
# in a collection, the easy batch first: {'high': 1.0, 'low': 1.0}
# in a collection, the hard batch first: {'high': 1.0, 'low': 0.2}
# in a collection with compute_groups=False: {'high': 1.0, 'low': 0.2}
# as described
