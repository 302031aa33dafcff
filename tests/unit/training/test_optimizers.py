"""Optimisers that ask for more than a gradient: who gives it, and who refuses them by name."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bionet.experimental.hybrid import (
    LocalES,
    SelfGuidedES,
    SurrogateES,
    make_hybrid_train_step,
    surrogate_direction,
)
from bionet.modules.recurrent import RecurrentDiscrete
from bionet.training import (
    Contrastive,
    DirectFeedbackAlignment,
    ErrorPhase,
    Evolution,
    FeedbackAlignment,
    FreeReadout,
    Gradient,
    LowRankES,
    Objective,
    ReadoutHinge,
    Storage,
    SurrogateGradient,
    TwoPhase,
)
from bionet.training.first_order.optimizers import list_needs

KEY = jax.random.key(0)
MLP = eqx.nn.MLP(5, 3, width_size=4, depth=1, activation=jnp.tanh, key=KEY)
OBJECTIVE = Objective(lambda model, x, key: jax.vmap(model)(x), ReadoutHinge(1.0))
WITH_A_LOSS = {
    "Gradient": lambda o: Gradient(OBJECTIVE, o),
    "SurrogateGradient": lambda o: SurrogateGradient(OBJECTIVE, o),
    "FeedbackAlignment": lambda o: FeedbackAlignment(OBJECTIVE, o),
    "DirectFeedbackAlignment": lambda o: DirectFeedbackAlignment(OBJECTIVE, o),
    "LowRankES": lambda o: LowRankES(OBJECTIVE, population=4, optimizer=o),
    "Evolution": lambda o: Evolution(OBJECTIVE, population=4, optimizer=o),
    "SurrogateES": lambda o: SurrogateES(OBJECTIVE, o, num_samples=2),
    "SelfGuidedES": lambda o: SelfGuidedES(OBJECTIVE, o, num_samples=2),
}
LOCAL = {
    "TwoPhase": lambda net, o: TwoPhase(net.state, optimizer=o),
    "Contrastive": lambda net, o: Contrastive(net.state, optimizer=o),
    "ErrorPhase": lambda net, o: ErrorPhase(net.state, optimizer=o),
}


def seen():
    """An optimiser that keeps the loss that it is given, and otherwise is plain descent."""

    def update(gradient, memory, learning=None, *, value, **_):
        return jax.tree.map(jnp.negative, gradient), jnp.asarray(value, jnp.float32)

    return optax.GradientTransformationExtraArgs(lambda learning: jnp.zeros(()), update)


@eqx.filter_jit
def step(method, train_state, batch):
    return method.step(train_state, batch, KEY)


def values(memory):
    """All numbers of a memory."""
    return [float(leaf) for leaf in jax.tree.leaves(memory) if jnp.ndim(leaf) == 0]


@pytest.mark.parametrize(
    ("optimizer", "names"),
    [
        (optax.adam(1e-3), ()),
        (optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1e-3)), ()),
        (optax.lbfgs(linesearch=None), ()),
        (optax.polyak_sgd(), ("value",)),
        (optax.chain(optax.adam(1e-3), optax.contrib.reduce_on_plateau()), ("value",)),
    ],
)
def test_what_an_update_asks_for(optimizer, names):
    assert list_needs("here", optimizer, {"w": jnp.ones(3), "held": None}) == names


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_A_LOSS)
def test_the_optimiser_sees_the_loss_of_the_step(name, one_hidden):
    method = WITH_A_LOSS[name](seen())
    after, told = step(method, method.init(MLP, KEY), (one_hidden.x, one_hidden.y))
    assert float(told["training_loss"]) > 0
    wanted = float(told["training_loss"])
    assert any(v == pytest.approx(wanted, rel=1e-5) for v in values(after.memory))


@pytest.mark.slow
def test_a_local_rule_that_is_corrected_has_a_loss(one_hidden):
    objective = Objective(FreeReadout(one_hidden.state, 2), ReadoutHinge(1.0))
    local = TwoPhase(one_hidden.state, optimizer=seen(), clamped=2, free=2)
    method = LocalES(objective, local, num_samples=2, sigma=0.5)
    after, told = step(
        method, method.init(one_hidden.orchestrator, KEY), (one_hidden.x, one_hidden.y)
    )
    assert float(told["training_loss"]) in values(after.memory)


def test_the_step_of_polyak_is_the_one_by_hand(one_hidden):
    """The rate is the loss over the squared norm of the gradient."""
    x, y = one_hidden.x, one_hidden.y
    method = Gradient(OBJECTIVE, optax.polyak_sgd(max_learning_rate=1e3))
    after, told = step(method, method.init(MLP, KEY), (x, y))
    loss, gradient = jax.value_and_grad(
        lambda weight: OBJECTIVE(
            eqx.tree_at(lambda m: m.layers[1].weight, MLP, weight), (x, y), KEY
        )
    )(MLP.layers[1].weight)
    rate = float(loss) / float(told["gradient_norm"]) ** 2
    expected = np.asarray(MLP.layers[1].weight) - rate * np.asarray(gradient)
    np.testing.assert_allclose(after.model.layers[1].weight, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_a_hybrid_step_takes_one():
    loss = lambda model, x, y: ((jax.vmap(model)(x) - y) ** 2).mean()  # noqa: E731
    take = make_hybrid_train_step(surrogate_direction(loss), loss, seen(), num_samples=2)
    _, memory, told = take(MLP, take.init(MLP), KEY, jnp.ones((2, 5)), jnp.zeros((2, 3)))
    assert float(memory) == pytest.approx(float(told["training_loss"]), rel=1e-6)


class TestRefusals:
    @pytest.mark.slow
    @pytest.mark.parametrize("name", WITH_A_LOSS)
    def test_a_line_search(self, name, says):
        with says(ValueError, f"`{name}`: its optimiser needs `value_fn` beside the gradient, as"):
            WITH_A_LOSS[name](optax.lbfgs()).init(MLP, KEY)

    @pytest.mark.parametrize("name", LOCAL)
    def test_the_loss_where_there_is_none(self, name, one_hidden, says):
        method = LOCAL[name](one_hidden, optax.contrib.reduce_on_plateau())
        with says(ValueError, f"`{name}`: its optimiser needs `value`, the loss of each step, but"):
            method.init(one_hidden.orchestrator, KEY)

    def test_the_loss_where_patterns_are_stored(self, says):
        with says(ValueError, "`Storage`: its optimiser needs `value`"):
            Storage(optimizer=optax.polyak_sgd()).init(RecurrentDiscrete(3, 0.0, 1.0, KEY), KEY)
