"""Run as a program by `test_population.py`: evolution on eight virtual devices against one.

It prints one JSON object, since a process that has started JAX can't change its devices.
"""

import json

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from bionet.training import Evolution, LowRankES, Objective, RandomSearch, batch_mesh

KEY = jax.random.key(0)
MESH, SGD = batch_mesh(), optax.sgd(0.1)
OBJECTIVE = Objective(lambda m, x, key: x @ m["W"] + m["b"], lambda o, y: jnp.mean((o - y) ** 2))
MODEL = {"W": jnp.zeros((5, 7)), "b": jnp.zeros(7)}
X = jax.random.normal(KEY, (3, 5))
BATCH = (X, X @ jax.random.normal(KEY, (5, 7)))
METHODS = {
    "Evolution": lambda **cut: Evolution(OBJECTIVE, population=32, **cut),
    "LowRankES": lambda **cut: LowRankES(OBJECTIVE, population=32, optimizer=SGD, **cut),
    "RandomSearch": lambda **cut: RandomSearch(OBJECTIVE, population=32, **cut),
}


def close(left, right):
    leaves = zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True)
    return all(np.allclose(a, b, rtol=1e-4, atol=1e-4) for a, b in leaves)


def complaint(act):
    try:
        act()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "none"


def compared(make):
    """The same step on one device, of all members at once, and on eight, of two each."""
    one, eight = make(), make(chunk=2, mesh=MESH)
    step = eqx.filter_jit(lambda method, state: method.step(state, BATCH, KEY))
    start = one.init(MODEL, KEY)
    (state, told), (shared, shared_told) = step(one, start), step(eight, start)
    text = str(eqx.filter_make_jaxpr(lambda state: eight.step(state, BATCH, KEY))(start)[0])
    return {
        "devices": len(jax.tree.leaves(shared.model)[0].sharding.device_set),
        "same weights": close(state.model, shared.model),
        "same losses": close(told, shared_told),
        "learned": not np.array_equal(shared.model["W"], MODEL["W"]),
        # The answers on three samples: of the chunk of a device, and of all members.
        "a share of the members": any(f"f32[{shape}]" in text for shape in ("2,3,7", "1,2,3,7")),
        "all members": any(f"f32[{shape}]" in text for shape in ("32,3,7", "16,2,3,7")),
    }


answers = {name: compared(make) for name, make in METHODS.items()}
answers["indivisible"] = complaint(lambda: LowRankES(OBJECTIVE, population=24, mesh=MESH))
two_axes = jax.make_mesh((4, 2), ("a", "b"))
answers["two axes"] = complaint(lambda: Evolution(OBJECTIVE, mesh=two_axes))
print(json.dumps(answers))
