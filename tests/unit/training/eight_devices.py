"""Run as a program by `test_devices.py`: training on eight virtual devices against one.

It prints one JSON object, since a process that has started JAX can't change its devices.
"""

import json
from dataclasses import replace

import equinox as eqx
import jax
import numpy as np
import optax

from bionet import LayerMap, SequentialOrchestrator, SequentialState, fit
from bionet.modules import FrozenFullyConnected, FullyConnected, OutputLayer, RecurrentDiscrete
from bionet.training import (
    ArrayBatches,
    Examples,
    Problem,
    ShardedBatches,
    TwoPhase,
    batch_mesh,
)
from bionet.training.epoch import run_epoch

KEY = jax.random.key(0)
K = jax.random.split(KEY, 4)


def equal(left, right):
    leaves = zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True)
    return all(np.array_equal(a, b) for a, b in leaves)


def complaint(act):
    try:
        act()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "none"


rows = {
    1: {
        0: FullyConnected(20, 32, 1.0, 0.5, K[0]),
        1: RecurrentDiscrete(32, 0.5, 0.5, K[1]),
        2: FrozenFullyConnected(3, 32, 1.0, 0.5, K[2]),
    },
    2: {1: FullyConnected(32, 3, 1.0, 0.5, K[3]), 2: OutputLayer()},
}
network = SequentialOrchestrator(layers=LayerMap.from_dict(rows))
draw = np.random.default_rng(0)
x, y = (draw.choice([-1.0, 1.0], (64, n)).astype("float32") for n in (20, 3))
few = ArrayBatches(Examples(x, y), 16)
problem = Problem(network, lambda *args: None, lambda *args: None, lambda *args: None, few)
sharded = ShardedBatches(few, batch_mesh())
method = TwoPhase(
    SequentialState((20, 32, 3)), optimizer=optax.adamw(1e-2), warmup=1, clamped=4, free=4
)

one = fit(problem, method, epochs=2, key=KEY)
eight = fit(replace(problem, train=sharded), method, epochs=2, key=KEY)

compiled = eqx.filter_jit(run_epoch).lower(method, method.init(problem.model, KEY), sharded, KEY)
text = compiled.compile().compiled.as_text()

print(
    json.dumps(
        {
            "devices": jax.device_count(),
            "same weights": equal(one.model, eight.model),
            "same history": [{**row, "seconds": 0} for row in one.history]
            == [{**row, "seconds": 0} for row in eight.history],
            "learned": not equal(eight.model, network),
            "spread over": len(jax.tree.leaves(eight.model)[0].sharding.device_set),
            "a share of the batch": "f32[2,32]" in text,
            "the whole batch in the dynamics": "f32[16,32]" in text,
            "devices talk": "all-reduce" in text,
            "indivisible": complaint(
                lambda: ShardedBatches(ArrayBatches(few.examples, 12), batch_mesh())
            ),
            "two axes": complaint(lambda: ShardedBatches(few, jax.make_mesh((4, 2), ("a", "b")))),
        }
    )
)
