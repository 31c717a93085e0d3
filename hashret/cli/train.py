"""``hashret train``: an encoder of one's own."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ParameterError
from .app import Exit
from .options import AsJson, Memory, Pixels, Quiet, Seconds, SkipsOk, Store, limits_of
from .output import print_json, print_line, shown
from .progress import Progress
from .refusals import tell_refused

if TYPE_CHECKING:
    from ..collection.training import Example, Trained

__all__ = ["train"]


def train(
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER|CSV", help="A folder with a folder per class, or lines of path,label."
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Learn the collection's labels under this key instead."),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Such as orthohash, greedyhash, itq; by default prism, of few images orthohash.",
        ),
    ] = None,
    bits: Annotated[int, typer.Option(min=1, metavar="N", help="Length of a code.")] = 64,
    network: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="mlp or linear, over features of a network that knows photographs; "
            "or small-cnn, resnet-9, resnet-18, of the pixels alone.",
        ),
    ] = "mlp",
    size: Annotated[
        int | None, typer.Option(min=32, metavar="N", help="Pixels of a side that it sees.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Times that it sees each image.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="METHOD-BITS.safetensors.")
    ] = None,
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu or cuda.")] = "auto",
    controls: Annotated[
        bool, typer.Option("--controls/--no-controls", help="Score the simpler ways, too.")
    ] = True,
    max_pixels: Pixels = None,
    max_seconds: Seconds = None,
    max_memory: Memory = None,
    store: Store = None,
    json: AsJson = False,
    quiet: Quiet = False,
    skips_ok: SkipsOk = False,
) -> None:
    """Learn what belongs together, and write an encoder for hashret index.

    A fifth of the images is held out to see how well it finds new ones, beside a plain classifier
    and the features themselves. A training that was interrupted goes on when it is run again.

    Examples:

      hashret train photos-by-class

      hashret train --labels species --method greedyhash --bits 48 --out species.safetensors

      hashret index --encoder species.safetensors
    """
    from ..collection.training import default_method
    from ..collection.training import train as learn

    if (source is None) == (labels is None):
        raise ParameterError("train: expected a folder, a CSV or --labels KEY, one of them")
    limits = limits_of(max_pixels, max_seconds, max_memory)
    examples = _examples(source, labels, store)
    name = method or default_method(examples, bits)
    file = out or Path(f"{name}-{bits}.safetensors")
    with Progress(not quiet, "Starting") as bar:
        trained = learn(
            examples,
            file,
            name=name,
            bits=bits,
            network=network,
            size=size,
            epochs=epochs,
            device=device,
            controls=controls,
            limits=limits,
            progress=bar.step,
        )
    if json:
        _print_json(trained)
    elif not quiet:
        _print(trained)
    # Copies are no fault; what cannot be read is.
    if (
        any("copy" not in why and "copies" not in why for _, why in trained.skipped)
        and not skips_ok
    ):
        raise typer.Exit(Exit.SKIPPED)


def _examples(source: Path | None, labels: str | None, store: Path | None) -> list[Example]:
    from ..collection.opening import open_collection
    from ..collection.training import from_collection, from_csv, from_folder

    if labels is not None:
        with open_collection(store) as collection:
            return from_collection(collection, labels)
    assert source is not None
    return from_folder(source) if source.is_dir() else from_csv(source)


def _print_json(trained: Trained) -> None:
    print_json(
        {
            "file": trained.path,
            "method": trained.method,
            "bits": trained.bits,
            "labels": trained.labels,
            "held_out": trained.held_out,
            "scores": {name: score._asdict() for name, score in trained.scores.items()},
            "chance": trained.chance,
            "skipped": [{"path": path, "reason": reason} for path, reason in trained.skipped],
        }
    )


def _print(trained: Trained) -> None:
    tell_refused(trained.skipped)
    images = sum(trained.labels.values())
    print_line(
        f"{trained.method}, {trained.bits} bits, of {images:,} images with "
        f"{len(trained.labels):,} labels, {trained.held_out:,} of them held out"
    )
    print_line(f"{'':<18}{'mAP':>8}{'P@10':>8}")
    for name, score in trained.scores.items():
        print_line(f"{name:<18}{score.map:>8.3f}{score.precision:>8.3f}")
    print_line(f"{'at random':<18}{'':>8}{trained.chance:>8.3f}")
    print_line(f"written: {shown(trained.path)}")
    print_line(f"Now: hashret index --encoder {shlex.quote(shown(trained.path))}")
    name = shlex.quote(Path(trained.path).stem)
    print_line(f"then: hashret search IMAGE --encoder {shown(name)}")
