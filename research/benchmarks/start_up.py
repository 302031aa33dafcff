"""How long `bionet list` takes as a whole process, once the disk's cache is warm.

    python research/benchmarks/start_up.py

Prints the median and the range of 20 runs after one that is not counted. The target is half a
second on two cores; `tests/architecture/test_start_up.py` guards the reason, which is that
neither JAX nor matplotlib is loaded.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 20


def seconds() -> float:
    """One run of the command."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "bionet", "list"], check=True, capture_output=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    seconds()
    times = [seconds() for _ in range(RUNS)]
    print(f"bionet list: {statistics.median(times):.3f} s ({min(times):.3f} to {max(times):.3f})")
