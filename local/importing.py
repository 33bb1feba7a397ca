"""`python -m local.importing relay.reactions.x.handler …`: whether Lambda could load the handlers.

Prints the traceback of the first that it could not load, and exits with 1.
"""

import importlib
import sys

from local.trace import frames_of_error, lines


def load(handler: str) -> None:
    """Import a handler's module; raises what its code raises, TypeError without a handler."""
    module, _, name = handler.rpartition(".")
    loaded = importlib.import_module(module)
    if not callable(getattr(loaded, name, None)):
        raise TypeError(f"{module} has no {name}; its last line is {name} = <reaction>.{name}")


def main(handlers: list[str]) -> int:
    """Load all; return the exit code."""
    for handler in handlers:
        try:
            load(handler)
        except (Exception, SystemExit) as error:  # noqa: BLE001  each means that Lambda can't either
            text = error.msg if isinstance(error, SyntaxError) else error
            print(f"{type(error).__name__}: {text}")
            ours = [one for one in frames_of_error(error) if one.file.startswith("src/")]
            print("\n".join(lines(ours)))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
