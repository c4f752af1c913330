"""Character and word error rates."""

from collections.abc import Sequence


def count_edits(found: Sequence[object], wanted: Sequence[object]) -> int:
    """Levenshtein distance: insertions, deletions and substitutions from one to the other."""
    row = list(range(len(wanted) + 1))
    for i, item in enumerate(found, 1):
        before, row[0] = row[0], i
        for j, target in enumerate(wanted, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (item != target))
    return row[-1]


def measure_cer(found: Sequence[str], wanted: Sequence[str]) -> float:
    """Edits of characters, spaces counted, over the characters wanted, pooled over all texts."""
    edits = sum(count_edits(a, b) for a, b in zip(found, wanted, strict=True))
    return edits / max(1, sum(map(len, wanted)))


def measure_wer(found: Sequence[str], wanted: Sequence[str]) -> float:
    """Edits of words over the words wanted, pooled over all texts."""
    pairs = [(a.split(), b.split()) for a, b in zip(found, wanted, strict=True)]
    return sum(count_edits(a, b) for a, b in pairs) / max(1, sum(len(b) for _, b in pairs))
