"""The dynamics of any batch: samples do not see each other, and settled means settled."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bionet.layer_maps.senders import SENDERS
from bionet.layer_maps.sparse import LayerMap
from bionet.modules.input_output import OutputLayer
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.orchestrators.settle import settle
from bionet.states.sequential import SequentialState

BATCH = 6
seeds = st.integers(0, 9)
phases = st.sampled_from(["clamped", "free"])
groups = st.sampled_from(SENDERS)


@eqx.filter_jit
def trajectory(orchestrator, state, senders, steps=4):
    """The states of some steps, and what is learned at the last of them."""
    seen = []
    for _ in range(steps):
        state, _ = orchestrator.step(state, rng=None, senders=senders)
        seen.append(state)
    return seen, orchestrator.predict(state)[0], orchestrator.backward(state)


@pytest.fixture(scope="module")
def drawn(make_network):
    """The two-hidden network with a random state, labels included, by its seed."""
    network = make_network(2).orchestrator

    def make(seed):
        rng = np.random.default_rng(seed)
        blank = SequentialState((5, 7, 6, 3))
        signs = [
            jnp.asarray(rng.choice([-1.0, 1.0], (BATCH, n)), jnp.float32) for n in (5, 7, 6, 3)
        ]
        return network, eqx.tree_at(lambda s: s.buffers, blank, tuple(signs))

    return make


def rows_of(tree, chosen):
    return jax.tree.map(lambda leaf: jax.device_put(np.asarray(leaf)[np.asarray(chosen)]), tree)


@pytest.mark.slow
@given(seed=seeds, senders=groups, order=st.permutations(range(BATCH)))
def test_the_order_of_the_batch_is_the_order_of_the_result(drawn, same_bits, seed, senders, order):
    network, state = drawn(seed)
    seen, answer, learned = trajectory(network, state, senders)
    shuffled = trajectory(network, rows_of(state, order), senders)
    same_bits(shuffled[:2], rows_of((seen, answer), order))
    # Sums of signs are exact in any order.
    same_bits(shuffled[2], learned)


@pytest.mark.slow
@given(seed=seeds, others=seeds, senders=groups, sample=st.integers(0, BATCH - 1))
def test_a_sample_does_not_depend_on_the_others(drawn, same_bits, seed, others, senders, sample):
    network, state = drawn(seed)
    _, company = drawn(others)
    mixed = jax.tree.map(lambda a, b: jax.device_put(_with_row(a, b, sample)), company, state)
    same_bits(
        rows_of(trajectory(network, mixed, senders)[:2], [sample]),
        rows_of(trajectory(network, state, senders)[:2], [sample]),
    )


def _with_row(into, source, row):
    into = np.array(into)
    into[row] = np.asarray(source)[row]
    return into


@given(seed=seeds, phase=phases, sample=st.integers(0, BATCH - 1))
def test_nor_does_it_when_the_others_make_it_stop_later(drawn, same_bits, seed, phase, sample):
    # The same sample six times over settles when it does, in company when the last one does.
    network, state = drawn(seed)
    together, result = settle(network, state, max_steps=20, phase=phase)
    alone, its_own = settle(network, rows_of(state, [sample] * BATCH), max_steps=20, phase=phase)
    same_bits(rows_of(together, [sample]), rows_of(alone, [0]))
    assert its_own.steps <= result.steps


@given(seed=seeds, phase=phases, first=st.integers(0, 4), second=st.integers(0, 4))
def test_settling_goes_on_where_it_left_off(drawn, same_bits, seed, phase, first, second):
    network, state = drawn(seed)
    options = {"phase": phase, "early_stop": False}
    half, _ = settle(network, state, max_steps=first, **options)
    found, result = settle(network, half, max_steps=second, **options)
    expected, _ = settle(network, state, max_steps=first + second, **options)
    same_bits(found, expected)
    assert result.steps == second


@given(seed=seeds, phase=phases, steps=st.integers(0, 20))
def test_settled_means_that_nothing_changes_any_more(drawn, same_bits, seed, phase, steps):
    network, state = drawn(seed)
    found, result = settle(network, state, max_steps=steps, phase=phase)
    further, again = settle(network, found, max_steps=1, phase=phase)
    if result.settled:
        same_bits(further, found)
        assert again.settled
        assert 1 <= result.steps <= steps
    else:
        assert result.steps == steps


@given(seed=seeds, senders=st.sampled_from(["forward", "unsupervised"]))
def test_labels_leak_into_no_hidden_unit_without_supervision(drawn, same_bits, seed, senders):
    network, state = drawn(seed)
    other = state.replace(-1, jax.device_put(-np.asarray(state.readout)))
    found, expected = (trajectory(network, s, senders)[0] for s in (other, state))
    same_bits([s.buffers[:-1] for s in found], [s.buffers[:-1] for s in expected])


@given(seed=seeds, senders=groups)
def test_a_step_keeps_the_input_and_the_output(drawn, seed, senders):
    network, state = drawn(seed)
    for later in trajectory(network, state, senders)[0]:
        assert np.array_equal(later[0], state[0])
        assert np.array_equal(later.readout, state.readout)
        assert set(np.unique(later[1])) | set(np.unique(later[2])) <= {-1.0, 1.0}


@st.composite
def wirings(draw):
    """A map with rows out of 1 to 3, the last one included; what else is heard is drawn."""
    rows = sorted({3, *draw(st.sets(st.integers(1, 2)))})
    return {i: sorted({i, *draw(st.sets(st.integers(0, 3)))}) for i in rows}


@given(rows=wirings(), seed=seeds, senders=groups)
def test_any_wiring_runs_as_its_equations_say(dense, binary, rows, seed, senders):
    rng = np.random.default_rng(seed)
    weights = {(i, j): rng.integers(-2, 3, (4, 4)) / 2 for i, row in rows.items() for j in row}
    lmap = LayerMap.from_dict(
        {
            i: {
                j: (OutputLayer() if i == 3 else binary(weights[i, j]))
                if i == j
                else dense(weights[i, j])
                for j in row
            }
            for i, row in rows.items()
        }
    )
    buffers = [rng.choice([-1.0, 1.0], (BATCH, 4)) for _ in range(4)]
    state = SequentialState((4, 4, 4, 4))
    state = eqx.tree_at(
        lambda s: s.buffers, state, tuple(jnp.asarray(b, jnp.float32) for b in buffers)
    )
    state, _ = SequentialOrchestrator(layers=lmap).step(state, rng=None, senders=senders)
    heard = {
        "all": lambda i, j: True,
        "forward": lambda i, j: j <= i,
        "backward": lambda i, j: j >= i,
        "unsupervised": lambda i, j: j != 3,
    }[senders]
    for i in sorted(set(rows) - {3}):
        field = sum(buffers[j] @ weights[i, j] for j in rows[i] if heard(i, j))
        buffers[i] = np.where(field >= 0, 1.0, -1.0)
    for found, expected in zip(state.buffers, buffers, strict=True):
        assert np.array_equal(found, expected)
