"""The frozen control: hidden weights that never move, and the exact ridge readout on top."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.layer_maps.sparse import LayerMap
from bionet.modules.feedback import LearnedFeedback
from bionet.modules.fully_connected import FullyConnected
from bionet.modules.input_output import OutputLayer
from bionet.modules.port import Port
from bionet.modules.softmax import SoftmaxReadout
from bionet.orchestrators.nested import NestedNetwork
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.training.batches import ArrayBatches, Examples, StackedBatches
from bionet.training.control.frozen import FrozenHidden, frozen_control, without_recurrence
from bionet.training.evaluate import evaluate
from bionet.training.fit import fit
from bionet.training.local.readout import FreeReadout
from bionet.training.method import TrainState

KEY = jax.random.key(0)
STEPS = 3


def sign(field):
    return np.where(field >= 0, 1.0, -1.0)


def features(network, x, recurrent=True, steps=STEPS):
    """What the output row of a network with one hidden layer listens to, by numpy."""
    lmap = network.lmap
    W, J = np.asarray(lmap[1, 0].W, float), np.asarray(lmap[1, 1].J, float)
    h = np.zeros((len(x), len(J)))
    for _ in range(steps):
        h = sign(np.asarray(x) @ W + recurrent * h @ J)
    return h


def ridge_by_hand(F, y, ridge):
    """The closed form in double precision."""
    F, y = np.asarray(F, float), np.asarray(y, float)
    return np.linalg.inv(F.T @ F + ridge * np.eye(F.shape[1])) @ F.T @ y


def gathered(problem, method, key=KEY):
    """The state after one pass over the training data."""
    without = replace(problem, validation=None, test=None)
    return fit(without, method, epochs=1, key=key)


def readout(model):
    return model.lmap[model.lmap.last, model.lmap.last - 1].W


def hidden_weights(model):
    """All leaves of the network but the readout's weights."""
    last = model.lmap.last
    bare = eqx.tree_at(readout, model, jnp.zeros(()))
    assert (last, last - 1) in model.lmap
    return jax.tree.leaves(bare)


class TestReadout:
    @pytest.mark.slow
    @pytest.mark.parametrize("ridge", [0.5, 100.0])
    @pytest.mark.parametrize("hidden", ["dynamics", "feed-forward"])
    def test_it_is_the_ridge_regression_in_closed_form(self, task, one_hidden, hidden, ridge):
        problem = task()
        method = FrozenHidden(one_hidden.state, steps=STEPS, ridge=ridge, hidden=hidden)
        model = gathered(problem, method).model
        x, y = problem.train.examples.x, problem.train.examples.y
        F = features(one_hidden.orchestrator, x, recurrent=hidden == "dynamics")
        assert len(np.unique(F, axis=0)) > 5
        found = np.asarray(readout(model), float)
        np.testing.assert_allclose(found, ridge_by_hand(F, y, ridge), rtol=1e-5, atol=1e-7)

    def test_it_answers_with_what_it_was_fitted_to(self, task, one_hidden):
        problem = task()
        method = FrozenHidden(one_hidden.state, steps=STEPS, ridge=1.0)
        model = gathered(problem, method).model
        x, y = problem.train.examples.x, problem.train.examples.y
        F = features(one_hidden.orchestrator, x)
        np.testing.assert_allclose(
            problem.predict(model, x, KEY), F @ ridge_by_hand(F, y, 1.0), atol=1e-5
        )

    @pytest.mark.slow
    def test_an_output_that_listens_to_two_hidden_rows(self, two_hidden, dense, labelled):
        rows = two_hidden.orchestrator.lmap.to_dict()
        W = np.random.default_rng(0).normal(size=(7, 3))
        rows[3] = {1: dense(W), 2: rows[3][2], 3: OutputLayer()}
        network = SequentialOrchestrator(layers=LayerMap.from_dict(rows))
        x, y = labelled(24)
        method = FrozenHidden(two_hidden.state, steps=STEPS, ridge=2.0)
        train_state, _ = method.step(method.init(network, KEY), (x, y), KEY)
        model = method.finish(train_state)

        edges = [(1, 0), (2, 1)]
        weights = {edge: np.asarray(network.lmap[edge].W, float) for edge in edges}
        J = [np.asarray(network.lmap[i, i].J, float) for i in (1, 2)]
        h1, h2 = np.zeros((24, 7)), np.zeros((24, 6))
        for _ in range(STEPS):
            h1 = sign(np.asarray(x) @ weights[1, 0] + h1 @ J[0])
            h2 = sign(h1 @ weights[2, 1] + h2 @ J[1])
        expected = ridge_by_hand(np.hstack([h1, h2]), y, 2.0)
        np.testing.assert_allclose(model.lmap[3, 1].W, expected[:7], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(model.lmap[3, 2].W, expected[7:], rtol=1e-5, atol=1e-6)

    @pytest.mark.slow
    def test_another_dense_readout_gets_the_same_weights(self, task, one_hidden):
        problem = task()
        rows = problem.model.lmap.to_dict()
        rows[2][1] = SoftmaxReadout(7, 3, 1.0, KEY)
        other = SequentialOrchestrator(layers=LayerMap.from_dict(rows))
        method = FrozenHidden(one_hidden.state, steps=STEPS, ridge=1.0)
        found, expected = (
            gathered(replace(problem, model=model), method).model
            for model in (other, problem.model)
        )
        assert np.array_equal(readout(found), readout(expected))
        assert isinstance(found.lmap[2, 1], SoftmaxReadout)

    def test_the_order_of_the_batches_does_not_matter(self, task, one_hidden, same_bits):
        problem, method = task(), FrozenHidden(one_hidden.state, steps=STEPS)
        runs = [gathered(problem, method, jax.random.key(seed)).train_state for seed in (0, 1)]
        same_bits(runs[0].memory, runs[1].memory)

    def test_the_size_of_the_batches_does_not_matter(self, labelled, one_hidden, same_bits):
        x, y = labelled(12)
        method = FrozenHidden(one_hidden.state, steps=STEPS)
        step = eqx.filter_jit(method.step)
        start = method.init(one_hidden.orchestrator, KEY)
        whole, _ = step(start, (x, y), KEY)
        halves = start
        for part in (slice(6, 12), slice(0, 6)):
            halves, _ = step(halves, (x[part], y[part]), KEY)
        same_bits(halves.memory, whole.memory)
        assert int(halves.step) == 2 == int(whole.step) + 1

    def test_the_ridge_is_a_value(self, task, one_hidden):
        method = FrozenHidden(one_hidden.state, steps=STEPS, ridge=1.0)
        state = gathered(task(), method).train_state
        stiff = eqx.tree_at(lambda m: m.ridge, method, jnp.asarray(1e6))
        assert np.abs(readout(stiff.finish(state))).max() < 1e-3
        assert np.abs(readout(method.finish(state))).max() > 0.1


class TestHiddenLayers:
    def test_no_weight_but_the_readouts_moves(self, task, one_hidden):
        problem, method = task(), FrozenHidden(one_hidden.state, steps=STEPS)
        result = gathered(problem, method)
        before = hidden_weights(problem.model)
        assert len(before) == 11
        for model in (result.model, result.train_state.model):
            for found, expected in zip(hidden_weights(model), before, strict=True):
                assert np.array_equal(found, expected)
        assert not np.array_equal(readout(result.model), readout(problem.model))

    def test_feed_forward_cuts_all_that_is_not_forward(self, two_hidden):
        before = two_hidden.orchestrator.lmap
        after = without_recurrence(two_hidden.orchestrator).lmap
        assert jax.tree.structure(after) == jax.tree.structure(before)
        for edge, module in before.edge_items():
            i, j = edge
            for left, right in zip(
                jax.tree.leaves(after[edge]), jax.tree.leaves(module), strict=True
            ):
                assert np.array_equal(left, right if j < i or i == 3 else np.zeros_like(right))
        assert np.abs(before[1, 1].J).max() > 0
        assert np.abs(before[1, 2].W).max() > 0

    def test_feed_forward_settles_after_one_step(self, two_hidden, labelled):
        network = without_recurrence(two_hidden.orchestrator)
        x, _ = labelled(20)
        once, often, dynamics = (
            FreeReadout(two_hidden.state, steps)(model, x, KEY)
            for steps, model in ((1, network), (9, network), (9, two_hidden.orchestrator))
        )
        assert np.array_equal(once, often)
        assert not np.array_equal(once, dynamics)

    def test_feed_forward_does_not_feel_the_recurrence(self, task, one_hidden, same_bits):
        problem = task()
        shifted = eqx.tree_at(
            lambda o: (o.lmap[1, 1].J, o.lmap[1, 2].W),
            problem.model,
            replace_fn=lambda leaf: 3.0 - leaf,
        )
        found = {}
        for hidden in ("feed-forward", "dynamics"):
            method = FrozenHidden(one_hidden.state, steps=STEPS, hidden=hidden)
            found[hidden] = [
                gathered(replace(problem, model=model), method).model
                for model in (problem.model, shifted)
            ]
        same_bits(*found["feed-forward"])
        assert not np.array_equal(*map(readout, found["dynamics"]))


class TestRefusals:
    NEED = "an orchestrator whose output row listens through dense adapters that learn"

    def told(self, kind):
        return f"The method 'frozen' needs {self.NEED}, got a model of type {kind}. Take a"

    def test_a_model_that_is_no_orchestrator(self, one_hidden, says):
        with says(ValueError, self.told("Identity")):
            FrozenHidden(one_hidden.state).init(eqx.nn.Identity(), KEY)

    def test_a_readout_that_can_not_be_solved(self, one_hidden, dense, says):
        rows = one_hidden.orchestrator.lmap.to_dict()
        rows[2][1] = dense(np.ones((7, 3)), threshold=None)
        network = SequentialOrchestrator(layers=LayerMap.from_dict(rows))
        with says(ValueError, self.told("SequentialOrchestrator")):
            FrozenHidden(one_hidden.state).init(network, KEY)

    def test_a_readout_whose_message_is_not_linear_in_its_weights(self, one_hidden, says):
        rows = one_hidden.orchestrator.lmap.to_dict()
        rows[2][1] = LearnedFeedback(7, 3, 1.0, KEY)
        network = SequentialOrchestrator(layers=LayerMap.from_dict(rows))
        with says(ValueError, self.told("SequentialOrchestrator")):
            FrozenHidden(one_hidden.state).init(network, KEY)

    def test_an_output_that_listens_to_nobody(self, one_hidden, says):
        rows = one_hidden.orchestrator.lmap.to_dict()
        del rows[2][1]
        network = SequentialOrchestrator(layers=LayerMap.from_dict(rows))
        with says(ValueError, self.told("SequentialOrchestrator")):
            FrozenHidden(one_hidden.state).init(network, KEY)

    def test_an_unknown_kind_of_hidden_layer(self, one_hidden, says):
        sentence = "FrozenHidden: No hidden is named 'feedforward'. Did you mean 'feed-forward'?"
        with says(ValueError, sentence):
            FrozenHidden(one_hidden.state, hidden="feedforward")  # type: ignore[arg-type]

    def test_a_negative_number_of_steps(self, one_hidden, says):
        with says(ValueError, "FrozenHidden: steps needs 0 or more, got -2."):
            FrozenHidden(one_hidden.state, steps=-2)

    @pytest.mark.parametrize(
        ("ridge", "told"),
        [
            (-1.0, "ridge needs 0 or more, got -1.0."),
            (float("nan"), "ridge needs 0 or more, got nan."),
            (0.0, "with ridge=0.0 the readout has no single solution; take a larger one."),
        ],
    )
    def test_a_penalty_that_leaves_no_solution(self, one_hidden, labelled, says, ridge, told):
        # Twin units make the sums singular, so that without a penalty there is no one solution.
        W = one_hidden.orchestrator.lmap[1, 0].W
        network = without_recurrence(one_hidden.orchestrator)
        network = eqx.tree_at(lambda o: o.lmap[1, 0].W, network, W.at[:, 1].set(W[:, 0]))
        method = FrozenHidden(one_hidden.state, ridge=ridge)
        state, _ = method.step(method.init(network, KEY), labelled(24), KEY)
        with says(ValueError, f"FrozenHidden: {told}"):
            method.finish(state)


@pytest.fixture
def logic(task, one_hidden):
    """A function of two bits, for hidden units a, b, one that only J can drive, and constants."""

    def make(J, truth):
        problem, W, wired = task(), np.zeros((5, 7)), np.zeros((7, 7))
        W[0, 0] = W[1, 1] = W[2, 3] = 1.0
        for (sender, receiver), weight in J.items():
            wired[sender, receiver] = weight
        weights = [jnp.asarray(leaf, jnp.float32) for leaf in (W, wired)]
        model = eqx.tree_at(lambda o: [o.lmap[1, 0].W, o.lmap[1, 1].J], problem.model, weights)

        def split(n):
            bits = np.resize([[-1, -1], [-1, 1], [1, -1], [1, 1]], (n, 2))
            answer = truth(*bits.T)
            x = np.column_stack([bits, np.ones(n), np.zeros((n, 2))])
            return Examples(
                jnp.asarray(x, jnp.float32),
                jnp.asarray(np.column_stack([answer, -answer, -np.ones(n)]), jnp.float32),
            )

        return replace(
            problem,
            model=model,
            train=ArrayBatches(split(40), 8),
            validation=split(13),
            test=split(11),
        )

    return make


class TestTheBetterOfTwo:
    def control(self, problem, one_hidden):
        return frozen_control(problem, one_hidden.state, steps=STEPS, key=KEY, ridges=(1e-3, 0.1))

    def test_dynamics_where_they_are_needed(self, logic, one_hidden):
        # The third unit is "a and b", which makes a parity linear.
        problem = logic({(0, 2): 1.0, (1, 2): 1.0, (3, 2): -1.0}, lambda a, b: a * b)
        found = self.control(problem, one_hidden)
        assert found.hidden == "dynamics"
        assert found.validation["accuracy"] == found.test["accuracy"] == 1.0

    def test_no_recurrence_where_it_harms(self, logic, one_hidden):
        # The constant unit shouts everybody down.
        problem = logic({(3, unit): 9.0 for unit in range(7)}, lambda a, b: a)
        found = self.control(problem, one_hidden)
        assert found.hidden == "feed-forward"
        assert found.validation["accuracy"] == found.test["accuracy"] == 1.0
        assert not found.model.lmap[1, 1].J.any()

    @pytest.fixture
    def by_hand(self, task, one_hidden):
        """Validation metric, variant and ridge of every candidate, best first."""
        problem, found = task(), []
        for hidden in ("dynamics", "feed-forward"):
            for ridge in (0.1, 10.0, 1e3):
                method = FrozenHidden(one_hidden.state, steps=STEPS, hidden=hidden, ridge=ridge)
                model = gathered(problem, method).model
                metric = evaluate(problem, model, problem.validation, KEY)["accuracy"]
                found.append((metric, hidden, ridge))
        return sorted(found, key=lambda one: -one[0])  # stable: the first of equals stays first

    def test_it_is_the_best_on_validation_data(self, task, one_hidden, by_hand):
        found = frozen_control(
            task(), one_hidden.state, steps=STEPS, key=KEY, ridges=(0.1, 10.0, 1e3)
        )
        assert by_hand[0][0] > by_hand[-1][0]
        assert (found.validation["accuracy"], found.hidden, found.ridge) == by_hand[0]

    def test_the_test_labels_have_no_say(self, task, one_hidden, same_bits):
        problem = task()
        poisoned = replace(problem, test=Examples(problem.test.x, -problem.test.y))
        honest, fooled = (
            frozen_control(each, one_hidden.state, steps=STEPS, key=KEY)
            for each in (problem, poisoned)
        )
        assert (honest.hidden, honest.ridge) == (fooled.hidden, fooled.ridge)
        assert honest.validation == fooled.validation
        same_bits(honest.model, fooled.model)
        assert honest.test != fooled.test
        assert honest.test == evaluate(problem, honest.model, problem.test, KEY)

    def test_the_validation_labels_have_one(self, task, one_hidden):
        problem = task()
        turned = replace(problem, validation=Examples(problem.validation.x, -problem.validation.y))
        found = [
            frozen_control(each, one_hidden.state, steps=STEPS, key=KEY)
            for each in (problem, turned)
        ]
        assert (found[0].hidden, found[0].ridge) != (found[1].hidden, found[1].ridge)

    def test_the_untrained_model_is_left_as_it_was(self, task, one_hidden, same_bits):
        problem = task()
        frozen_control(problem, one_hidden.state, steps=STEPS, key=KEY)
        same_bits(problem.model, task().model)

    def test_without_a_test_split_there_is_no_test_score(self, task, one_hidden):
        found = frozen_control(
            replace(task(), test=None), one_hidden.state, steps=STEPS, key=KEY, ridges=(1.0,)
        )
        assert found.test == {}

    @pytest.mark.slow
    def test_the_last_readout_may_learn_from_the_validation_split_too(self, task, one_hidden):
        problem = task()
        x, y = (
            np.concatenate([getattr(s, name) for s in (problem.train.examples, problem.validation)])
            for name in ("x", "y")
        )
        both = StackedBatches.from_iterable([(x, y)])
        plain, refitted = (
            frozen_control(problem, one_hidden.state, steps=STEPS, key=KEY, refit=refit)
            for refit in (None, both)
        )
        assert (plain.hidden, plain.ridge) == (refitted.hidden, refitted.ridge)
        assert plain.validation == refitted.validation  # chosen before it was seen
        F = features(one_hidden.orchestrator, x, recurrent=plain.hidden == "dynamics")
        expected = ridge_by_hand(F, y, plain.ridge)
        np.testing.assert_allclose(readout(refitted.model), expected, rtol=1e-4, atol=1e-6)
        assert not np.array_equal(readout(plain.model), readout(refitted.model))

    def test_it_needs_a_validation_split(self, task, one_hidden, says):
        sentence = "frozen_control: needs a validation split to choose the ridge on."
        with says(ValueError, sentence):
            frozen_control(replace(task(), validation=None), one_hidden.state, steps=1, key=KEY)

    @pytest.mark.parametrize("ridges", [(), [], np.array([])])
    def test_it_needs_a_penalty_to_choose_from(self, task, one_hidden, says, ridges):
        sentence = "frozen_control: ridges needs one penalty at least to choose from."
        with says(ValueError, sentence):
            frozen_control(task(), one_hidden.state, steps=STEPS, key=KEY, ridges=ridges)

    def test_the_penalties_may_come_from_numpy(self, task, one_hidden):
        ridges = np.logspace(-1, 3, 3)
        found = frozen_control(task(), one_hidden.state, steps=STEPS, key=KEY, ridges=ridges)
        assert found.ridge in ridges


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_the_state_keeps_its_types_so_that_a_scan_carries_it(make_network, dtype):
    with jax.enable_x64(dtype == "float64"):
        network = make_network(1, dtype=dtype)
        method = FrozenHidden(network.state, steps=STEPS)
        before = method.init(network.orchestrator, KEY)
        after, _ = eqx.filter_eval_shape(method.step, before, (network.x, network.y), KEY)
    assert isinstance(after, TrainState)
    for left, right in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True):
        assert (left.shape, left.dtype) == (right.shape, right.dtype)


def test_a_nested_network_is_cut_inside(one_hidden):
    node = NestedNetwork(one_hidden.orchestrator, sizes=(5, 7, 3), steps=2)
    readout = FullyConnected(node.width, 3, 1.0, 0.5, KEY)
    rows = {1: {0: Port(drives=node.span(0)), 1: node}, 2: {1: readout, 2: OutputLayer()}}
    outer = SequentialOrchestrator(layers=LayerMap.from_dict(rows))
    found, inside = without_recurrence(outer).lmap[1, 1].inner.lmap, one_hidden.orchestrator.lmap
    assert not found[1, 1].J.any()
    assert not found[1, 2].W.any()
    assert np.array_equal(found[1, 0].W, inside[1, 0].W)
    assert np.array_equal(found[2, 1].W, inside[2, 1].W)
