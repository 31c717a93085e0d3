"""``hashret serve``: the page of a collection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import ParameterError
from .options import Quiet, RayAddress, Store, Verbose
from .output import print_line

__all__ = ["serve"]

# So that a node that dies costs nothing.
_REPLICAS = 2


def serve(
    store: Store = None,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where to listen; others need a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any that is free.")] = 8765,
    token: Annotated[
        str | None,
        typer.Option(envvar="HASHRET_TOKEN", help="What clients have to know."),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The same, from a file, which other users do not see."),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="A name by which clients ask; may be repeated."),
    ] = None,
    max_upload: Annotated[
        str, typer.Option(metavar="N", help="Bytes of a picture that is searched for.")
    ] = "25MB",
    thumbnails: Annotated[
        int,
        typer.Option(
            min=0, metavar="N", help="Of the latest images, made ahead; others when looked at."
        ),
    ] = 20_000,
    ray: RayAddress = None,
    replicas: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Actors of a Ray cluster that search each part of the codes, on different nodes; "
            "2 by default with --ray.",
        ),
    ] = None,
    shards: Annotated[
        str | None,
        typer.Option(
            metavar="LOCATION",
            help="With --ray: where the parts lie for its nodes, a folder or an address; by "
            "default in the store.",
        ),
    ] = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Serve a page that searches the collection and reviews its duplicates.

    Without a token it answers this machine alone.

    Examples:

      hashret serve

      hashret serve --host 0.0.0.0 --name photos.example --token-file token.txt

      hashret serve --ray auto --replicas 2      searched by a cluster
    """
    from ..collection.filters import as_number
    from ..collection.opening import open_collection
    from ..web import Settings, bind, create_app, hosts_of
    from ..web import serve as run

    size = as_number(max_upload)
    if not size:
        raise ParameterError(f"max-upload: expected a number such as 25MB, got {max_upload!r}")
    if token_file is not None:
        token = token_file.read_text(encoding="utf-8").strip()
    settings = Settings(
        token=token,
        hosts=hosts_of(host, name or []),
        upload_bytes=int(size),
        thumbnails=thumbnails,
    )
    if shards is not None and ray is None and replicas is None:
        raise ParameterError("shards: expected with --ray or --replicas")
    with open_collection(store) as collection:
        found = collection.store
    with _sharded(ray, replicas, shards) as load:
        socket = bind(host, port)
        if not quiet:
            print_line(f"http://{socket.address}/  (Ctrl-C ends it)")
        run(create_app(found, settings, load), [socket.socket], verbose=verbose)


@contextmanager
def _sharded(ray: str | None, replicas: int | None, shards: str | None) -> Iterator[Any]:
    """Give what opens indexes on a cluster, if one is asked for."""
    if ray is None and replicas is None:
        yield None
        return
    from ..cluster.collection import CollectionShards
    from ..cluster.replicas import connect

    connect(ray)
    with closing(CollectionShards(shards, replicas=replicas or _REPLICAS)) as load:
        yield load
