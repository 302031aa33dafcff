"""Members in chunks and over devices, and what becomes of losses that are no numbers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.training.run.devices import batch_mesh
from bionet.training.zeroth_order.population import Population, finite_losses, loss_metrics

PROGRAM = Path(__file__).with_name("eight_devices_population.py")
NAN, INF = float("nan"), float("inf")


@pytest.mark.slow
@pytest.mark.parametrize("chunk", [None, 2, 6, 12])
@pytest.mark.parametrize("paired", [False, True])
def test_a_chunk_changes_no_number(chunk, paired):
    population = Population("Test", 12, chunk, paired=paired)
    rows = jnp.arange(population.rows) + 1.0
    assert len(rows) == (6 if paired else 12)
    squares = population.each(lambda rows: {"squares": rows**2}, rows)
    assert squares["squares"].tolist() == (rows**2).tolist()
    assert population.total(lambda rows: rows.sum(), rows) == rows.sum()


def test_a_chunk_is_all_that_exists_at_a_time():
    seen = []

    def function(rows):
        seen.append(rows.shape)
        return rows

    jax.make_jaxpr(lambda: Population("Test", 12, 4, paired=True).each(function, jnp.arange(6)))()
    assert set(seen) == {(2,)}


@pytest.mark.parametrize(
    ("given", "kind", "sentence"),
    [
        ({"size": 1}, ValueError, "Test: population needs 2 or more, got 1."),
        ({"size": 4.0}, TypeError, "Test: population needs an int, got 4.0."),
        ({"size": 8, "chunk": 0}, ValueError, "Test: chunk needs 1 or more, got 0."),
        (
            {"size": 8, "chunk": 3},
            ValueError,
            "Test: chunk needs a number that divides the 8 members of a device, got 3.",
        ),
        (
            {"size": 12, "chunk": 3, "paired": True},
            ValueError,
            "Test: chunk needs an even number that divides the 12 members of a device, got 3.",
        ),
        (
            {"size": 7, "paired": True},
            ValueError,
            "Test: antithetic members come in pairs, so population needs an even number, got 7; "
            "take 8, or antithetic=False.",
        ),
    ],
)
def test_what_can_not_be_divided(given, kind, sentence, says):
    with says(kind, sentence):
        Population("Test", **given)


@pytest.mark.slow
def test_one_device_is_enough():
    population = Population("Test", 4, 2, batch_mesh(jax.devices()[:1]))
    assert population.each(lambda rows: -rows, jnp.arange(4)).tolist() == [0, -1, -2, -3]
    assert population.total(lambda rows: rows.sum(), jnp.arange(4)) == 6


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([1.0, 3.0, 2.0], [1.0, 3.0, 2.0]),
        ([1.0, NAN, 2.0], [1.0, 2.0, 2.0]),
        ([INF, -INF, -2.0], [-2.0, -2.0, -2.0]),
        ([NAN, INF, NAN], [0.0, 0.0, 0.0]),
    ],
)
def test_a_loss_that_is_no_number_counts_as_the_worst(losses, expected):
    assert finite_losses(jnp.asarray(losses)).tolist() == expected


def test_what_is_told_of_the_losses():
    row = loss_metrics(jnp.asarray([[1.0, NAN], [2.0, INF]], jnp.bfloat16))
    assert {name: float(value) for name, value in row.items()} == {
        "training_loss": 1.5,
        "best_loss": 1.0,
        "failed": 2.0,
        "evaluations": 4.0,
    }
    assert row["training_loss"].dtype == jnp.float32
    nothing = loss_metrics(jnp.asarray([NAN, NAN]))
    assert (np.isnan(nothing["training_loss"]), float(nothing["failed"])) == (True, 2.0)


@pytest.fixture(scope="module")
def eight():
    """What the program says that evolves on eight virtual devices."""
    done = subprocess.run(
        [sys.executable, str(PROGRAM)],
        env=os.environ | {"JAX_NUM_CPU_DEVICES": "8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("method", ["Evolution", "LowRankES", "RandomSearch"])
def test_eight_devices_evolve_what_one_evolves(eight, method):
    assert eight[method] == {
        "devices": 8,
        "same weights": True,
        "same losses": True,
        "learned": True,
        "a share of the members": True,
        "all members": False,
    }


@pytest.mark.slow
def test_members_that_the_devices_do_not_divide(eight):
    assert eight["indivisible"] == (
        "ValueError: LowRankES: 24 members can't be shared evenly by 8 devices in pairs; "
        "take a multiple of 16."
    )


@pytest.mark.slow
def test_a_mesh_of_two_axes(eight):
    assert eight["two axes"] == (
        "ValueError: Evolution: needs a mesh with one axis, got ('a', 'b'); "
        "make one by batch_mesh()."
    )
