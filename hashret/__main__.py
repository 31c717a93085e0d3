"""``python -m hashret`` and the ``hashret`` command."""

from __future__ import annotations

import sys

from .errors import MissingExtraError


def main() -> None:
    """Run the command line; say in one line what to install if typer is missing."""
    try:
        from .cli import app
    except MissingExtraError as error:
        print(f"hashret: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("hashret: interrupted", file=sys.stderr)
        raise SystemExit(130) from None
    app(prog_name="hashret")


if __name__ == "__main__":
    main()
