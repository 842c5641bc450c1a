"""``python -m equinoise``."""

from equinoise.cli.main import main

if __name__ == "__main__":
    main()
