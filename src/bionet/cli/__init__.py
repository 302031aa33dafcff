"""The command `bionet`.

`main` finds the command, imports the one file that runs it, and turns what goes wrong into a
sentence and an exit code (`bionet.cli.errors` says which). Exit codes: 0 done, 1 a fault in
bionet, 2 something for the user to change, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code.

    Args:
        argv: the words after `bionet`; None takes them from the process.

    Returns:
        0, 1, 2 or 130, as above.

    Example:
        >>> from bionet.cli import main
        >>> main(["list", "proto*", "--json"])  # doctest: +SKIP
        0
    """
    from bionet.cli.errors import report
    from bionet.cli.parser import dispatch
    from bionet.cli.streams import close_stdout, prepare_streams

    prepare_streams()
    words = sys.argv[1:] if argv is None else argv
    try:
        code = dispatch(list(words))
    except SystemExit as error:  # what Rich makes of a reader that has left
        code = report(error.__context__ or error)
    except (Exception, KeyboardInterrupt) as error:
        code = report(error)
    try:
        sys.stdout.flush()  # Here, where a reader that has left can still be told apart.
    except OSError as error:
        close_stdout()
        code = report(error)
    return code
