"""The bridge: a layer map's rows in asynchronous time, and their local learning."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bionet import (
    FrozenFullyConnected,
    FullyConnected,
    LayerMap,
    OutputLayer,
    RecurrentDiscrete,
    SequentialOrchestrator,
    SequentialState,
    SparseFullyConnected,
    SparseRecurrentDiscrete,
    SynchronousOrchestrator,
)
from bionet.graph import Graph, Supergraph, TrainableDelay, from_layer_map, generate_graphs
from bionet.layer_maps.shared import Shared
from bionet.modules.tanh import RecurrentTanh

UNITS = (6, 8, 7, 3)


def wired():
    """Two hidden layers that hear each other, the label and the input."""
    k = iter(jax.random.split(jax.random.key(0), 20))
    first = {
        0: FullyConnected(6, 8, 1.0, 0.5, next(k)),
        1: RecurrentDiscrete(8, 0.5, 0.5, next(k)),
        2: FrozenFullyConnected(7, 8, 0.7, 0.0, next(k)),
        3: FrozenFullyConnected(3, 8, 0.7, 0.0, next(k)),
    }
    second = {
        1: FullyConnected(8, 7, 1.0, 0.5, next(k)),
        2: RecurrentDiscrete(7, 0.5, 0.5, next(k)),
        3: FrozenFullyConnected(3, 7, 0.7, 0.0, next(k)),
    }
    last = {
        1: FullyConnected(8, 3, 1.0, 0.5, next(k)),
        2: FullyConnected(7, 3, 1.0, 0.5, next(k)),
        3: OutputLayer(),
    }
    return LayerMap.from_dict({1: first, 2: second, 3: last})


@pytest.fixture(scope="module")
def lmap():
    # One program draws all weights, in place of one for each shape.
    return eqx.filter_jit(wired)()


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    return rng.choice([-1.0, 1.0], (5, 6)), rng.choice([-1.0, 1.0], (5, 3))


def timed(lmap, rates=10.0, mode=Supergraph.MCS, seconds=1.0, **options):
    network = from_layer_map(lmap, rates, **options)
    episodes = generate_graphs(network.nodes, seconds)
    last = network.name(lmap.last)
    return network, Graph(network.nodes, last, episodes, supergraph=mode, prune=False)


@pytest.fixture(scope="module")
def clock(lmap):
    """The network on one clock, its graph, and a step as one program for all that start alike."""
    network, graph = timed(lmap)
    return network, graph, jax.jit(graph.run)


@eqx.filter_jit
def stepped(orchestrator, state, method):
    return getattr(orchestrator, method)(state, rng=None)[0]


@eqx.filter_jit
def judged(orchestrator, state):
    return orchestrator.backward(state).lmap, orchestrator.predict(state)[0].readout


def agree(network, graph_state, state):
    for index in range(len(state)):
        np.testing.assert_array_equal(network.buffers(graph_state)[index], state[index])


@pytest.mark.parametrize("mode", [Supergraph.MCS, Supergraph.GENERATIONAL])
@pytest.mark.parametrize(
    ("kind", "skip"), [(SequentialOrchestrator, "backward"), (SynchronousOrchestrator, "all")]
)
def test_with_one_clock_it_is_the_orchestrator(lmap, batch, kind, skip, mode):
    network, graph = timed(lmap, mode=mode, skip=skip)
    orchestrator, state = kind(layers=lmap), SequentialState(UNITS).init(*batch)
    run, graph_state = jax.jit(graph.run), network.init(graph, *batch)
    for _ in range(3):
        state = stepped(orchestrator, state, "step")
        graph_state = run(graph_state)
        agree(network, graph_state, state)
    graph_state = network.phase(graph_state, feedback=False)
    for _ in range(2):
        state = stepped(orchestrator, state, "step_inference")
        graph_state = run(graph_state)
    agree(network, graph_state, state)
    graph_state = run(network.phase(graph_state, moving=False, learning=1.0))
    agree(network, graph_state, state)
    (expected, answer), found = judged(orchestrator, state), network.pseudo_gradients(graph_state)
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    np.testing.assert_array_equal(network.answer(graph_state), answer)


@pytest.mark.slow
def test_delays_by_hand():
    # A weight of 1 carries the input; the output at 10 Hz hears what left 150 ms ago or before.
    weight = eqx.tree_at(
        lambda m: m.W, FullyConnected(1, 1, 1.0, 0.5, jax.random.key(0)), jnp.ones((1, 1))
    )
    lmap = LayerMap.from_dict({1: {0: weight, 1: OutputLayer()}})
    network, graph = timed(lmap, delays={(1, 0): 0.15}, learning=None)
    run, answers = jax.jit(graph.run), []
    graph_state = run(network.init(graph, [[0.0]]))
    for value in (1.0, 2.0, 3.0, 4.0):
        graph_state = run(network.clamp(graph_state, [[value]]))
        answers.append(float(network.answer(graph_state)[0, 0]))
    # Sent at 100, 200 and 300 ms, and heard at 300, 400 and 500 ms.
    assert answers == [0.0, 0.0, 1.0, 2.0]


def test_a_window_is_its_mean():
    weight = eqx.tree_at(
        lambda m: m.W, FullyConnected(1, 1, 1.0, 0.5, jax.random.key(0)), jnp.ones((1, 1))
    )
    lmap = LayerMap.from_dict({1: {0: weight, 1: OutputLayer()}})
    network, graph = timed(lmap, windows={(1, 0): 2}, learning=None)
    run = jax.jit(graph.run)
    graph_state = run(network.init(graph, [[1.0]]))
    graph_state = run(network.clamp(graph_state, [[4.0]]))
    assert network.answer(graph_state)[0, 0] == 2.5


@pytest.mark.slow
def test_what_is_learned_at_once_lowers_the_margin_that_is_violated(lmap, batch):
    x, y = batch
    network, graph = timed(lmap, learning="apply", learning_rate=0.2)
    graph_state = network.phase(network.init(graph, x, y), learning=1.0)
    after = jax.jit(lambda s: graph.rollout(s, 6))(graph_state)

    def violated(lmap):
        state = network.buffers(after)
        scores, _ = SequentialOrchestrator(layers=lmap).predict(state)
        return float(jnp.maximum(0.5 - state[-1] * scores.readout, 0).sum())

    assert violated(network.layer_map(after)) < 0.5 * violated(lmap)
    for edge in ((1, 2), (1, 3), (2, 3)):
        np.testing.assert_array_equal(network.layer_map(after)[edge].W, lmap[edge].W)
    assert (jnp.diag(network.layer_map(after)[1, 1].J) == 0.5).all()


def test_applied_at_once_is_accumulated_and_descended(lmap, batch, clock):
    adding, graph, run = clock
    applying, other = timed(lmap, learning="apply", learning_rate=0.3)
    run_other = jax.jit(other.run)
    state = adding.phase(run(adding.init(graph, *batch)), moving=False, learning=2.0)
    learned = adding.pseudo_gradients(run(state))
    state = applying.phase(run_other(applying.init(other, *batch)), moving=False, learning=2.0)
    applied = applying.layer_map(run_other(state))
    assert learned[2, 1].W.any()
    updates, _ = optax.sgd(0.3).update(learned, optax.sgd(0.3).init(learned))
    descended = eqx.apply_updates(lmap, updates)
    for edge, module in descended.edge_items():
        for found, expected in zip(
            jax.tree.leaves(applied[edge]), jax.tree.leaves(module), strict=True
        ):
            np.testing.assert_allclose(found, expected, atol=1e-6)


def test_what_was_learned_adds_up_until_it_is_forgotten(batch, clock):
    network, graph, run = clock
    begun = run(run(network.init(graph, *batch)))
    once = run(network.phase(begun, moving=False, learning=1.0))
    twice = run(once)
    one, two = (network.pseudo_gradients(state)[3, 2].W for state in (once, twice))
    assert jnp.abs(one).max() > 0
    np.testing.assert_allclose(two, 2 * one, rtol=1e-6)
    assert not network.pseudo_gradients(network.forget(twice))[3, 2].W.any()
    quiet = run(network.phase(once, learning=0.0))
    np.testing.assert_array_equal(network.pseudo_gradients(quiet)[3, 2].W, one)


@pytest.mark.slow
def test_a_slow_row_learns_less_often(lmap, batch):
    rates = {0: 20, 1: 20, 2: 5, 3: 10}
    network, graph = timed(lmap, rates)
    run = jax.jit(graph.run)
    begun = run(run(network.init(graph, *batch)))
    first = run(network.phase(begun, moving=False, learning=1.0))
    once, after = (network.pseudo_gradients(state) for state in (first, run(run(first))))
    # From 200 to 400 ms the output ticks three times, layer 1 six times, and layer 2 twice.
    for edge, times in (((1, 0), 6 / 2), ((2, 1), 2), ((3, 1), 3)):
        assert once[edge].W.any()
        np.testing.assert_allclose(after[edge].W, times * once[edge].W, rtol=1e-5)


@pytest.mark.slow
def test_shared_modules_learn_from_all_that_use_them(batch):
    k = jax.random.split(jax.random.key(3), 4)
    shared = {
        1: {0: FullyConnected(6, 6, 1.0, 0.5, k[0]), 1: RecurrentDiscrete(6, 0.5, 0.5, k[1])},
        2: {1: Shared(1, 0), 2: RecurrentDiscrete(6, 0.5, 0.5, k[2])},
        3: {2: FullyConnected(6, 3, 1.0, 0.5, k[3]), 3: OutputLayer()},
    }
    lmap = LayerMap.from_dict(shared)
    network, graph = timed(lmap)
    run = jax.jit(graph.run)
    begun = run(network.init(graph, *batch))
    expected, _ = judged(SequentialOrchestrator(layers=lmap), network.buffers(begun))
    graph_state = run(network.phase(begun, moving=False, learning=1.0))
    found = network.pseudo_gradients(graph_state)
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    assert expected[1, 0].W.any()


@pytest.mark.slow
def test_sparse_modules_learn_as_in_an_orchestrator(batch):
    k = jax.random.split(jax.random.key(3), 3)
    first = {
        0: SparseFullyConnected(6, 8, 1.0, 0.5, k[0], fan_in=3),
        1: SparseRecurrentDiscrete(8, 0.5, 0.5, k[1], fan_in=3),
    }
    lmap = LayerMap.from_dict(
        {1: first, 2: {1: FullyConnected(8, 3, 1.0, 0.5, k[2]), 2: OutputLayer()}}
    )
    network, graph = timed(lmap)
    run = jax.jit(graph.run)
    begun = run(network.init(graph, *batch))
    nothing = network.pseudo_gradients(begun)
    assert not any(leaf.any() for leaf in jax.tree.leaves(nothing))
    expected, _ = judged(SequentialOrchestrator(layers=lmap), network.buffers(begun))
    found = network.pseudo_gradients(run(network.phase(begun, moving=False, learning=1.0)))
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    assert expected[1, 0].W.any()


@pytest.mark.slow
def test_a_node_hears_a_row_under_a_name_of_its_own(lmap, batch, quiet):
    network = from_layer_map(lmap, 10.0)
    probe = quiet("probe", 10.0)
    probe.connect(network.nodes["layer1"], window=2, name="heard", skip=True)
    nodes = dict(network.nodes) | {"probe": probe}
    graph = Graph(nodes, "probe", generate_graphs(nodes, 1.0), prune=False)
    window = network.init(graph, *batch).inputs["probe"]["heard"]
    assert window.data.shape == (2, 5, 8)


@pytest.mark.slow
def test_gradients_flow_through_a_trainable_delay():
    k = jax.random.split(jax.random.key(0), 3)
    lmap = LayerMap.from_dict(
        {
            1: {0: FullyConnected(2, 4, 1.0, 0.0, k[0]), 1: RecurrentTanh(4, 0.0, 0.1, k[2])},
            2: {1: FullyConnected(4, 1, 1.0, 0.0, k[1]), 2: OutputLayer()},
        }
    )
    delay = TrainableDelay(0.0, 0.06, 0.03)
    network, graph = timed(
        lmap, {0: 50, 1: 50, 2: 50}, delays={(2, 1): delay}, windows={(2, 1): 5}, learning=None
    )
    begun = network.init(graph, [[0.3, -0.7]])
    changed = network.clamp(jax.jit(graph.run)(begun), [[1.0, 0.5]])

    def loss(seconds):
        params = changed.params["layer2"]
        moved = eqx.tree_at(lambda d: d.seconds, params["delays"][1], seconds)
        params = params | {"delays": {1: moved}}
        state = changed.replace(params=changed.params | {"layer2": params})
        return network.answer(graph.rollout(state, 2)).sum()

    at, step = np.float32(0.025), np.float32(1e-3)
    low, high = jax.jit(jax.vmap(loss))(np.stack([at - step, at + step]))
    slope = float(high - low) / (2 * step)
    assert abs(slope) > 0.1
    np.testing.assert_allclose(jax.jit(jax.grad(loss))(at), slope, rtol=1e-2)


def test_answering_rows_send_what_they_answer(batch, clock):
    network, graph, run = clock
    graph_state = run(network.phase(network.init(graph, batch[0]), answering=True))
    np.testing.assert_array_equal(network.buffers(graph_state)[3], network.answer(graph_state))
    assert network.answer(graph_state).any()


def test_other_weights_of_the_same_edges(lmap, batch, clock):
    network, graph, _ = clock
    other = jax.tree.map(lambda leaf: jax.device_put(2 * np.asarray(leaf)), lmap)
    graph_state = network.init(graph, *batch, lmap=other)
    jax.tree.map(np.testing.assert_array_equal, network.layer_map(graph_state), other)


@pytest.mark.parametrize(
    ("options", "kind", "sentence"),
    [
        ({"rates": {0: 5, 1: 5, 2: 5}}, ValueError, "from_layer_map: rates needs one for every"),
        ({"rates": {7: 5}}, ValueError, "from_layer_map: rates: there is no buffer 7"),
        ({"rates": 0}, ValueError, "Node 'layer0': rate needs to be above 0 Hz"),
        ({"delays": {(3, 0): 1.0}}, ValueError, "from_layer_map: delays: there is no edge (3, 0)"),
        ({"delays": {9: 1.0}}, ValueError, "from_layer_map: delays: 9 is no edge"),
        ({"windows": {(0, 1): 2}}, ValueError, "from_layer_map: windows: there is no edge (0, 1)"),
        ({"skip": [(0, 1)]}, ValueError, "from_layer_map: skip: there is no edge (0, 1)"),
        ({"skip": [3]}, TypeError, "from_layer_map: skip: needs edges (receiver, sender), got 3"),
        ({"skip": True}, TypeError, "from_layer_map: skip needs edges (receiver, sender), or one"),
        ({"skip": "back"}, ValueError, "senders: No group of senders is named 'back'"),
        ({"free": "fwd"}, ValueError, "senders: No group of senders is named 'fwd'"),
        ({"learning": "adds"}, ValueError, "from_layer_map: No kind of learning is named 'adds'"),
    ],
)
def test_what_does_not_fit_is_told(lmap, says, options, kind, sentence):
    with says(kind, sentence):
        from_layer_map(lmap, **({"rates": 10} | options))


def test_other_faults_are_told(lmap, says, batch):
    with says(TypeError, "from_layer_map: layers needs a LayerMap, got dict"):
        from_layer_map({}, 10)
    free = LayerMap.from_dict({1: {0: OutputLayer(), 1: OutputLayer()}}, require_diagonal=False)
    with says(ValueError, "from_layer_map: no module says how large buffer 0 is; give state="):
        from_layer_map(free, 10)
    row = {0: FullyConnected(6, 6, 1.0, 0.5, jax.random.key(0)), 1: OutputLayer()}
    shared = LayerMap.from_dict({1: row, 2: {1: Shared(1, 0), 2: OutputLayer()}})
    with says(ValueError, "from_layer_map: edge (2, 1) shares the module of (1, 0), and learning"):
        from_layer_map(shared, 10, learning="apply")
    network, graph = timed(lmap, learning=None)
    with says(ValueError, "Network.pseudo_gradients: this network accumulates none"):
        network.pseudo_gradients(network.init(graph, *batch))
    with says(IndexError, "The network has buffers 0 to 3, but not 4."):
        network.name(4)
    with says(ValueError, "state.init: x goes into buffer 0 and needs shape (batch, 6)"):
        network.init(graph, np.ones((2, 5)))
    loop = from_layer_map(lmap, 10, skip=[(1, 1), (2, 2), (3, 3)])
    with says(ValueError, "generate_graphs: "):
        generate_graphs(loop.nodes, 1.0)
