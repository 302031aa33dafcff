"""What starting costs: `import bionet` and `bionet list` load neither JAX nor matplotlib, and a
worker of a study no SciPy and no networkx."""

import pytest

HEAVY = {
    "jax",
    "jaxlib",
    "equinox",
    "optax",
    "numpy",
    "scipy",
    "matplotlib",
    "orbax",
    "haiku",
    "evosax",
    "sklearn",
    "networkx",
}


def imported(importtime: str) -> set[str]:
    """The top-level packages in a report of `python -X importtime`."""
    rows = [line.rsplit("|", 1)[-1] for line in importtime.splitlines() if "|" in line]
    return {row.strip().split(".")[0] for row in rows}


def test_import_bionet_loads_nothing_heavy(run_python):
    result = run_python("-X", "importtime", "-c", "import bionet")
    assert result.returncode == 0, result.stderr
    packages = imported(result.stderr)
    assert "bionet" in packages
    assert packages & HEAVY == set()


@pytest.mark.parametrize("words", [("list",), ("list", "--json"), ("--help",)])
def test_the_command_that_only_looks_loads_nothing_heavy(run_python, words):
    result = run_python("-X", "importtime", "-m", "bionet", *words)
    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stdout.strip()
    packages = imported(result.stderr)
    assert "bionet" in packages
    assert packages & HEAVY == set()


def test_a_worker_of_a_study_loads_only_what_every_trial_needs(run_python):
    result = run_python("-X", "importtime", "-c", "import bionet.studies.run.measure")
    assert result.returncode == 0, result.stderr[-2000:]
    packages = imported(result.stderr)
    assert {"jax", "optax"} <= packages
    assert packages & {"scipy", "networkx", "matplotlib", "sklearn", "haiku", "evosax"} == set()


def test_a_heavy_import_would_be_seen(run_python):
    result = run_python("-X", "importtime", "-c", "import bionet; bionet.SequentialState")
    assert {"jax", "numpy"} <= imported(result.stderr)
