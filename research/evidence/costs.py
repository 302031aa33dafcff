"""What the demo of each recipe costs: seconds the first time and warm, and memory.

    python research/evidence/costs.py [IDS...]

Each recipe runs in a process of its own, with nothing compiled before: from its start to the end of
the first `demo()` is the cold time, the second `demo()` is the warm one. A line per recipe goes to
`costs.jsonl`; run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ALONE = """
import json, sys, time
from bionet import zoo
recipe = zoo.get(sys.argv[1])
recipe.demo(progress=False)
began = time.perf_counter()
recipe.demo(progress=False)
warm = time.perf_counter() - began
status = open("/proc/self/status").read()
peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
print(json.dumps({"warm": warm, "ended_cold": time.time() - warm, "peak": peak}))
"""


def cost(id: str) -> dict[str, Any]:
    """One recipe, in a process of its own."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_", "XLA_"))}
    began = time.time()
    done = subprocess.run(
        [sys.executable, "-c", ALONE, id], env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{id} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    told = json.loads(done.stdout.splitlines()[-1])
    return {
        "recipe": id,
        "demo_seconds": round(told["warm"], 1),
        "cold_seconds": round(told["ended_cold"] - began, 1),
        "peak_memory_mib": round(told["peak"]),
        "device": f"{len(os.sched_getaffinity(0))} CPU cores",
    }


def main() -> None:
    """Measures, prints and keeps."""
    from bionet import zoo

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ids", nargs="*", help="recipes; all of the package without any")
    for id in parser.parse_args().ids or list(zoo.REGISTRY):
        line = cost(id)
        with (HERE / "costs.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(line, flush=True)


if __name__ == "__main__":
    main()
