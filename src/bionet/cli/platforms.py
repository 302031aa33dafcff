"""The device that JAX is to use, tried before anything is trained on it.

A name in JAX_PLATFORMS that this machine has no device for is the user's to change. JAX says so
in several ways, an AssertionError without a word among them, so it is tried here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

from bionet.cli.errors import UsageError

VARIABLES = ("JAX_PLATFORMS", "JAX_PLATFORM_NAME")
SECONDS = 120


def check_platforms() -> None:
    """Lets JAX find its devices.

    Raises:
        UsageError: there is none of those that the environment asks for.
    """
    import jax

    try:
        jax.devices()
    except Exception as error:
        if not any(os.environ.get(name) for name in VARIABLES):
            raise
        raise UsageError(_explain(os.environ, _first(str(error)))) from error


def check_worker_platforms(platforms: str | None) -> None:
    """The same for processes that are still to be started; an accelerator stays theirs.

    Args:
        platforms: what JAX_PLATFORMS is to say there; nothing, or `cpu`, needs no look.

    Raises:
        UsageError: as above.
    """
    if platforms in (None, "", "cpu"):
        return
    environment = {**os.environ, "JAX_PLATFORMS": platforms}
    tried = subprocess.run(
        [sys.executable, "-c", "import jax; jax.devices()"],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=SECONDS, check=False,
    )  # fmt: skip
    if tried.returncode:
        last = (tried.stderr.strip().splitlines() or [""])[-1]
        raise UsageError(_explain(environment, _first(last.partition(": ")[2])))


def _explain(environment: Mapping[str, str], why: str) -> str:
    asked = [f"{name}={environment[name]!r}" for name in VARIABLES if environment.get(name)]
    because = f" ({why})" if why else ""
    return (
        f"JAX cannot use what the environment variable {' and '.join(asked)} asks for{because}. "
        "Unset it to let JAX choose, or take cpu; `bionet doctor` shows the devices."
    )


def _first(text: str) -> str:
    """The first sentence of what JAX says, without its own advice."""
    text = " ".join(text.partition("\n\n")[0].partition(" (set JAX_PLATFORMS")[0].split())
    return text.rstrip(". ")
