"""Reports as one HTML file that opens without a network: style, tables, figures, escaped text.

What takes `cells`, `content` or `parts` takes markup as it is: text goes through `escape` first.
"""

import base64
import hashlib
import html
from collections.abc import Iterable, Sequence
from pathlib import Path

from toolkit.names import write_name
from toolkit.storage import write_whole

MAX_ROWS = 2000
"""Rows of the longest table; what programs read (`--json`) has all."""

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1b2330; --muted: #5a657c; --line: #dde2ea;
  --head: #f2f4f8; --paler: #faf6ec; --bar: #3b6ea5; --band: #d9822b; }
@media (prefers-color-scheme: dark) { :root { --paper: #14181f; --ink: #e2e7ee; --muted: #9aa5b7;
  --line: #2e3541; --head: #1f2530; --paler: #2a2619; --bar: #6ea3dc; --band: #e39a4d; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  margin: 2em auto; max-width: 72em; padding: 0 1em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin-top: 2em; } h3 { font-size: 1em; }
.wide { overflow-x: auto; }
.tall { overflow: auto; max-height: 40em; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.92em; }
th, td { padding: 0.25em 0.7em; border-bottom: 1px solid var(--line); text-align: right;
  white-space: nowrap; }
td:first-child { position: sticky; left: 0; background: var(--paper); }
th { background: var(--head); position: sticky; top: 0; z-index: 1; }
th:first-child, td:first-child, :is(th, td):has(.text, .name) { text-align: left; }
td:has(.text) { white-space: normal; min-width: 20em; overflow-wrap: anywhere; }
td small { color: var(--muted); display: block; }
th button { all: unset; cursor: pointer; font-weight: bold; }
th button:focus-visible { outline: 2px solid var(--bar); }
th[aria-sort=ascending] button::after { content: " ▲"; }
th[aria-sort=descending] button::after { content: " ▼"; }
.reference, .note { color: var(--muted); } .paper td { background: var(--paler); }
.search { display: block; margin: 0.5em 0; } input { font: inherit; }
.share { display: inline-block; width: 12em; height: 0.8em; text-align: left; }
.share i { display: block; height: 100%; background: var(--bar); min-width: 1px; }
figure { display: inline-block; margin: 0 1em 1em 0; vertical-align: top; }
figcaption { font-size: 0.85em; color: var(--muted); }
img { max-width: 100%; } figure.plot img { max-width: none; }
figure.map img { border: 1px solid var(--line); width: 200px; }
figure.strip { width: 28em; max-width: 100%; overflow-wrap: anywhere; }
figure.bars { width: 340px; max-width: 100%; }
svg { display: block; max-width: 100%; } svg text { fill: var(--muted); font-size: 11px; }
svg .bar { fill: var(--bar); } svg .band { fill: var(--band); opacity: 0.3; }
svg line { stroke: var(--line); }
"""

SORTING = """
const collator = new Intl.Collator(undefined, {numeric: true});
function compare(a, b) {
  const x = Number(a), y = Number(b);
  return Number.isNaN(x) || Number.isNaN(y) ? collator.compare(a, b) : x - y;
}
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const read = (row, k) => row.cells[k].textContent;
  heads.forEach((head, k) => head.firstChild.addEventListener("click", () => {
    const sign = head.ariaSort === "ascending" ? -1 : 1;
    heads.forEach((each) => each.removeAttribute("aria-sort"));
    head.ariaSort = sign > 0 ? "ascending" : "descending";
    const unknown = (row) => read(row, k) === "–";
    const before = (a, b) => unknown(a) - unknown(b) || sign * compare(read(a, k), read(b, k));
    body.append(...[...body.rows].sort(before));
  }));
  const search = table.closest("section").querySelector("input");
  const shown = table.closest("section").querySelector("output");
  search.addEventListener("input", () => {
    const words = search.value.toLowerCase().split(/\\s+/);
    let count = 0;
    for (const row of body.rows) {
      const text = [...row.cells].map((cell) => cell.textContent).join(" ").toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      count += !row.hidden;
    }
    shown.value = `${count} of ${body.rows.length}`;
  });
}
"""
"""Sorts tables of `write_sortable` by the column that is clicked, and hides what is not searched.

Cells that hold `–` alone come last in either order.
"""


def write_page(path: Path, title: str, parts: Sequence[str], script: str = "") -> None:
    """Write a page whole, or nothing; its policy lets a browser load nothing from elsewhere.

    Args:
        path: file to write; a file of that name is replaced.
        title: text.
        parts: markup, see `write_section`.
        script: the only one that a browser runs, `SORTING` or none.

    Raises:
        StorageError: see `write_whole`.
    """
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    if script:
        policy += f"; script-src {digest_script(script)}"
    text = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f"<h1>{escape(title)}</h1>\n{''.join(parts)}"
        f"{f'<script>{script}</script>' if script else ''}</body></html>\n"
    )
    with write_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def digest_script(script: str) -> str:
    """How a page's policy names the one script that a browser may run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def write_section(title: str, content: str) -> str:
    """A heading and markup under it; nothing where there is none."""
    return f"<h2>{escape(title)}</h2>\n<div class=wide>{content}</div>\n" if content else ""


def write_table(
    head: Sequence[str], rows: Iterable[Sequence[str]], papers: Iterable[Sequence[str]] = ()
) -> str:
    """A table of cells; rows of `papers` come last, in another shade; no head if that is empty."""
    heads = "".join(f"<th>{cell}</th>" for cell in head)
    heads = f"<tr>{heads}</tr>" if any(head) else ""
    lines = [
        f"<tr{kind}>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>"
        for kind, group in (("", rows), (" class=paper", papers))
        for row in group
    ]
    return f"<table>{heads}{''.join(lines)}</table>"


def write_sortable(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells with a field to search it, for a page with the script `SORTING`."""
    heads = "".join(f"<th><button>{cell}</button></th>" for cell in head)
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return (
        "<section><label class=search>Search <input type=search> <output></output></label>"
        f"<div class=tall><table class=sortable><thead><tr>{heads}</tr></thead>"
        f"<tbody>{lines}</tbody></table></div></section>"
    )


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


def write_words(text: str, kind: str = "text") -> str:
    """A cell, or its head, that stands to the left: `text` may be broken, a `name` may not."""
    return f"<span class={kind}>{escape(text)}</span>"


def escape(text: str) -> str:
    """Text that is no markup, on one line; characters that control it as codes."""
    return html.escape(write_name(text))
