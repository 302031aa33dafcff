"""`settle`: the numbers of the plain loop, whether it settled, and in how many steps."""

from typing import ClassVar, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.layer_maps.sparse import LayerMap
from bionet.modules.input_output import OutputLayer
from bionet.modules.interfaces import AbstractAdapter
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.orchestrators.settle import Settled, settle
from bionet.states.sequential import SequentialState

STEPS = 5


def plain_loop(orchestrator, state, phase, steps, rng=None):
    """What a reader of the docs would write."""
    for _ in range(steps):
        step = orchestrator.step if phase == "clamped" else orchestrator.step_inference
        state, rng = step(state, rng=rng)
    return state


def told(result):
    assert isinstance(result, Settled)
    return bool(result.settled), int(result.steps)


@pytest.fixture
def tiny(dense, binary):
    """`tiny(J)`: binary units with couplings J, one input each and one output, all weights 0."""

    def make(J):
        n = len(J)
        lmap = LayerMap.from_dict(
            {
                1: {0: dense(np.zeros((n, n))), 1: binary(J)},
                2: {1: dense(np.ones((n, 1))), 2: OutputLayer()},
            }
        )
        return SequentialOrchestrator(layers=lmap), SequentialState((n, n, 1))

    return make


@pytest.mark.parametrize("phase", ["clamped", "free"])
@pytest.mark.parametrize("early_stop", [True, False])
def test_it_is_the_plain_loop(network, same_bits, phase, early_stop):
    start = plain_loop(network.orchestrator, network.clamped, "clamped", 1)
    expected = plain_loop(network.orchestrator, start, phase, STEPS)
    found, _ = settle(
        network.orchestrator, start, max_steps=STEPS, phase=phase, early_stop=early_stop
    )
    same_bits(found, expected)


@pytest.mark.parametrize("hidden", [1, 2])
@pytest.mark.parametrize("phase", ["clamped", "free"])
def test_it_is_the_plain_loop_for_weights_that_round(make_network, same_bits, hidden, phase):
    network = make_network(hidden, seed=4, exact=False)
    expected = plain_loop(network.orchestrator, network.clamped, phase, STEPS)
    found, _ = settle(network.orchestrator, network.clamped, max_steps=STEPS, phase=phase)
    same_bits(found, expected)


@pytest.mark.parametrize("senders", ["all", "forward", "backward", "unsupervised"])
def test_senders_take_the_place_of_the_phase(two_hidden, same_bits, senders):
    expected = two_hidden.clamped
    for _ in range(3):
        expected, _ = two_hidden.orchestrator.step(expected, rng=None, senders=senders)
    found, _ = settle(two_hidden.orchestrator, two_hidden.clamped, max_steps=3, senders=senders)
    same_bits(found, expected)


def test_stopping_early_changes_the_steps_and_not_the_state(network, same_bits):
    def run(steps, early_stop=True):
        return settle(network.orchestrator, network.clamped, max_steps=steps, early_stop=early_stop)

    (stopped, early), (went_on, late) = run(60), run(60, early_stop=False)
    same_bits(stopped, went_on)
    settled, steps = told(early)
    assert settled
    assert 1 < steps < 60
    assert told(late) == (True, 60)
    # With one step fewer the state is there, but has not been seen to stay.
    same_bits(run(steps - 1)[0], stopped)
    assert told(run(steps - 1)[1]) == (False, steps - 1)


def test_a_network_that_starts_settled_takes_the_one_step_that_finds_it_so(tiny):
    # Each unit holds itself with weight 1: any state is a fixed point.
    network, blank = tiny(np.eye(2))
    start = blank.init(np.zeros((2, 2))).replace(1, jnp.array([[1.0, -1.0], [-1.0, -1.0]]))
    state, result = settle(network, start, max_steps=7)
    assert told(result) == (True, 1)
    assert np.array_equal(state[1], start[1])


def test_from_silence_it_takes_one_step_more(tiny):
    # Zeros become sign(0) = +1 in the first step, and the second changes nothing.
    network, blank = tiny(np.eye(2))
    state, result = settle(network, blank.init(np.zeros((2, 2))), max_steps=7)
    assert told(result) == (True, 2)
    assert np.array_equal(state[1], np.ones((2, 2)))


@pytest.mark.parametrize("steps", [1, 4, 5])
def test_a_network_of_period_two_never_settles(tiny, steps):
    # Each unit says the opposite of the other one: (+, +) and (-, -) take turns.
    network, blank = tiny([[0.0, -1.0], [-1.0, 0.0]])
    start = blank.init(np.zeros((2, 2))).replace(1, jnp.array([[1.0, 1.0], [-1.0, -1.0]]))
    state, result = settle(network, start, max_steps=steps)
    assert told(result) == (False, steps)
    flip = (-1.0) ** steps
    assert np.array_equal(state[1], [[flip, flip], [-flip, -flip]])


def test_one_restless_sample_keeps_the_batch_going(tiny):
    # From (+, -) the same two units stand still.
    network, blank = tiny([[0.0, -1.0], [-1.0, 0.0]])
    start = blank.init(np.zeros((2, 2))).replace(1, jnp.array([[1.0, 1.0], [1.0, -1.0]]))
    state, result = settle(network, start, max_steps=4)
    assert told(result) == (False, 4)
    assert np.array_equal(state[1], [[1.0, 1.0], [1.0, -1.0]])
    only_still = start.replace(1, jnp.array([[-1.0, 1.0], [1.0, -1.0]]))
    assert told(settle(network, only_still, max_steps=4)[1]) == (True, 1)


def test_no_steps_change_nothing_and_settle_nothing(network, same_bits):
    state, result = settle(network.orchestrator, network.clamped, max_steps=0, phase="clamped")
    same_bits(state, network.clamped)
    assert told(result) == (False, 0)


def test_the_input_and_the_labels_stay(network):
    for phase in ("clamped", "free"):
        state, _ = settle(network.orchestrator, network.clamped, max_steps=3, phase=phase)
        assert np.array_equal(state[0], network.x)
        assert np.array_equal(state[-1], network.y)


def test_the_free_phase_does_not_know_the_labels(network):
    other = network.clamped.replace(-1, -network.y)
    hidden = [
        settle(network.orchestrator, state, max_steps=STEPS, phase="free")[0].buffers[1:-1]
        for state in (network.clamped, other)
    ]
    assert all(np.array_equal(a, b) for a, b in zip(*hidden, strict=True))


def test_free_is_the_phase_that_one_gets_without_asking(network, same_bits):
    free = settle(network.orchestrator, network.clamped, max_steps=STEPS, phase="free")
    same_bits(settle(network.orchestrator, network.clamped, max_steps=STEPS), free)


@pytest.mark.parametrize("rng", [jax.random.key(0), jax.random.PRNGKey(0)])
def test_a_key_does_not_matter_to_a_deterministic_network(one_hidden, same_bits, rng):
    network, state = one_hidden.orchestrator, one_hidden.clamped
    without = settle(network, state, rng=None, max_steps=3)
    same_bits(settle(network, state, rng=rng, max_steps=3), without)


@pytest.mark.parametrize("early_stop", [True, False])
@pytest.mark.parametrize("make_key", [jax.random.key, jax.random.PRNGKey])
def test_randomness_is_drawn_anew_in_each_step_as_in_the_plain_loop(
    noisy, same_bits, make_key, early_stop
):
    # The noise comes from a clamped sender: a message kept from the first step would show.
    orchestrator, start = noisy.orchestrator, noisy.clamped
    expected = plain_loop(orchestrator, start, "clamped", STEPS, make_key(5))

    def run(key):
        options = {"max_steps": STEPS, "phase": "clamped", "early_stop": early_stop}
        return settle(orchestrator, start, rng=key, **options)[0]

    same_bits(run(make_key(5)), expected)
    assert not np.array_equal(run(make_key(6))[1], expected[1])


def test_randomness_without_a_key_is_an_error_that_names_the_edge(noisy, says):
    with says(ValueError, "Edge (1, 0) uses randomness and needs a key, but rng is None."):
        settle(noisy.orchestrator, noisy.clamped, max_steps=3)


def products_in_loops(jaxpr, inside=False):
    """How many matrix products stand inside the loops of a traced program."""
    count = 0
    for equation in jaxpr.eqns:
        count += inside and equation.primitive.name == "dot_general"
        within = inside or equation.primitive.name == "while"
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                count += products_in_loops(inner, within)
    return count


@pytest.mark.parametrize(("hidden", "clamped", "free"), [(1, 1, 1), (2, 4, 3)])
def test_messages_of_clamped_buffers_are_computed_before_the_loop(
    make_network, hidden, clamped, free
):
    # Left in the loop are the recurrent product of each hidden layer, the one between the two,
    # and, in the clamped phase, the one back. Input and labels speak before it starts.
    network = make_network(hidden)
    for phase, expected in (("clamped", clamped), ("free", free)):

        def run(state, phase=phase):
            return settle(network.orchestrator, state, max_steps=9, phase=phase)

        assert products_in_loops(jax.make_jaxpr(run)(network.clamped).jaxpr) == expected


@final
class CountedAdapter(AbstractAdapter):
    """Counts how often it is called, which under jit is how often it is traced."""

    calls: ClassVar[list[str]] = []
    needs_key: ClassVar[bool] = False
    sender_shape: tuple[int, ...] = eqx.field(static=True, default=(5,))
    receiver_shape: tuple[int, ...] = eqx.field(static=True, default=(7,))

    def __call__(self, x, rng=None):
        self.calls.append("called")
        return jnp.zeros((x.shape[0], 7), x.dtype)

    def trained(self):
        return {}

    def increments(self, x, y, y_hat, gate=None):
        return {}


def test_other_values_and_another_number_of_steps_are_not_compiled_again(one_hidden):
    rows = one_hidden.orchestrator.lmap.to_dict()
    rows[1][0] = CountedAdapter()
    network = SequentialOrchestrator(layers=LayerMap.from_dict(rows))
    for steps in (1, 2, 5):
        settle(network, one_hidden.clamped, max_steps=steps)
        network = jax.tree.map(lambda leaf: 2 * np.asarray(leaf), network)
        network = jax.tree.map(jnp.asarray, network)
    assert CountedAdapter.calls == ["called"]


def test_a_negative_number_of_steps(one_hidden, says):
    with says(ValueError, "settle: max_steps needs 0 or more, got -1."):
        settle(one_hidden.orchestrator, one_hidden.clamped, max_steps=-1)


def test_half_a_step(one_hidden, says):
    with says(TypeError, "settle: max_steps needs an int, got 2.5."):
        settle(one_hidden.orchestrator, one_hidden.clamped, max_steps=2.5)


@pytest.mark.parametrize(
    ("phase", "meant"), [("Free", "free"), ("clamp", "clamped"), ("fre", "free")]
)
def test_an_unknown_phase_is_named_with_the_nearest(one_hidden, says, phase, meant):
    with says(ValueError, f"settle: No phase is named {phase!r}. Did you mean {meant!r}?"):
        settle(one_hidden.orchestrator, one_hidden.clamped, max_steps=3, phase=phase)


def test_an_unknown_group_of_senders_is_named_with_the_nearest(one_hidden, says):
    with says(ValueError, "No group of senders is named 'al'. Did you mean 'all'?"):
        settle(one_hidden.orchestrator, one_hidden.clamped, max_steps=3, senders="al")


@pytest.mark.slow
def test_it_works_inside_jit_and_under_vmap(network, same_bits):
    def run(state):
        return settle(network.orchestrator, state, max_steps=STEPS, phase="clamped")

    state = network.clamped
    same_bits(jax.jit(run)(state), run(state))
    both = jax.tree.map(lambda leaf: jax.device_put(np.stack([leaf, -np.asarray(leaf)])), state)
    together = jax.vmap(run)(both)
    apart = [run(jax.tree.map(lambda leaf, i=i: leaf[i], both)) for i in range(2)]
    same_bits(together, jax.tree.map(lambda *leaves: np.stack(leaves), *apart))
