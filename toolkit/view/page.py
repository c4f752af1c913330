"""The viewer's page: one file, which loads nothing from elsewhere and runs its own script alone."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toolkit.page import STYLE, digest_script, escape
from toolkit.preview.draw import load_mesh_lines
from toolkit.report.pick import DOUBTS

_TEMPLATE = Path(__file__).with_name("page.html")


def write_page(title: str) -> tuple[bytes, str]:
    """The page, and the policy (Content-Security-Policy) that it is to be sent with.

    Raises:
        SetupError: mediapipe cannot be loaded: the mesh's edges are its own.
    """
    mesh = load_mesh_lines()
    setup = {
        "doubts": [(doubt.name, doubt.text) for doubt in DOUBTS],
        "web": _to_list(mesh.web),
        "features": [_to_list(pairs) for pairs, _ in mesh.features],
        "irises": _to_list(mesh.irises),
    }
    template = _TEMPLATE.read_text("utf-8")
    script = template.partition("<script>")[2].partition("</script>")[0]
    text = json.dumps(setup, ensure_ascii=False).replace("<", "\\u003c")
    page = (
        template.replace("{{style}}", STYLE)
        .replace("{{setup}}", text)
        .replace("{{title}}", escape(title))
    )
    policy = (
        f"default-src 'none'; script-src {digest_script(script)}; style-src 'unsafe-inline'; "
        "img-src data:; media-src 'self'; connect-src 'self'; frame-ancestors 'none'; "
        "base-uri 'none'; form-action 'none'"
    )
    return page.encode(), policy


def _to_list(points: Any) -> Sequence[Sequence[int]]:
    return points.tolist()  # type: ignore[no-any-return]
