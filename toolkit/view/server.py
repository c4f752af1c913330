"""The server of `ttk view`: a page, clips and videos over HTTP, for the one who started it.

Every address begins with a secret of this process, so that neither another site nor another user
of the machine, who cannot know it, reads a face or marks a clip. A Host header that names anything
but this machine is refused: a site whose name was made to lead here (DNS rebinding) sends its own.
"""

import ipaddress
import json
import secrets
import socket
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd
from werkzeug.exceptions import BadRequest, Forbidden, HTTPException, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.utils import send_file
from werkzeug.wrappers import Request, Response

from toolkit.dataset.excluded import exclude_clips, include_clips
from toolkit.errors import ToolkitError
from toolkit.names import write_name
from toolkit.preview.clip import PreviewClip, read_clip
from toolkit.report.measure import read_clips
from toolkit.view.clips import (
    Choice,
    add_marks,
    describe_columns,
    describe_list,
    describe_traces,
    encode_mesh,
    list_orders,
)
from toolkit.view.page import write_page
from toolkit.view.videos import VideoCache

MAX_BODY = 1 << 16
"""Bytes of a request's body at most."""

HEADERS = {
    "Cache-Control": "no-store",  # faces stay in no browser's cache
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",  # the secret stands in the address
    "X-Content-Type-Options": "nosniff",
}


class Viewer:
    """The WSGI application.

    Attributes:
        secret: with which every address begins.

    Args:
        dataset: the dataset's folder.
        host: address that is listened at.
        videos: where videos come from.

    Raises:
        ManifestError: no dataset here, or a damaged file.
        SetupError: see `write_page`.
    """

    def __init__(self, dataset: Path, host: str, videos: VideoCache) -> None:
        self.secret = secrets.token_urlsafe(16)
        self._dataset, self._host, self._videos = dataset, host, videos
        self._lock = threading.Lock()
        self._clips = read_clips(dataset)
        self._page, self._policy = write_page(dataset.resolve().name)
        self._rules = Map(
            [
                Rule("/", endpoint=self._send_page, methods=["GET"]),
                Rule("/clips", endpoint=self._send_list, methods=["GET"]),
                Rule("/clips/<clip_id>", endpoint=self._send_clip, methods=["GET"]),
                Rule("/clips/<clip_id>/mesh", endpoint=self._send_mesh, methods=["GET"]),
                Rule("/clips/<clip_id>/video", endpoint=self._send_video, methods=["GET"]),
                Rule("/clips/<clip_id>/exclude", endpoint=self._exclude, methods=["POST"]),
                Rule("/clips/<clip_id>/include", endpoint=self._include, methods=["POST"]),
            ],
            merge_slashes=False,
        )

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        request.max_content_length = MAX_BODY
        response = self._answer(request)
        response.headers.update(HEADERS)
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        try:
            return self._dispatch(request)
        except HTTPException as error:
            code, text = error.code or 500, error.description or error.name
        except ValueError as error:
            code, text = 400, str(error)
        except (ToolkitError, OSError) as error:
            code, text = 500, str(error)
        except Exception as error:
            code, text = 500, f"unexpected {type(error).__name__}: {error}"
        answer = _send_json({"error": write_name(" ".join(text.split()))})
        answer.status_code = code
        return answer

    def _dispatch(self, request: Request) -> Response:
        if not is_own_host(request.headers.get("Host", ""), self._host):
            raise Forbidden("this address is not the viewer's")
        _, secret, *rest = request.path.split("/", 2)
        if not rest or not secrets.compare_digest(secret.encode(), self.secret.encode()):
            raise NotFound("open the address that ttk view has printed")
        rules = self._rules.bind("", path_info=f"/{rest[0]}", default_method=request.method)
        endpoint, values = rules.match()
        answer: Response = endpoint(request, **values)
        return answer

    # --- what is read ---------------------------------------------------------------------------

    def _send_page(self, request: Request) -> Response:
        self._clips = read_clips(
            self._dataset
        )  # what was ingested since is there once the page is reloaded
        page = Response(self._page, mimetype="text/html")
        page.headers["Content-Security-Policy"] = self._policy
        return page

    def _send_list(self, request: Request) -> Response:
        names = ("where", "identity", "part", "doubt", "mark", "order")
        chosen = {name: request.args.get(name, "") for name in names}
        choice = Choice(**chosen, descending=bool(request.args.get("descending")))
        clips = add_marks(self._dataset, self._clips)
        return _send_json(
            describe_list(clips, choice)
            | {
                "identities": sorted(map(str, clips["identity"].unique())),
                "parts": sorted(filter(None, map(str, clips["split"].unique()))),
                "columns": [str(name) for name in clips.columns if " " not in str(name)],
                "orders": list_orders(clips),
            }
        )

    def _send_clip(self, request: Request, clip_id: str) -> Response:
        row = self._find(clip_id)
        made = describe_traces(self._open(row))
        return _send_json(made | {"columns": describe_columns(row.to_dict())})

    def _send_mesh(self, request: Request, clip_id: str) -> Response:
        mesh = encode_mesh(self._open(self._find(clip_id)))
        return Response(mesh, mimetype="application/octet-stream")

    def _send_video(self, request: Request, clip_id: str) -> Response:
        video = self._videos.find(*self._place(self._find(clip_id)))
        return send_file(video, request.environ, mimetype="video/mp4", conditional=True)

    def _find(self, clip_id: str) -> "pd.Series[Any]":
        """The manifest's row of a whole id: what an address says is opened by no other way."""
        rows = self._clips[self._clips["clip_id"] == clip_id]
        if rows.empty:
            raise NotFound(f"no clip {clip_id!r}: reload the page")
        return rows.iloc[0]

    def _place(self, row: "pd.Series[Any]") -> tuple[str, Path, int]:
        return str(row["clip_id"]), self._dataset / str(row["shard"]), int(row["index"])

    def _open(self, row: "pd.Series[Any]") -> PreviewClip:
        return read_clip(*self._place(row))

    # --- what is written ------------------------------------------------------------------------

    def _exclude(self, request: Request, clip_id: str) -> Response:
        reason = _read_reason(request)
        self._find(clip_id)
        with self._lock:
            exclude_clips(self._dataset, [clip_id], reason)
        return _send_json({"excluded": True, "reason": reason})

    def _include(self, request: Request, clip_id: str) -> Response:
        self._find(clip_id)
        with self._lock:
            include_clips(self._dataset, [clip_id])
        return _send_json({"excluded": False, "reason": ""})


def is_own_host(header: str, host: str) -> bool:
    """Whether a Host header can be of a page of this server.

    Args:
        header: `name`, `name:port`, `[IPv6]:port`.
        host: what the server listens at. At an address of loopback only names of loopback are its
            own, else any address in numbers too, which no site can make lead here, and `host`.
    """
    name, _, port = header.rpartition(":") if not header.endswith("]") else (header, "", "0")
    if not name:
        name, port = port, "0"
    if name == "localhost" or (name == host and not is_loopback(host)):
        return port.isdecimal()
    try:
        address = ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return port.isdecimal() and (address.is_loopback or not is_loopback(host))


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, and reached from it alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read_reason(request: Request) -> str:
    """The reason in a request's body; BadRequest if there is none."""
    try:
        reason = json.loads(request.get_data())["reason"]
        reason.encode()  # half of a surrogate pair is JSON, and no text
        return " ".join(reason.split())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadRequest('the body must be {"reason": "text"}') from error


def _send_json(value: Any) -> Response:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return Response(text.encode("utf-8", "replace"), mimetype="application/json")


# --- listening ----------------------------------------------------------------------------------


class _QuietHandler(WSGIRequestHandler):
    """Without a line for every request: it would show the secret."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing."""


def open_server(viewer: Viewer, host: str, port: int) -> BaseWSGIServer:
    """A server that listens, with a thread for each request.

    Args:
        viewer: the application.
        host: address or name to listen at.
        port: 0: any that is free.

    Raises:
        ToolkitError: the port is taken, or the host is not this machine's.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen()
            # given by its number: werkzeug ends the program where it cannot listen by itself
            return make_server(
                host, port, viewer, threaded=True, request_handler=_QuietHandler,
                fd=listener.fileno(),
            )  # fmt: skip
    except (OSError, OverflowError, UnicodeError) as error:
        raise ToolkitError(
            f"cannot listen at {host}, port {port} ({error}): choose another --port or --host"
        ) from error
