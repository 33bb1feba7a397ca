"""`./relay`: the operator's command line."""

import sys
from importlib import import_module


def main() -> None:
    """Run the command of the arguments; Ctrl-C ends it without a traceback, also during imports."""
    try:
        import_module("ops.commands").run(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(1)


if __name__ == "__main__":
    main()
