"""One module at several edges: once in the pytree, learning from all of them."""

import copy

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bionet.layer_maps.shared import Shared
from bionet.layer_maps.sparse import LayerMap
from bionet.modules.frozen import frozen
from bionet.modules.fully_connected import FullyConnected
from bionet.modules.input_output import OutputLayer
from bionet.modules.port import Port, Span
from bionet.modules.recurrent import RecurrentDiscrete
from bionet.orchestrators.nested import NestedNetwork
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.states.sequential import SequentialState
from bionet.training.local.two_phase import TwoPhase

K = jax.random.split(jax.random.key(0), 6)
LAYER = RecurrentDiscrete(6, 0.5, 0.5, K[1])


def rows(second):
    """Two hidden layers of six units; `second` is the layer of the second one."""
    return {
        1: {0: FullyConnected(4, 6, 1.0, 0.5, K[0]), 1: LAYER},
        2: {1: FullyConnected(6, 6, 1.0, 0.5, K[2]), 2: second},
        3: {2: FullyConnected(6, 2, 1.0, 0.5, K[3]), 3: OutputLayer()},
    }


@pytest.fixture(scope="module")
def state():
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(5, 4)), draw.choice([-1.0, 1.0], (5, 2))
    state = SequentialState((4, 6, 6, 2)).init(x, y)
    for i in (1, 2):
        state = state.replace(i, jnp.asarray(draw.choice([-1.0, 1.0], (5, 6)), jnp.float32))
    return state


@pytest.fixture(scope="module")
def shared():
    return SequentialOrchestrator(layers=LayerMap.from_dict(rows(Shared(1, 1))))


@pytest.fixture(scope="module")
def copied():
    return SequentialOrchestrator(layers=LayerMap.from_dict(rows(copy.deepcopy(LAYER))))


def test_the_module_is_there_once_and_at_both_edges(shared, copied):
    lmap = shared.lmap
    assert lmap[2, 2] is lmap[1, 1]
    assert (2, 2) in lmap
    assert dict(lmap.edge_items())[2, 2] is lmap[1, 1]
    assert lmap.neighbors(2)[2] is lmap[1, 1]
    assert dict(lmap.row_items())[2][2] is lmap[1, 1]
    leaves = [len(jax.tree.leaves(o)) for o in (shared, copied)]
    assert leaves[0] == leaves[1] - len(jax.tree.leaves(LAYER))


def test_owner_and_users(shared):
    assert shared.lmap.owner((2, 2)) == (1, 1)
    assert shared.lmap.owner((1, 1)) == (1, 1)
    assert shared.lmap.users((1, 1)) == ((1, 1), (2, 2))
    assert shared.lmap.users((2, 2)) == ()
    assert shared.lmap.users((1, 0)) == ((1, 0),)


def test_it_goes_through_to_dict_and_back(shared, same_bits):
    assert shared.lmap.to_dict()[2][2] == Shared(1, 1)
    same_bits(LayerMap.from_dict(shared.lmap.to_dict()), shared.lmap)


def test_the_dynamics_are_those_of_two_copies(shared, copied, state, same_bits):
    same_bits(shared.step(state, rng=None)[0], copied.step(state, rng=None)[0])


def test_what_the_edges_teach_is_summed_up(shared, copied, state):
    found, parts = shared.backward(state).lmap, copied.backward(state).lmap
    np.testing.assert_allclose(found[1, 1].J, parts[1, 1].J + parts[2, 2].J, atol=1e-6)
    np.testing.assert_array_equal(found[2, 1].W, parts[2, 1].W)
    assert not np.allclose(parts[2, 2].J, 0)


def test_a_step_of_training_keeps_them_one(shared, state):
    method = TwoPhase(state, optimizer=optax.adam(0.1), clamped=2, free=2)
    train_state = method.init(shared, K[4])
    moments = jax.tree.leaves(eqx.filter(train_state.memory, eqx.is_inexact_array))
    assert sum(leaf.size for leaf in moments) == 2 * (4 * 6 + 6 * 6 + 6 * 6 + 6 * 2)
    trained = method.step(train_state, (state[0], state[-1]), K[5])[0].model
    assert trained.lmap[2, 2] is trained.lmap[1, 1]
    assert not np.array_equal(trained.lmap[1, 1].J, LAYER.J)


def test_saved_and_loaded(shared, same_bits, tmp_path):
    eqx.tree_serialise_leaves(tmp_path / "net.eqx", shared)
    same_bits(eqx.tree_deserialise_leaves(tmp_path / "net.eqx", shared), shared)


@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        (
            Shared(2, 2),
            "edge (2, 2) shares the module of edge (2, 2), which shares another edge's module "
            "itself; name an edge that has a module of its own.",
        ),
        (Shared(1, 3), "edge (2, 2) shares the module of edge (1, 3), which has no module;"),
        (Shared(7, 7), "edge (2, 2) shares the module of edge (7, 7), which has no module;"),
    ],
)
def test_a_module_that_is_not_there(second, sentence, says):
    with says(ValueError, sentence):
        LayerMap.from_dict(rows(second))


def test_one_module_at_two_edges_is_refused_by_their_names(says):
    sentence = (
        "LayerMap.from_dict: edge (2, 2) is the very module of edge (1, 1), and as two copies they "
        "would part as they learn. Write Shared(1, 1) at edge (2, 2) for one module at both, or "
        "make a module of its own there."
    )
    with says(ValueError, sentence):
        LayerMap.from_dict(rows(LAYER))
    with says(ValueError, "edge (2, 2) is the very module of edge (1, 1)"):
        outputs = rows(Shared(1, 1))
        outputs[2][2] = outputs[1][1] = OutputLayer()
        LayerMap.from_dict(outputs)


def tied(array):
    """Another module that learns in this very array."""
    return eqx.tree_at(lambda m: m.J, RecurrentDiscrete(6, 0.5, 0.5, K[5]), array)


def test_an_array_that_two_modules_learn_in_is_refused(says):
    with says(ValueError, "edge (2, 2) learns in the very array of edge (1, 1)"):
        LayerMap.from_dict(rows(tied(LAYER.J)))
    # What one of the two never learns is no copy that parts: feedback through the first weights.
    assert len(LayerMap.from_dict(rows(frozen(tied(LAYER.J))))) == 6
    assert len(LayerMap.from_dict(rows(tied(LAYER.J + 0)))) == 6


def test_thresholds_in_common_are_no_weights_in_common():
    threshold = jnp.asarray(0.5)
    modules = [RecurrentDiscrete(6, 0.5, threshold, k) for k in K[:2]]
    made = rows(modules[0])
    made[1][1] = modules[1]
    assert len(LayerMap.from_dict(made)) == 6


def test_a_network_that_is_nested_twice_is_refused(says):
    inner = SequentialOrchestrator(layers=LayerMap.from_dict(rows(Shared(1, 1))))
    nodes = [NestedNetwork(inner, (4, 6, 6, 2)) for _ in range(2)]
    outer = {
        1: {0: Port(drives=nodes[0].span(0)), 1: nodes[0]},
        2: {1: Port(hears=nodes[0].span(-1), drives=Span(0, (2,), 18)), 2: nodes[1]},
        3: {2: FullyConnected(18, 2, 1.0, 0.5, K[0]), 3: OutputLayer()},
    }
    with says(ValueError, "edge (2, 2) learns in the very array of edge (1, 1)"):
        LayerMap.from_dict(outer)


def test_a_shared_adapter_is_no_layer():
    with pytest.raises(TypeError, match=r"edge \(2, 2\) needs a layer"):
        LayerMap.from_dict(rows(Shared(2, 1)))


def test_shapes_that_do_not_fit():
    wrong = rows(LAYER) | {2: {1: Shared(1, 0), 2: LAYER}}
    with pytest.raises(ValueError, match=r"edge \(2, 1\) needs buffer 1 of shape \(4,\)"):
        LayerMap.from_dict(wrong)


@pytest.mark.parametrize("name", ["edge_rates", "edge_decays"])
def test_a_rate_belongs_to_the_edge_that_owns_the_module(shared, state, says, name):
    sentence = (
        f"TwoPhase: {name} names (2, 2), which shares the module of edge (1, 1); name (1, 1)."
    )
    with says(ValueError, sentence):
        TwoPhase(state, **{name: {(2, 2): 0.5}}).init(shared, K[0])
