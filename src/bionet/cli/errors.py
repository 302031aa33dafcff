"""Messages for a user when something goes wrong, and the exit code of each.

The house raises ValueError and TypeError for static facts, `UnknownRecipeError` for names,
OSError and ImportError for what the machine lacks, NonFiniteError and equinox's runtime error
for values that turned bad while training. All of these are the user's to change, as is too little
memory: their sentence goes to stderr as it is, exit code 2. Anything else (KeyError, IndexError,
AttributeError, AssertionError, ...) is a fault in bionet, exit code 1. With BIONET_DEBUG=1
the traceback of either is shown as well. The rule goes by type alone, so a ValueError out of
the depths of JAX is told like any other.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import traceback

from bionet.cli.streams import close_stdout


class UsageError(Exception):
    """The command line asks for something that cannot be done; the message says what to do."""


class StoppedError(Exception):
    """Ctrl-C, with a sentence on what was kept and how to go on."""


USER_ERRORS = (UsageError, ValueError, TypeError, OSError, ImportError)


def report(error: BaseException) -> int:
    """Writes the sentence for `error` to stderr, and returns the exit code."""
    if isinstance(error, BrokenPipeError):
        close_stdout()  # The reader of our output has gone (`bionet list | head -1`).
        return 0
    if _debugging():
        traceback.print_exception(error)
    if isinstance(error, (KeyboardInterrupt, StoppedError)):
        return _say(sentence(error) or "Stopped by Ctrl-C.", 130)
    if is_user_error(error):
        return _say(sentence(error), 2)
    told = f"{type(error).__name__}: {sentence(error)}".rstrip(": ")
    hint = "" if _debugging() else " Run it again with BIONET_DEBUG=1 for the traceback."
    return _say(f"This is a fault in bionet, please report it ({told}).{hint}", 1)


def is_user_error(error: BaseException) -> bool:
    """Returns whether the user can put it right, as the head of this file says."""
    from bionet.zoo.registry import UnknownRecipeError

    # By name, so that no command imports JAX for the sake of its errors.
    named = type(error).__name__ in ("EquinoxRuntimeError", "BadValuesError", "NonFiniteError")
    return named or _out_of_memory(error) or isinstance(error, (*USER_ERRORS, UnknownRecipeError))


def _out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or str(error).startswith("RESOURCE_EXHAUSTED")


def sentence(error: BaseException) -> str:
    """The first paragraph of the message, on one line; equinox wraps its own in a stack."""
    text = str(error)
    if _out_of_memory(error):
        why = f" ({first})" if (first := text.partition("\n")[0]) else ""
        text = f"There is too little memory{why}. Take smaller numbers."
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        text = f"{error.strerror}: '{error.filename}'. Check the path, its rights and the disk."
    wrapped = re.search(r"EquinoxRuntimeError: (.*)", text, re.DOTALL)
    text = wrapped.group(1) if wrapped else text
    return " ".join(text.strip().partition("\n\n")[0].split())


def _say(text: str, code: int) -> int:
    with contextlib.suppress(OSError):  # nobody reads it
        print(text, file=sys.stderr, flush=True)
    return code


def _debugging() -> bool:
    return os.environ.get("BIONET_DEBUG", "") not in ("", "0")
