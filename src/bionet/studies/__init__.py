"""Studies: one question, arms, seeds and budgets fixed beforehand, every trial run once.

A study is a small Python file that ends in `STUDY = Study(...)`. `bionet study run PATH` runs the
trials that have no line yet, `bionet study status PATH` says how far it is, and
`bionet study report PATH` writes the tables and figures. Importing this package loads no JAX.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bionet.studies.protocol import Arm, Budget, Study, Tuning
from bionet.studies.spaces import Choice, LogUniform, Uniform, Whole

if TYPE_CHECKING:
    from bionet.studies.runner import Outcome, run_study
    from bionet.studies.standing import Standing, standing_of
    from bionet.studies.store import read_results

__all__ = [
    "Arm",
    "Budget",
    "Choice",
    "LogUniform",
    "Outcome",
    "Standing",
    "Study",
    "Tuning",
    "Uniform",
    "Whole",
    "read_results",
    "run_study",
    "standing_of",
]

_LAZY = {
    "Outcome": "runner",
    "Standing": "standing",
    "read_results": "store",
    "run_study": "runner",
    "standing_of": "standing",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"bionet.studies.{_LAZY[name]}"), name)
