"""From a path to a study: the Python file that declares it, run once.

A study file is a few lines that end in `STUDY = Study(...)`. It may register recipes of its own,
so whoever runs a trial runs the file first; a worker elsewhere gets its text, not its path.
"""

from __future__ import annotations

import sys
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from bionet._core.origins import running, text_hash
from bionet.studies.design.protocol import Study

FILE = "study.py"


@final
@dataclass(frozen=True)
class StudyFile:
    """A study with the file that declares it.

    Attributes:
        study: what the file declares.
        path: the file.
        text: its source.
    """

    study: Study
    path: Path
    text: str

    @property
    def directory(self) -> Path:
        """The directory of results, figures and the report."""
        return self.path.parent

    @property
    def results(self) -> Path:
        """The file with a line per finished trial."""
        return self.directory / "results.jsonl"


def load_study(path: str | Path) -> StudyFile:
    """Runs a study file, which is Python code, and returns the study that it declares.

    Args:
        path: a Python file that defines `STUDY`, or a directory with such a file `study.py`.

    Raises:
        ValueError: there is no such file, it cannot be run, or it defines no study.
    """
    given = Path(path)
    file = given / FILE if given.is_dir() else given
    if not file.is_file():
        raise ValueError(
            f"There is no study at '{given}': it needs to be a Python file that defines STUDY, or "
            f"a directory with a file {FILE}."
        )
    file = file.resolve()
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"The study file '{file}' cannot be read: line {line} is no UTF-8."
        ) from None
    return StudyFile(run_source(text, str(file)), file, text)


def run_source(text: str, name: str) -> Study:
    """Runs the source of a study file and returns its `STUDY`.

    Raises:
        ValueError: it cannot be run, or defines no study.
    """
    module = types.ModuleType("bionet_study")
    module.__file__ = name
    sys.modules[module.__name__] = module  # dataclasses and pickle look for their own module
    try:
        with running(text_hash(text)):
            exec(compile(text, name, "exec"), vars(module))
    except (Exception, SystemExit) as error:  # a file that exits declares nothing
        told = f"{type(error).__name__}: {error}".rstrip(": ")
        raise ValueError(f"The study file '{name}' cannot be run: {told}") from error
    found: Any = getattr(module, "STUDY", None)
    if not isinstance(found, Study):
        came = "nothing" if found is None else f"something of type {type(found).__name__}"
        raise ValueError(
            f"The study file '{name}' needs to define STUDY, a bionet.studies.Study, got {came}."
        )
    return found
