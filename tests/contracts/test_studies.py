"""A study that is killed at any moment goes on: nothing is lost, doubled or cut in half.

A process that has loaded everything forks runs of one study and kills each with SIGKILL after a
random time; the last run is left alone. The trials cost a few milliseconds, and leave a mark
when they are begun.
"""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bionet.studies.run.runner import run_study

KILLS = 20
ARMS, SEEDS = ("a", "b", "c"), 60
STUDY = f"""
from bionet.studies import Arm, Budget, Study
STUDY = Study("killed", "Does it go on?", {{name: Arm("prototypes-local") for name in {ARMS}}},
              range({SEEDS}), Budget(1))
"""
NURSERY = f"""
import os, random, signal, sys, time
from pathlib import Path
from bionet import zoo
from bionet.studies.run.runner import run_study

def size():
    return os.path.getsize("results.jsonl") if os.path.exists("results.jsonl") else 0

zoo.get("prototypes-local")
random.seed(0)
for attempt in range({KILLS} + 1):
    child = os.fork()
    if child == 0:
        try:
            run_study("study.py", jobs=2, work="study_work:logged")
        finally:
            os._exit(0)
    if attempt < {KILLS}:
        before = size()
        time.sleep(random.uniform(0, 0.2))  # at any moment of its start
        more = random.randrange(2000, 12000) * (attempt % 2)
        ends = time.monotonic() + 5
        while size() < before + more and time.monotonic() < ends:  # or among its trials
            time.sleep(0.001)
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    Path(f"after-{{attempt:02}}").write_bytes(Path("results.jsonl").read_bytes()
                                             if Path("results.jsonl").exists() else b"")
    with open("marks/begun", "a") as file:
        file.write("killed\\n")
"""


def whole(text: bytes) -> list[dict]:
    """The finished lines of a file; what follows the last line break is not finished."""
    return [json.loads(line) for line in text.split(b"\n")[:-1]]


@pytest.mark.slow
def test_a_study_killed_at_random_moments_loses_doubles_and_halves_nothing(tmp_path):
    (tmp_path / "study.py").write_text(STUDY)
    (tmp_path / "marks").mkdir()
    src = Path(run_study.__code__.co_filename).parents[2]
    work = Path(__file__).parents[1] / "unit" / "studies" / "work"
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(src), str(work)]),
        "STUDY_WORK": str(tmp_path / "marks"),
    }
    done = subprocess.run(
        [sys.executable, "-P", "-W", "ignore", "-c", NURSERY],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]

    snapshots = [(tmp_path / f"after-{n:02}").read_bytes() for n in range(KILLS + 1)]
    for before, after in itertools.pairwise(snapshots):
        finished = before[: before.rfind(b"\n") + 1]
        assert after.startswith(finished)  # no finished line was lost or changed
    lines = whole(snapshots[-1])
    assert snapshots[-1].endswith(b"\n")
    named = [(line["arm"], line["seed"]) for line in lines]
    assert sorted(named) == [(arm, seed) for arm in ARMS for seed in range(SEEDS)]
    assert len({line["trial"] for line in lines}) == len(lines)

    counts = [len(whole(each)) for each in snapshots]
    assert len(set(counts)) > KILLS / 3, counts  # the kills did fall into the runs
    begun = (tmp_path / "marks" / "begun").read_text().split("killed\n")
    for finished, marks in zip(snapshots, begun[1:], strict=False):
        again = {line["trial"] for line in whole(finished)} & set(marks.split())
        assert again == set()  # no finished trial was begun again
