"""Pairs that can't learn, or learn another function, are refused on the first batch, by `fit`."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bionet import zoo
from bionet.experimental.hybrid import LocalES, SelfGuidedES, SurrogateES
from bionet.modules.recurrent import RecurrentDiscrete
from bionet.states.sequential import SequentialState
from bionet.training import (
    ArrayBatches,
    DirectFeedbackAlignment,
    Evolution,
    Examples,
    FeedbackAlignment,
    FreeReadout,
    Gradient,
    LowRankES,
    Objective,
    Problem,
    RandomSearch,
    ReadoutHinge,
    Recall,
    Storage,
    SurrogateGradient,
    TwoPhase,
    accuracy,
    fit,
    readout_cross_entropy,
)
from bionet.training.first_order.twin import smooth_twin, unroll

KEY = jax.random.key(0)
MLP = eqx.nn.MLP(5, 3, width_size=4, depth=1, activation=jnp.tanh, key=KEY)
RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.normal(size=(6, 5)), jnp.float32)
Y = jnp.asarray(RNG.integers(0, 3, 6))
FEEDBACK = (FeedbackAlignment, DirectFeedbackAlignment)
DESCENT = {
    "backprop": Gradient,
    "surrogate": SurrogateGradient,
    "feedback-alignment": FeedbackAlignment,
    "dfa": DirectFeedbackAlignment,
    "surrogate-es": lambda objective: SurrogateES(objective, num_samples=2),
    "self-guided-es": lambda objective: SelfGuidedES(objective, num_samples=2),
}
COMPARING = {
    "es": lambda objective: Evolution(objective, population=4),
    "lowrank-es": lambda objective: LowRankES(objective, population=4),
    "random-search": lambda objective: RandomSearch(objective, population=4),
}


def plain(model, x, key):
    return jax.vmap(model)(x)


def count(outputs, y):
    """How many are wrong: steps, and no slope between them."""
    return jnp.mean(outputs.argmax(-1) != y)


def started(make, predict=plain, loss=readout_cross_entropy, model=MLP, x=X, y=Y):
    """`fit` with no epoch to train in: its guards need none beyond the first batch."""
    batches = ArrayBatches(Examples(x, y), len(x), shuffle=False)
    problem = Problem(model, predict, loss, accuracy, batches)
    return fit(problem, make(Objective(predict, loss)), epochs=1, key=KEY, progress=False)


@pytest.mark.parametrize("kind", FEEDBACK, ids=lambda kind: kind.__name__)
class TestFeedback:
    @pytest.mark.slow
    def test_the_loss_is_that_of_the_predictor(self, kind):
        row = started(kind).history[0]
        assert row["training_loss"] == pytest.approx(
            float(readout_cross_entropy(plain(MLP, X, KEY), Y)), rel=1e-5
        )

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "predict",
        [
            lambda model, x, key: jax.vmap(model)(10 * x),
            lambda model, x, key: jax.vmap(model)(x) * (1 + 1e-4),
            lambda model, x, key: jax.vmap(model)(x) + jax.random.normal(key, (6, 3)),
        ],
        ids=["ten times the inputs", "a little more", "noise"],
    )
    def test_a_predictor_of_another_function(self, kind, predict, says):
        differ = np.abs(predict(MLP, X, KEY) - plain(MLP, X, KEY)).max()
        assert differ > 0
        with says(ValueError, f"The method {kind.spec.name!r} computes the outputs by itself, and"):
            started(kind, predict)

    def test_the_largest_difference_is_told(self, kind, says):
        with says(ValueError, "they differ by up to 2, where the largest is"):
            started(kind, lambda model, x, key: jax.vmap(model)(x) + 2.0)

    def test_a_predictor_that_reshapes(self, kind, says):
        images = X[:, None]
        with says(ValueError, "and cannot do so on inputs of shape (6, 1, 5)"):
            started(kind, lambda model, x, key: jax.vmap(model)(x.reshape(6, 5)), x=images)


class TestSlope:
    @pytest.mark.parametrize("name", DESCENT)
    def test_a_count_has_none(self, name, says):
        with says(ValueError, f"The method {name!r} needs a loss with a slope"):
            started(DESCENT[name], loss=count)

    def test_one_of_stored_patterns(self, says):
        with says(ValueError, "The method 'backprop' needs a loss with a slope"):
            zoo.get("memory-hebbian").with_method("backprop")

    def test_a_slope_in_one_place_is_enough(self):
        """It is zero at random outputs, and not at those of the model, which are 40 and more."""
        model = eqx.tree_at(lambda m: m.layers[1].bias, MLP, jnp.full(3, 50.0))
        far = lambda outputs, y: jnp.maximum(outputs - 40.0, 0.0).mean()  # noqa: E731
        assert started(Gradient, loss=far, model=model).history[0]["gradient_norm"] > 0

    def test_methods_that_compare_losses_take_a_count(self):
        started(COMPARING["random-search"], loss=count)

    def test_outputs_without_a_derivative(self, says):
        with says(ValueError, "The method 'backprop' needs outputs with a derivative, but the"):
            started(
                Gradient,
                lambda model, x, key: jax.vmap(model)(x).argmax(-1),
                lambda outputs, y: jnp.mean(outputs != y),
            )


class TestDependence:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        "predict",
        [
            lambda model, x, key: jnp.sign(jax.vmap(model)(x)),
            lambda model, x, key: jax.lax.stop_gradient(jax.vmap(model)(x)),
            lambda model, x, key: x[:, :3],
        ],
        ids=["signs", "stopped", "without weights"],
    )
    @pytest.mark.parametrize("name", ["backprop", "surrogate", "surrogate-es"])
    def test_a_loss_that_has_no_derivative_by_any_weight(self, name, predict, says):
        kind = "has no derivative by|depends on no"
        with pytest.raises(ValueError, match=f"cannot train this model: the loss ({kind})"):
            started(DESCENT[name], predict)

    @pytest.mark.parametrize("name", COMPARING)
    def test_a_loss_that_depends_on_no_weight(self, name, says):
        for predict, loss in (
            (lambda model, x, key: x[:, :3], readout_cross_entropy),
            (plain, lambda outputs, y: jnp.asarray(2.5)),
        ):
            with says(ValueError, f"The method {name!r} cannot train this model: the loss depends"):
                started(COMPARING[name], predict, loss)

    def test_a_loss_that_is_linear_in_the_weights_has_a_constant_derivative(self):
        row = started(
            lambda objective: Gradient(objective, optax.sgd(0.0)),
            lambda model, x, key: model[None] * jnp.ones((6, 3)),
            lambda outputs, y: outputs.sum(),
            model=jnp.ones(3),
        ).history[0]
        assert row["gradient_norm"] == pytest.approx(6 * np.sqrt(3))


class TestLocal:
    def fitted(self, network, predict, make=None):
        local = TwoPhase(network.state, clamped=2, free=2)
        batches = ArrayBatches(Examples(network.x, network.y), len(network.x))
        loss = ReadoutHinge(1.0)
        problem = Problem(network.orchestrator, predict, loss, accuracy, batches)
        method = local if make is None else make(Objective(predict, loss), local)
        return fit(problem, method, epochs=1, key=KEY, progress=False)

    @pytest.mark.slow
    def test_a_predictor_of_one_s_own_that_settles_on_the_input(self, one_hidden):
        free = FreeReadout(one_hidden.state, 40)
        self.fitted(one_hidden, lambda model, x, key: jax.nn.softmax(2 * free(model, x, key)))

    @pytest.mark.parametrize("hybrid", [False, True])
    def test_a_predictor_that_changes_the_input(self, one_hidden, says, hybrid):
        free = FreeReadout(one_hidden.state, 40)
        make = (
            (lambda objective, local: LocalES(objective, local, num_samples=2)) if hybrid else None
        )
        sentence = "The method 'two-phase' lets the network settle on the inputs as they are, but"
        with says(ValueError, sentence):
            self.fitted(one_hidden, lambda model, x, key: free(model, -x, key), make)

    def test_other_buffers(self, one_hidden, says):
        free = FreeReadout(SequentialState((5, 8, 3)), 4)
        with says(
            ValueError, "The method 'two-phase' has buffers of sizes ((5,), (7,), (3,)), but"
        ):
            self.fitted(one_hidden, free)

    def test_labels_in_zero_and_one(self, one_hidden, says):
        method, batch = TwoPhase(one_hidden.state), (one_hidden.x, (one_hidden.y + 1) / 2)
        train_state = method.init(one_hidden.orchestrator, KEY)
        with says(ValueError, "FullyConnected: labels need to be -1 or +1, got others; turn"):
            method.guard(train_state, batch, KEY, FreeReadout(one_hidden.state, 4))

    @pytest.mark.parametrize(
        ("y", "sentence"),
        [
            (jnp.eye(3), "Storage: patterns need to be -1 or +1, got others."),
            (
                jnp.ones((3, 4)),
                "Storage: patterns need a number for each unit of the layer, which has shape (3,)",
            ),
        ],
    )
    def test_patterns(self, y, sentence, says):
        layer = RecurrentDiscrete(3, 0.0, 1.0, KEY)
        method = Storage()
        with says(ValueError, sentence):
            method.guard(method.init(layer, KEY), (y, y), KEY, Recall(2))


def test_what_gradients_train_answers_as_what_is_evaluated(one_hidden):
    """All steps of the twin, in place of those until nothing changes; and surrogates forward."""
    free = FreeReadout(one_hidden.state, 7)
    twin = smooth_twin(one_hidden.orchestrator)
    found, wanted = (eqx.filter_jit(p)(twin, one_hidden.x, KEY) for p in (unroll(free), free))
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    method = SurrogateGradient(Objective(free, ReadoutHinge(1.0)))
    model = method.init(one_hidden.orchestrator, KEY).model
    found = eqx.filter_jit(unroll(free))(model, one_hidden.x, KEY)
    assert np.array_equal(found, eqx.filter_jit(free)(one_hidden.orchestrator, one_hidden.x, KEY))
