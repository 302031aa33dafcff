"""A batch over several devices: the numbers of one device, and each device has its share."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from bionet.training.batches import ArrayBatches, Examples
from bionet.training.run.devices import ShardedBatches, batch_mesh

PROGRAM = Path(__file__).with_name("eight_devices.py")


@pytest.fixture(scope="module")
def told():
    """What the program says that trains on eight virtual devices."""
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
def test_eight_devices_learn_what_one_learns(told):
    assert told["devices"] == told["spread over"] == 8
    assert told["same weights"]
    assert told["same history"]
    assert told["learned"]


@pytest.mark.slow
def test_each_device_settles_its_share_of_the_batch(told):
    assert told["a share of the batch"]
    assert not told["the whole batch in the dynamics"]
    assert told["devices talk"]


@pytest.mark.slow
def test_a_batch_that_the_devices_do_not_divide(told):
    assert told["indivisible"].startswith(
        "ValueError: ShardedBatches: a batch of shape (12, 20) can't be cut into 8 equal parts, "
        "one per device; take a batch size that is a multiple of 8, or fewer devices."
    )


@pytest.mark.slow
def test_a_mesh_of_two_axes(told):
    assert told["two axes"] == (
        "ValueError: ShardedBatches: needs a mesh with one axis, got ('a', 'b'); "
        "make one by batch_mesh()."
    )


def test_one_device_is_enough():
    batches = ArrayBatches(Examples([[1.0], [2.0]], [0.0, 1.0]), 2, shuffle=False)
    sharded = ShardedBatches(batches, batch_mesh(jax.devices()[:1]))
    assert sharded.num_batches == 1
    x, _ = jax.jit(lambda b: b.batch(b.plan(jax.random.key(0)), 0))(sharded)
    assert x.tolist() == [[1.0], [2.0]]


def test_a_mesh_of_nothing(says):
    with says(ValueError, "batch_mesh: needs one device at least, got none."):
        batch_mesh([])
