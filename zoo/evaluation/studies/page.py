"""The pages of a study: one file for each rater, which opens without a network."""

import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.evaluation.studies.protocols import Protocol

_TEMPLATE = Path(__file__).with_name("page.html")

_INDEX = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Pages of a study</title>
<p>A page for each rater. Give every person another one, with the folder videos/ beside it.</p>
<ol>
{rows}
</ol>
</html>
"""


def name_answers(study: str, rater: str) -> str:
    """Name of the file that a rater's browser saves."""
    return f"answers-{study}-{rater}.json"


def write_page(
    study: str, rater: str, protocol: Protocol, videos: Sequence[Mapping[str, Any]]
) -> str:
    """The page on which a rater judges videos.

    Args:
        study: its id.
        rater: number of the sheet.
        protocol: what is asked.
        videos: in the order shown: `name`, `file` (beside the page), `counts` (false: an example).
    """
    sheet = {
        "study": study,
        "rater": rater,
        "saves": name_answers(study, rater),
        "criteria": [
            {"name": c.name, "question": c.question, "labels": list(c.labels.items())}
            for c in protocol.criteria
        ],
        "videos": list(videos),
    }
    text = json.dumps(sheet, ensure_ascii=False).replace("<", "\\u003c")
    return _TEMPLATE.read_text("utf-8").replace("{{sheet}}", text)


def write_index(raters: Sequence[str]) -> str:
    """The list of the raters' pages."""
    rows = "\n".join(
        f'<li><a href="rater-{html.escape(rater)}.html">rater {html.escape(rater)}</a></li>'
        for rater in raters
    )
    return _INDEX.format(rows=rows)
