"""What holds for every training method; a new one gets a line in `BUILDERS`."""

import importlib
import json
import pkgutil
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import bionet
from bionet.experimental.hybrid import LocalES, PastGuidedES, SelfGuidedES, SurrogateES
from bionet.graph import Graph, from_layer_map, generate_graphs
from bionet.modules.recurrent import RecurrentDiscrete
from bionet.modules.trained import trained_mask
from bionet.training.batches import ArrayBatches, Examples
from bionet.training.control.frozen import FrozenHidden
from bionet.training.control.frozen_readout import FrozenReadout
from bionet.training.control.linear_readout import LinearReadout
from bionet.training.control.restricted import TrainedReadout
from bionet.training.first_order.gradient import Gradient
from bionet.training.first_order.surrogate import SurrogateGradient
from bionet.training.fit import fit
from bionet.training.local.asynchronous import AsyncTwoPhase
from bionet.training.local.contrastive import Contrastive
from bionet.training.local.error_phase import ErrorPhase
from bionet.training.local.feedback_alignment import DirectFeedbackAlignment, FeedbackAlignment
from bionet.training.local.readout import FreeReadout, ReadoutHinge, accuracy
from bionet.training.local.storage import Recall, Storage
from bionet.training.local.two_phase import TwoPhase
from bionet.training.method import AbstractMethod, MethodSpec, TrainState
from bionet.training.objective import Objective
from bionet.training.problem import Problem
from bionet.training.zeroth_order.evolution import Evolution
from bionet.training.zeroth_order.lowrank_es import LowRankES
from bionet.training.zeroth_order.random_search import RandomSearch

KEY = jax.random.key(0)
HINGE = ReadoutHinge(1.0)

MLP = eqx.nn.MLP(5, 3, width_size=4, depth=2, activation=jnp.tanh, key=KEY)


def mlp_outputs(model, x, key):
    return jax.vmap(model)(x)


def _mlp_hidden(model, x, key):
    for layer in model.layers[:-1]:
        x = jnp.tanh(jax.vmap(layer)(x))
    return x


def _mlp_solved(model, W, b):
    return eqx.tree_at(lambda m: (m.layers[-1].weight, m.layers[-1].bias), model, (W.T, b))


OBJECTIVE = Objective(mlp_outputs, HINGE)
LINEAR = LinearReadout(_mlp_hidden, _mlp_solved, lambda m: m.layers[-1].weight.shape[::-1])


def settled(network):
    """The loss of a network of binary units."""
    return Objective(FreeReadout(network.state, 2), HINGE)


# By method: how to make one for a network of binary units, which has a blank state, or for the
# plain network `MLP`, or for a layer with couplings; `MODELS` says which.


def without_a_clock(network):
    """Two phases in a graph whose layers tick at different rates."""
    nodes = from_layer_map(network.orchestrator.lmap, {0: 20, 1: 20, 2: 10}, delays=0.01)
    graph = Graph(nodes.nodes, "layer2", generate_graphs(nodes.nodes, 0.8), progress_bar=False)
    return AsyncTwoPhase(nodes, graph, optimizer=optax.adam(0.25), clamped=2, free=2)


BUILDERS: dict[type[AbstractMethod], Callable[[Any], AbstractMethod]] = {
    TwoPhase: lambda network: TwoPhase(
        network.state, optimizer=optax.adam(0.25), clamped=2, free=2, edge_rates={(1, 0): 0.5}
    ),
    AsyncTwoPhase: without_a_clock,
    Contrastive: lambda network: Contrastive(
        network.state, optimizer=optax.adam(0.25), clamped=2, free=2, edge_decays={(1, 0): 0.1}
    ),
    ErrorPhase: lambda network: ErrorPhase(
        network.state, optimizer=optax.adam(0.25), warmup=2, clamped=2, free=1, margin=2.0
    ),
    FrozenHidden: lambda network: FrozenHidden(network.state, steps=2, ridge=1.0),
    Gradient: lambda network: Gradient(OBJECTIVE, optax.adam(0.25)),
    SurrogateGradient: lambda network: SurrogateGradient(OBJECTIVE, optax.adam(0.25)),
    FeedbackAlignment: lambda network: FeedbackAlignment(OBJECTIVE, optax.adam(0.25)),
    DirectFeedbackAlignment: lambda network: DirectFeedbackAlignment(OBJECTIVE, optax.adam(0.25)),
    FrozenReadout: lambda network: FrozenReadout(LINEAR, ridge=1.0),
    TrainedReadout: lambda network: TrainedReadout(
        Gradient(OBJECTIVE, optax.adam(0.25)), lambda model: model.layers[-1]
    ),
    Storage: lambda network: Storage(optimizer=optax.sgd(0.5)),
    Evolution: lambda network: Evolution(settled(network), population=4, optimizer=optax.sgd(1.0)),
    LowRankES: lambda network: LowRankES(settled(network), population=4, sigma=0.5),
    RandomSearch: lambda network: RandomSearch(settled(network), population=4, sigma=0.5),
    LocalES: lambda network: LocalES(
        settled(network),
        TwoPhase(network.state, optimizer=optax.adam(0.25), clamped=2, free=2),
        num_samples=2,
        sigma=0.5,
    ),
    SurrogateES: lambda network: SurrogateES(OBJECTIVE, optax.adam(0.25), num_samples=2),
    SelfGuidedES: lambda network: SelfGuidedES(OBJECTIVE, optax.adam(0.25), num_samples=2),
    PastGuidedES: lambda network: PastGuidedES(
        settled(network), optax.adam(0.25), num_samples=2, sigma=0.5
    ),
}
BINARY = {
    *(TwoPhase, AsyncTwoPhase, Contrastive, ErrorPhase, FrozenHidden),
    *(Evolution, LowRankES, RandomSearch, LocalES, PastGuidedES),
}
MODELS: dict[type[AbstractMethod], tuple[Any, Callable[..., Any]]] = {
    Storage: (
        RecurrentDiscrete(3, 0.0, 1.0, KEY),
        lambda model, x, key: Recall(2)(model, x[:, :3], key),
    ),
}
"""Other models than the network of binary units and `MLP`, and how they answer."""


class Bound(NamedTuple):
    """A method, a model that it can train, how that answers, and two batches."""

    method: AbstractMethod
    model: Any
    predict: Callable[..., Any]
    batches: list


@pytest.fixture(scope="module", params=BUILDERS, ids=lambda kind: kind.__name__)
def bound(request, one_hidden):
    x, y = one_hidden.x, one_hidden.y
    method = BUILDERS[request.param](one_hidden)
    model, predict = MODELS.get(request.param, (MLP, mlp_outputs))
    if request.param in BINARY:
        model, predict = one_hidden.orchestrator, FreeReadout(one_hidden.state, 2)
    return Bound(method, model, predict, [(x, y), (-x, y[::-1])])


@eqx.filter_jit
def step(method, train_state, batch, key=KEY):
    return method.step(train_state, batch, key)


def same(found, expected, atol=0.0):
    found, expected = (eqx.filter(tree, eqx.is_array) for tree in (found, expected))
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for left, right in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert (left.shape, left.dtype) == (right.shape, right.dtype)
        np.testing.assert_allclose(left, right, rtol=1e-6 if atol else 0, atol=atol)


def taken(bound):
    """The state after both batches, and the metrics of the last."""
    train_state = bound.method.init(bound.model, KEY)
    for batch in bound.batches:
        train_state, metrics = step(bound.method, train_state, batch)
    return train_state, metrics


def descendants(base: type) -> Iterator[type]:
    for child in type.__subclasses__(base):
        yield child
        yield from descendants(child)


def without_builder(built: set[type], home: str = "bionet.") -> set[str]:
    """The concrete methods at `home` that no builder makes."""
    return {
        kind.__name__
        for kind in descendants(AbstractMethod)
        if not kind.__name__.startswith("Abstract")
        and kind.__module__.startswith(home)
        and kind not in built
    }


class TestBuilders:
    @pytest.fixture(autouse=True)
    def _everything_imported(self):
        for entry in pkgutil.walk_packages(bionet.__path__, "bionet."):
            if not entry.name.endswith("__main__"):
                importlib.import_module(entry.name)

    def test_every_method_has_one(self):
        assert without_builder(set(BUILDERS)) == set()

    def test_a_method_without_one_is_found(self):
        assert without_builder(set(BUILDERS) - {FrozenHidden}) == {"FrozenHidden"}

    def test_no_two_methods_share_a_name(self):
        names = [kind.spec.name for kind in BUILDERS]
        assert len(set(names)) == len(names)


def test_a_method_that_does_not_say_what_it_is_can_not_be_made():
    @final
    class Nameless(AbstractMethod):
        def __init__(self) -> None:
            pass

        def init(self, model, key): ...

        def step(self, train_state, batch, key): ...

        def finish(self, train_state): ...

    with pytest.raises(TypeError, match="spec"):
        Nameless()


class TestSpec:
    def test_it_says_what_the_method_is(self, bound):
        spec = bound.method.spec
        assert isinstance(spec, MethodSpec)
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", spec.name)
        assert spec.summary.endswith(".")
        assert "\n" not in spec.summary

    def test_it_becomes_json(self, bound):
        assert json.loads(json.dumps(bound.method.spec.to_dict()))["name"] == bound.method.spec.name

    def test_a_model_that_lacks_what_is_needed_is_told_what(self, bound):
        spec = bound.method.spec
        assert spec.needs
        with pytest.raises(ValueError, match=re.escape(f"{spec.name!r} needs ")) as caught:
            bound.method.init({"W": "no numbers"}, KEY)
        assert any(need in str(caught.value) for need in spec.needs)
        assert "got a model of type dict" in str(caught.value)


class TestInit:
    def test_nothing_has_been_learned(self, bound):
        state = bound.method.init(bound.model, KEY)
        assert isinstance(state, TrainState)
        assert (state.step.shape, int(state.step)) == ((), 0)
        assert jnp.issubdtype(state.step.dtype, jnp.integer)
        same(state.model, bound.model)

    def test_the_same_key_gives_the_same_state(self, bound):
        first, again = (bound.method.init(bound.model, KEY) for _ in range(2))
        assert jax.tree.structure(first) == jax.tree.structure(again)
        same(eqx.filter(first, eqx.is_array), eqx.filter(again, eqx.is_array))

    def test_no_leaf_has_a_weak_type(self, bound):
        """Weak types do not survive a checkpoint, so a resumed run would be compiled again."""
        leaves = jax.tree_util.tree_leaves_with_path(bound.method.init(bound.model, KEY))
        assert [path for path, leaf in leaves if eqx.is_array(leaf) and leaf.weak_type] == []


class TestStep:
    def test_it_counts(self, bound):
        assert int(taken(bound)[0].step) == 2

    def test_it_is_pure(self, bound):
        start = bound.method.init(bound.model, KEY)
        kept = jax.tree.map(np.array, eqx.filter(start, eqx.is_array))
        first, again = (step(bound.method, start, bound.batches[0]) for _ in range(2))
        same(eqx.filter(first, eqx.is_array), eqx.filter(again, eqx.is_array))
        same(eqx.filter(start, eqx.is_array), kept)

    def test_its_metrics_are_finite_scalars(self, bound):
        _, metrics = taken(bound)
        assert metrics
        for name, value in metrics.items():
            assert isinstance(name, str)
            assert value.shape == ()
            assert np.isfinite(value)
            assert name not in {"epoch", "seconds", "loss", "accuracy"}, "fit's own columns"

    def test_the_state_keeps_its_structure(self, bound):
        before = bound.method.init(bound.model, KEY)
        after, _ = eqx.filter_eval_shape(bound.method.step, before, bound.batches[0], KEY)
        shapes = [
            jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), eqx.filter(state, is_array))
            for state, is_array in ((before, eqx.is_array), (after, is_shape))
        ]
        assert shapes[0] == shapes[1]

    @pytest.mark.slow
    def test_it_goes_under_vmap(self, bound):
        start = bound.method.init(bound.model, KEY)
        stacked = jax.tree.map(lambda *parts: jnp.stack(parts), *bound.batches)
        take = lambda batch: eqx.filter(bound.method.step(start, batch, KEY), eqx.is_array)  # noqa: E731
        one, two = jax.eval_shape(take, bound.batches[0]), jax.eval_shape(jax.vmap(take), stacked)
        for single, double in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
            assert (double.shape, double.dtype) == ((2, *single.shape), single.dtype)

    def test_other_values_are_not_traced_again(self, bound):
        traces = []

        @eqx.filter_jit
        def counted(method, state, batch, key):
            traces.append(batch)
            return method.step(state, batch, key)

        start, (x, y) = bound.method.init(bound.model, KEY), bound.batches[0]
        counted.lower(bound.method, start, (x, y), KEY)
        assert len(traces) == 1
        doubled = jax.tree.map(
            lambda leaf: leaf * 2 if eqx.is_inexact_array(leaf) else leaf, (bound.method, start)
        )
        counted.lower(*doubled, (-x, y), jax.random.key(1))
        assert len(traces) == 1


def is_shape(leaf):
    return isinstance(leaf, jax.ShapeDtypeStruct)


class TestFinish:
    def test_the_model_keeps_its_structure_and_answers(self, bound):
        model = bound.method.finish(taken(bound)[0])
        assert jax.tree.structure(model) == jax.tree.structure(bound.model)
        outputs = bound.predict(model, bound.batches[0][0], KEY)
        assert np.isfinite(outputs).all()

    def test_something_has_been_learned(self, bound):
        model = bound.method.finish(taken(bound)[0])
        pairs = zip(jax.tree.leaves(model), jax.tree.leaves(bound.model), strict=True)
        assert any(eqx.is_array(b) and not np.array_equal(a, b) for a, b in pairs)

    def test_what_does_not_learn_is_left_alone(self, bound):
        model = bound.method.finish(taken(bound)[0])
        masks = jax.tree.leaves(trained_mask(bound.model))
        pairs = zip(masks, jax.tree.leaves(model), jax.tree.leaves(bound.model), strict=True)
        for mask, after, before in pairs:
            if not eqx.is_array(before):
                continue
            held = ~np.broadcast_to(np.asarray(mask), before.shape)
            assert np.array_equal(np.asarray(after)[held], np.asarray(before)[held])

    def test_it_can_be_asked_at_any_time(self, bound):
        train_state, _ = taken(bound)
        first, again = (bound.method.finish(train_state) for _ in range(2))
        same(first, again)


@pytest.fixture(scope="module")
def problem(bound):
    """Both batches, in their order."""
    x, y = (jnp.concatenate(parts) for parts in zip(*bound.batches, strict=True))
    return Problem(
        model=bound.model,
        predict=bound.predict,
        loss=HINGE,
        metric=accuracy,
        train=ArrayBatches(Examples(x, y), len(x) // 2, shuffle=False),
        validation=Examples(x, y),
    )


@pytest.fixture(scope="module")
def whole(bound, problem):
    """A run of two epochs."""
    return fit(problem, bound.method, epochs=2, key=KEY)


def keys_of_fit(epoch, index):
    """The key of a step as `fit` draws it."""
    _, steps = jax.random.split(jax.random.fold_in(jax.random.fold_in(KEY, 1), epoch))
    return jax.random.fold_in(steps, index)


@pytest.mark.slow
def test_an_epoch_is_the_loop_of_its_steps(bound, whole):
    start = jax.random.fold_in(jax.random.fold_in(KEY, 0), 0)
    train_state = bound.method.init(bound.model, start)
    for epoch in (1, 2):
        for index, batch in enumerate(bound.batches):
            train_state, _ = step(bound.method, train_state, batch, keys_of_fit(epoch, index))
    same(whole.train_state, train_state, atol=1e-6)


@pytest.mark.slow
def test_a_resumed_run_is_the_unbroken_one(bound, problem, whole, tmp_path):
    fit(problem, bound.method, epochs=1, key=KEY, checkpoint=tmp_path)
    resumed = fit(problem, bound.method, epochs=2, key=KEY, checkpoint=tmp_path, resume=True)
    for name in ("train_state", "model"):
        found, expected = (eqx.filter(getattr(run, name), eqx.is_array) for run in (resumed, whole))
        same(found, expected)
    for left, right in zip(resumed.history, whole.history, strict=True):
        assert {**left, "seconds": 0} == {**right, "seconds": 0}
