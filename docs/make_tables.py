"""Write the tables of docs/formats.md anew from toolkit/schema.py: `python docs/make_tables.py`.

Each table stands between `<!-- begin NAME -->` and `<!-- end NAME -->`; the rest is by hand.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from toolkit.schema import ARRAYS, TABLES

PAGE = Path(__file__).parent / "formats.md"


def make_tables() -> dict[str, str]:
    """Name of each table -> its Markdown."""
    arrays = (
        (f"`{a.name}`", _write_shape(a.axis, a.shape), a.dtype, a.unit, a.text, a.feature)
        for a in ARRAYS.values()
    )
    head = ("dataset", "shape", "dtype", "unit", "what it is", "feature")
    tables = {"arrays": _write_table(head, arrays)}
    for name, columns in TABLES.items():
        rows = ((f"`{c.name}`", f"`{c.type}`", c.unit, c.text) for c in columns)
        tables[name] = _write_table(("column", "type", "unit", "what it is"), rows)
    return tables


def _write_shape(axis: str, shape: Sequence[int]) -> str:
    numbers = ", ".join(str(number) for number in shape)
    return f"({axis}, {numbers})" if numbers else f"({axis},)"


def _write_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def fill_page(text: str) -> str:
    """A page with every table between its markers; ValueError where a marker is missing."""
    for name, table in make_tables().items():
        pattern = rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)"
        text, count = re.subn(pattern, rf"\g<1>\n{table}\n\n\g<2>", text, flags=re.DOTALL)
        if count != 1:
            raise ValueError(f"{PAGE}: the markers of {name} stand there {count} times, not once")
    return text


if __name__ == "__main__":
    PAGE.write_text(fill_page(PAGE.read_text("utf-8")), "utf-8")
