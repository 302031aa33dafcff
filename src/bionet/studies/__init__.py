"""Studies: one question, arms, seeds and budgets fixed beforehand, every trial run once.

A study is a small Python file that ends in `STUDY = Study(...)`. `bionet study run PATH` runs the
trials that have no line yet, `bionet study status PATH` says how far it is, and
`bionet study report PATH` writes the tables and figures. Importing this package loads no JAX.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bionet._core.lazy_names import lazy_names
from bionet.studies.design.protocol import Arm, Budget, Study, Tuning
from bionet.studies.design.spaces import Choice, LogUniform, Uniform, Whole

if TYPE_CHECKING:
    from bionet.studies.run.runner import Outcome, run_study
    from bionet.studies.run.status import Status, read_status
    from bionet.studies.run.store import read_results

__all__ = [
    "Arm",
    "Budget",
    "Choice",
    "LogUniform",
    "Outcome",
    "Status",
    "Study",
    "Tuning",
    "Uniform",
    "Whole",
    "read_results",
    "read_status",
    "run_study",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Outcome": "bionet.studies.run.runner",
        "Status": "bionet.studies.run.status",
        "read_results": "bionet.studies.run.store",
        "run_study": "bionet.studies.run.runner",
        "read_status": "bionet.studies.run.status",
        # Names of before, which stay.
        "Standing": "bionet.studies.run.status:Status",
        "standing_of": "bionet.studies.run.status:read_status",
    },
)
