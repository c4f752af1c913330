"""Pages in headless Chromium, without a network."""

import base64
import hashlib
import json
import os
import re
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

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
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=500)
    (found,) = re.findall("&lt;&lt;(.*)&gt;&gt;", done.stdout)
    return json.loads(found.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))


class Browser:
    """Headless Chromium that a test steers through pipes, by the DevTools protocol."""

    def __init__(self, folder: Path, *, width: int = 1300, height: int = 900) -> None:
        """Start it with an empty profile in `folder`."""
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        flags = (*_FLAGS, "--remote-debugging-pipe", f"--user-data-dir={folder}",
                 f"--window-size={width},{height}", "--mute-audio", "--force-color-profile=srgb",
                 "--autoplay-policy=no-user-gesture-required")  # fmt: skip
        # the protocol's pipes are file descriptors 3 and 4
        script = f'exec "$@" 3<&{commands} 4>&{answers}'
        self._process = subprocess.Popen(
            ["bash", "-c", script, "bash", str(CHROMIUM), *flags, "about:blank"],
            pass_fds=(commands, answers),
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        self._buffer, self._number, self._session = b"", 0, ""
        (page,) = (t for t in self._call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        attached = self._call("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = attached["sessionId"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._commands)
        os.close(self._answers)

    def open(self, address: str, *, dark: bool = False) -> None:
        """Go to an address."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        self._call("Page.navigate", url=address)

    def run(self, expression: str) -> Any:
        """What a JavaScript expression gives, once its promise is kept."""
        done = self._call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def wait(self, expression: str, seconds: float = 500) -> Any:
        """What an expression gives as soon as that is true."""
        end = time.monotonic() + seconds
        while not (found := self.run(expression)):
            assert time.monotonic() < end, expression
            time.sleep(0.05)
        return found

    def take_picture(self) -> bytes:
        """The page as PNG."""
        return base64.b64decode(self._call("Page.captureScreenshot")["data"])

    def _call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def _read(self) -> Any:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._answers], [], [], 500)
            block = os.read(self._answers, 1 << 20) if ready else b""
            assert block, "chromium does not answer"
            self._buffer += block
        text, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(text)
