"""Pages in headless Chromium, without a network."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium")

needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="needs chromium")

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


def evaluate(page: Path, expression: str, *, width: int = 1300, dark: bool = False) -> Any:
    """What a JavaScript expression gives once a page is loaded, under the page's own policy."""
    shown = f'"<<" + JSON.stringify({expression}) + ">>"'
    script = f'addEventListener("load", () => document.body.append({shown}))'
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    text = page.read_text("utf-8")
    before = "script-src " if "script-src " in text else "img-src"
    after = f"script-src 'sha256-{digest}'{' ' if before == 'script-src ' else '; img-src'}"
    text = text.replace(before, after, 1).replace("</html>", f"<script>{script}</script></html>")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "page.html"
        copy.write_text(text, "utf-8")
        colors = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
        command = [
            str(CHROMIUM), *_FLAGS, colors, f"--user-data-dir={folder}/user",
            f"--window-size={width},900", "--dump-dom", copy.as_uri(),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    (found,) = re.findall("&lt;&lt;(.*)&gt;&gt;", done.stdout)
    return json.loads(found.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
