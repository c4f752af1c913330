"""Write generated tables anew: `python docs/make_tables.py`.

Those of docs/formats.md come from toolkit/schema.py, that of docs/models.md from the records of the
families. Each table stands between `<!-- begin NAME -->` and `<!-- end NAME -->`; the rest is by
hand.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from toolkit.schema import ARRAYS, TABLES
from zoo.models.family import list_commands
from zoo.models.registry import list_families

PAGES = tuple(Path(__file__).parent / name for name in ("formats.md", "models.md"))


def make_tables() -> dict[str, str]:
    """Name of each table of formats.md and models.md -> its Markdown."""
    arrays = (
        (f"`{a.name}`", _write_shape(a.axis, a.shape), a.dtype, a.unit, a.text, a.feature)
        for a in ARRAYS.values()
    )
    head = ("dataset", "shape", "dtype", "unit", "what it is", "feature")
    tables = {"arrays": _write_table(head, arrays)}
    for name, columns in TABLES.items():
        rows = ((f"`{c.name}`", f"`{c.type}`", c.unit, c.text) for c in columns)
        tables[name] = _write_table(("column", "type", "unit", "what it is"), rows)
    families = (
        (f"`{f.name}`", f.summary, _quote(f.presets), _quote(f.reads), _quote(list_commands(f)))
        for f in list_families()
    )
    head = ("family", "what it does", "presets", "arrays it is trained on", "commands")
    return tables | {"families": _write_table(head, families)}


def _quote(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def _write_shape(axis: str, shape: Sequence[int]) -> str:
    numbers = ", ".join(str(number) for number in shape)
    return f"({axis}, {numbers})" if numbers else f"({axis},)"


def _write_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def fill_page(text: str) -> str:
    """A page with its tables between their markers; ValueError for an unknown table."""
    tables = make_tables()

    def write(match: re.Match[str]) -> str:
        if match[1] not in tables:
            raise ValueError(f"no table {match[1]!r}: there are {', '.join(tables)}")
        return f"<!-- begin {match[1]} -->\n\n{tables[match[1]]}\n\n<!-- end {match[1]} -->"

    return re.sub(r"<!-- begin (\S+) -->\n.*?<!-- end \1 -->", write, text, flags=re.DOTALL)


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(fill_page(page.read_text("utf-8")), "utf-8")
