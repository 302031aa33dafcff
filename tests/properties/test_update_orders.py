"""Laws that tie the orders of updates together, for any weights and any state.

The order matters on the way and not at the end: where nothing changes any more, nothing is
fresh, so what stands still in one order stands still in all.
"""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bionet.layer_maps.sparse import LayerMap
from bionet.modules.input_output import OutputLayer
from bionet.orchestrators.grouped import GroupedOrchestrator
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.orchestrators.stacked import StackedOrchestrator
from bionet.orchestrators.synchronous import SynchronousOrchestrator
from bionet.states.sequential import SequentialState

SIZES, BATCH, STEPS = (4, 6, 5, 6, 3), 8, 2
HIDDEN = (1, 2, 3)
AT_ONCE = {
    "synchronous": SynchronousOrchestrator,
    "one group": functools.partial(GroupedOrchestrator, groups={"all": HIDDEN}),
    "stacked": StackedOrchestrator,
}
ONE_BY_ONE = {
    "sequential": SequentialOrchestrator,
    "a group each": functools.partial(
        GroupedOrchestrator, groups={"a": (1,), "b": (2,), "c": (3, 4)}
    ),
}
OTHERS = {
    "two groups": functools.partial(GroupedOrchestrator, groups={"outer": (1, 3), "inner": (2,)}),
    "backwards": functools.partial(GroupedOrchestrator, groups={"c": (3,), "b": (2,), "a": (1,)}),
}
seeds = st.integers(0, 10**6)
# Each group of senders is a program for each order; `tests/unit` goes through all four.
senders = st.sampled_from(["all", "forward"])


@pytest.fixture(scope="module")
def drawn(dense, binary):
    """A map of three rows that all hear one another, and a state, by the seed.

    Couplings are quarters, and each unit holds itself, so that states that stand still are many.
    """
    rows = {4: {3: dense(np.zeros((6, 3))), 4: OutputLayer()}}
    for i in HIDDEN:
        others = {j: dense(np.zeros((SIZES[j], SIZES[i]))) for j in range(5) if j != i}
        rows[i] = others | {i: binary(np.zeros((SIZES[i], SIZES[i])))}
    blank = LayerMap.from_dict(rows), SequentialState(SIZES)

    def make(seed):
        rng = np.random.default_rng(seed)
        lmap, state = blank
        lmap = lmap.map_edges(functools.partial(_with_weights, rng))
        signs = (_array(rng.choice([-1.0, 1.0], (BATCH, n))) for n in SIZES)
        return lmap, eqx.tree_at(lambda s: s.buffers, state, tuple(signs))

    return make


def _with_weights(rng, edge, module):
    if edge == (4, 4):
        return module
    matrix = rng.integers(-2, 3, module.matrix.shape) / 4
    if edge[0] == edge[1]:
        np.fill_diagonal(matrix, 1.5)
        return eqx.tree_at(lambda m: m.J, module, _array(matrix))
    return eqx.tree_at(lambda m: m.W, module, _array(matrix))


def _array(values):
    return jax.device_put(values.astype(np.float32))


@eqx.filter_jit
def run(network, state, senders, steps=STEPS):
    for _ in range(steps):
        state, _ = network.step(state, rng=None, senders=senders)
    return state


@eqx.filter_jit
def standing(network, state, senders):
    """For each sample, whether a step changes none of its units."""
    after, _ = network.step(state, rng=None, senders=senders)
    return jnp.stack([(after[i] == state[i]).all(axis=-1) for i in HIDDEN]).all(axis=0)


@given(seed=seeds, senders=senders)
@pytest.mark.parametrize("family", [AT_ONCE, ONE_BY_ONE], ids=["at once", "one by one"])
def test_orders_of_one_kind_agree_in_each_bit(drawn, same_bits, family, seed, senders):
    lmap, state = drawn(seed)
    first, *others = (run(kind(lmap), state, senders) for kind in family.values())
    for other in others:
        same_bits(other, first)


@pytest.mark.slow
@given(seed=seeds, senders=senders, steps=st.integers(0, 4))
def test_what_stands_still_in_one_order_stands_still_in_all(drawn, seed, senders, steps):
    lmap, state = drawn(seed)
    network = SynchronousOrchestrator(lmap)
    for _ in range(steps):
        state = run(network, state, senders, 1)
    expected = standing(network, state, senders)
    for kind in (StackedOrchestrator, SequentialOrchestrator, *OTHERS.values()):
        assert np.array_equal(standing(kind(lmap), state, senders), expected)


def test_there_are_states_that_stand_still_and_others(drawn):
    counts = []
    for seed in range(5):
        lmap, state = drawn(seed)
        network = SynchronousOrchestrator(lmap)
        for steps in (0, 5):
            for _ in range(steps):
                state = run(network, state, "all", 1)
            counts.append(int(standing(network, state, "all").sum()))
    assert min(counts) < BATCH
    assert sum(counts) > 2 * BATCH


def test_the_orders_differ_on_the_way(drawn):
    kinds = (SynchronousOrchestrator, SequentialOrchestrator, *OTHERS.values())
    seen = dict.fromkeys(kinds, b"")
    for seed in range(4):
        lmap, state = drawn(seed)
        for kind in kinds:
            after = run(kind(lmap), state, "all", 1)
            seen[kind] += b"".join(np.asarray(after[i]).tobytes() for i in HIDDEN)
    assert len(set(seen.values())) == len(kinds)
