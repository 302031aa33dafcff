"""A run that is killed six times, twice at the seal of a checkpoint, ends in the untouched bits.

`research/benchmarks/kills.py` is the program; by itself it kills a hundred times.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[3] / "research" / "benchmarks" / "kills.py"


@pytest.mark.slow
def test_killed_runs_end_in_the_same_bits():
    options = ("--kills", "6", "--at-the-seal", "2", "--each", "6", "--epochs", "24")
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *options, "--start", "forkserver", "--seed", "3"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["kills"], found["at the seal"]) == (6, 2)
    assert found["same bits"] == found["runs"] >= 1
