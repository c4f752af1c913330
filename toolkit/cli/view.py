"""`ttk view`: clips in the browser."""

import signal
from pathlib import Path

import click

from toolkit.cli.base import command, data_option


@command("view", example="ttk view --data dataset")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Address to listen at. Any but loopback lets other machines see faces and hear voices.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="Port to listen at; 0: any that is free.",
    show_default=True,
)
@data_option
def view(host: str, port: int, data: Path) -> None:
    """Look at clips in the browser, with mesh, traces and sound; leave out bad ones.

    Prints the page's address, which is secret and holds until Ctrl-C. Excluding a clip there is
    `ttk exclude`; nothing else in the dataset changes.
    """
    from toolkit.view.server import Viewer, is_loopback, open_server
    from toolkit.view.videos import VideoCache

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the videos go in either case
    with VideoCache() as videos:
        viewer = Viewer(data, host, videos)
        server = open_server(viewer, host, port)
        if not is_loopback(host):
            click.echo(
                "ttk: warning: other machines can reach this page, and everything goes unencrypted:"
                " who has the address sees faces, hears voices and can exclude clips",
                err=True,
            )
        shown = f"[{host}]" if ":" in host else host
        click.echo(f"http://{shown}:{server.port}/{viewer.secret}/")
        click.echo("Ctrl-C ends it", err=True)
        server.serve_forever()
