"""``python -m equinoise``, and the command ``equinoise``."""

import sys

__all__ = ["main"]


def main() -> None:
    """Runs the command; Ctrl-C while packages are still being imported ends it as quietly as later."""
    try:
        from equinoise.cli.main import main as run
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
