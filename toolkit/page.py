"""Reports as one HTML file that opens without a network: style, tables, figures, escaped text.

What takes `cells`, `content` or `parts` takes markup as it is: text goes through `escape` first.
"""

import base64
import html
from collections.abc import Iterable, Sequence
from pathlib import Path

from toolkit.names import write_name
from toolkit.storage import write_whole

MAX_ROWS = 2000
"""Rows of the longest table; what programs read (`--json`) has all."""

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1b2330; margin: 2em auto; max-width: 72em;
  padding: 0 1em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin-top: 2em; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.92em; }
th, td { padding: 0.25em 0.7em; border-bottom: 1px solid #dde2ea; text-align: right;
  white-space: nowrap; }
td:first-child { position: sticky; left: 0; background: #fff; }
th { background: #f2f4f8; position: sticky; top: 0; }
th:first-child, td:first-child, td:has(.text) { text-align: left; }
td:has(.text) { white-space: normal; min-width: 20em; }
td small { color: #66728a; display: block; }
.reference { color: #66728a; } .paper td { background: #faf6ec; }
figure { display: inline-block; margin: 0 1em 1em 0; vertical-align: top; }
figcaption { font-size: 0.85em; color: #44506a; }
img { max-width: 100%; } figure.plot img { max-width: none; }
figure.map img { border: 1px solid #dde2ea; width: 200px; }
"""


def write_page(path: Path, title: str, parts: Sequence[str]) -> None:
    """Write a page whole, or nothing.

    Args:
        path: file to write; a file of that name is replaced.
        title: text.
        parts: markup, see `write_section`.

    Raises:
        StorageError: see `write_whole`.
    """
    text = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f"<h1>{escape(title)}</h1>\n{''.join(parts)}</body></html>\n"
    )
    with write_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_section(title: str, content: str) -> str:
    """A heading and markup under it; nothing where there is none."""
    return f"<h2>{escape(title)}</h2>\n<div class=wide>{content}</div>\n" if content else ""


def write_table(
    head: Sequence[str], rows: Iterable[Sequence[str]], papers: Iterable[Sequence[str]] = ()
) -> str:
    """A table of cells; rows of `papers` come last, in another shade."""
    heads = "".join(f"<th>{cell}</th>" for cell in head)
    lines = [
        f"<tr{kind}>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>"
        for kind, group in (("", rows), (" class=paper", papers))
        for row in group
    ]
    return f"<table><tr>{heads}</tr>{''.join(lines)}</table>"


def write_list(notes: Sequence[str]) -> str:
    """Sentences as a list; nothing where there is none."""
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f"<ul>{items}</ul>" if items else ""


def embed_picture(data: bytes, form: str, caption: str, kind: str = "") -> str:
    """A picture within the page.

    Args:
        data: the file.
        form: `png` or `jpeg`.
        caption: text below it.
        kind: class of the figure in `STYLE`.
    """
    coded, text = base64.b64encode(data).decode(), escape(caption)
    source = f"data:image/{form};base64,{coded}"
    return (
        f'<figure class="{kind}"><img alt="{text}" src="{source}">'
        f"<figcaption>{text}</figcaption></figure>"
    )


def escape(text: str) -> str:
    """Text that is no markup, on one line; characters that control it as codes."""
    return html.escape(write_name(text))
