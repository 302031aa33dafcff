"""Feedback alignment and direct feedback alignment for feed-forward networks.

The network is an `eqx.nn.MLP`. Its forward pass and its readout are those of backprop; what
differs is how hidden layers hear of the error: through fixed random matrices, layer by layer
(feedback alignment) or each straight from the output (direct). Feedback weights are drawn once,
at `init`, and live in the memory of the training state, where no optimiser reaches them.

`alignment` says how well it works: the angle between what is descended and the gradient, and
between the feedback and the forward weights, layer by layer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, final

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray, PyTree

from bionet.modules.trained import apply_trained, partition_trained
from bionet.rules.feedback_alignment import error_increment, sent_back
from bionet.training.checks.guards import check_forward, check_slope
from bionet.training.first_order.gradient import loss_and_gradient
from bionet.training.first_order.optimizers import start_optimizer, update_with_loss
from bionet.training.method import AbstractMethod, MethodSpec, TrainState, unmet
from bionet.training.objective import Objective
from bionet.training.options import Descent
from bionet.training.problem import Predict
from bionet.training.workload import WorkloadLike

Matrices = tuple[Float[Array, "k d"], ...]
SendBack = Callable[[Array, list[Array], Matrices], list[Array]]
NEED = "an eqx.nn.MLP with a hidden layer, no scan, and an activation that does not learn"


class Memory(NamedTuple):
    """The memory of both methods.

    Attributes:
        optimizer: the optimiser's own memory.
        feedback: a fixed matrix per hidden layer, the lowest first, each of shape (error that
            is sent, units that receive it).
    """

    optimizer: PyTree
    feedback: Matrices


@dataclass(frozen=True)
class FeedbackOptions(Descent):
    """Options of feedback alignment, direct or not."""

    strength: float = 1.0  # scale of the fixed feedback weights


@final
class FeedbackAlignment(AbstractMethod):
    """Errors go back layer by layer, through fixed random matrices.

    Args:
        objective: its `loss` is what the output error is the derivative of.
        optimizer: any Optax transformation without a line search; it sees the loss if it asks
            for it.
        strength: of the feedback weights, `B ~ strength * N(0, 1) / sqrt(units that send)`.

    Raises:
        ValueError: at `init`, a model that is no `eqx.nn.MLP` with a hidden layer.

    Example:
        ```python
        import equinox as eqx
        import jax
        import optax
        from bionet.training import FeedbackAlignment, Objective

        model = eqx.nn.MLP(4, 3, width_size=8, depth=2, key=jax.random.key(0))
        objective = Objective(
            lambda model, x, key: jax.vmap(model)(x), lambda out, y: ((out - y) ** 2).mean()
        )
        method = FeedbackAlignment(objective, optax.sgd(0.1))
        train_state = method.init(model, jax.random.key(1))
        x, y = jax.numpy.ones((2, 4)), jax.numpy.zeros((2, 3))
        train_state, metrics = method.step(train_state, (x, y), jax.random.key(2))
        print(float(metrics["training_loss"]))
        ```

    Source:
        Lillicrap et al., "Random synaptic feedback weights support error backpropagation for
        deep learning", Nature Communications 7, 13276 (2016). Ours takes any loss, optimiser
        and activation.
    """

    spec: ClassVar[MethodSpec] = MethodSpec(
        name="feedback-alignment",
        family="local",
        summary="Send errors back layer by layer through fixed random weights.",
        needs=(NEED, "the error of the output"),
        sources=("lillicrap2016random",),
    )
    Options: ClassVar[type] = FeedbackOptions

    objective: Objective
    optimizer: optax.GradientTransformation
    strength: Float[Array, ""] = eqx.field(converter=jnp.asarray)

    def __init__(
        self,
        objective: Objective,
        optimizer: optax.GradientTransformation | None = None,
        *,
        strength: ArrayLike = 1.0,
    ) -> None:
        self.objective = objective
        self.optimizer = optax.adam(1e-3) if optimizer is None else optimizer
        self.strength = jnp.asarray(strength, jnp.float32)

    @classmethod
    def from_workload(
        cls, workload: WorkloadLike, config: Any, options: FeedbackOptions, steps: int
    ) -> FeedbackAlignment:
        """The method for a workload's network and loss.

        Args:
            workload: what is trained.
            config: of the workload.
            options: of the method.
            steps: the updates of the run, over which a schedule is planned.
        """
        optimizer = options.build_optimizer(steps)
        return cls(workload.objective(config), optimizer, strength=options.strength)

    def init(self, model: PyTree, key: PRNGKeyArray) -> TrainState:
        """The model, and feedback weights with the shapes of the forward ones."""
        layers = _layers(self.spec, model)
        shapes = [layer.weight.shape for layer in layers[1:]]
        return _start(self, model, _draw(key, shapes, self.strength))

    def step(
        self, train_state: TrainState, batch: tuple[Array, ...], key: PRNGKeyArray
    ) -> tuple[TrainState, dict[str, Array]]:
        """One step on a batch, and its loss before the step."""
        return _step(self, _layer_by_layer, train_state, batch)

    def guard(
        self,
        train_state: TrainState,
        batch: tuple[Array, ...],
        key: PRNGKeyArray,
        predict: Predict,
    ) -> None:
        """Refuses a loss without a slope, and a predictor of another function."""
        _guard(self, train_state, batch, key)

    def finish(self, train_state: TrainState) -> PyTree:
        """The model as it is."""
        return train_state.model


@final
class DirectFeedbackAlignment(AbstractMethod):
    """Every hidden layer hears the error of the output, through a fixed random matrix.

    Args:
        objective: its `loss` is what the output error is the derivative of.
        optimizer: any Optax transformation without a line search; it sees the loss if it asks
            for it.
        strength: of the feedback weights, `B ~ strength * N(0, 1) / sqrt(outputs)`.

    Raises:
        ValueError: at `init`, a model that is no `eqx.nn.MLP` with a hidden layer.

    Example:
        As for `FeedbackAlignment`; only the name differs.

    Source:
        Nøkland, "Direct feedback alignment provides learning in deep neural networks" (2016)
        [nokland2016direct]. Ours takes any loss, optimiser and activation.
    """

    spec: ClassVar[MethodSpec] = MethodSpec(
        name="dfa",
        family="local",
        summary="Send the error of the output to each hidden layer through fixed random weights.",
        needs=(NEED, "the error of the output"),
        sources=("nokland2016direct",),
    )
    Options: ClassVar[type] = FeedbackOptions

    objective: Objective
    optimizer: optax.GradientTransformation
    strength: Float[Array, ""] = eqx.field(converter=jnp.asarray)

    def __init__(
        self,
        objective: Objective,
        optimizer: optax.GradientTransformation | None = None,
        *,
        strength: ArrayLike = 1.0,
    ) -> None:
        self.objective = objective
        self.optimizer = optax.adam(1e-3) if optimizer is None else optimizer
        self.strength = jnp.asarray(strength, jnp.float32)

    @classmethod
    def from_workload(
        cls, workload: WorkloadLike, config: Any, options: FeedbackOptions, steps: int
    ) -> DirectFeedbackAlignment:
        """The method for a workload's network and loss.

        Args:
            workload: what is trained.
            config: of the workload.
            options: of the method.
            steps: the updates of the run, over which a schedule is planned.
        """
        optimizer = options.build_optimizer(steps)
        return cls(workload.objective(config), optimizer, strength=options.strength)

    def init(self, model: PyTree, key: PRNGKeyArray) -> TrainState:
        """The model, and a matrix from the output to each hidden layer."""
        layers = _layers(self.spec, model)
        outputs = layers[-1].weight.shape[0]
        shapes = [(outputs, layer.weight.shape[0]) for layer in layers[:-1]]
        return _start(self, model, _draw(key, shapes, self.strength))

    def step(
        self, train_state: TrainState, batch: tuple[Array, ...], key: PRNGKeyArray
    ) -> tuple[TrainState, dict[str, Array]]:
        """One step on a batch, and its loss before the step."""
        return _step(self, _straight, train_state, batch)

    def guard(
        self,
        train_state: TrainState,
        batch: tuple[Array, ...],
        key: PRNGKeyArray,
        predict: Predict,
    ) -> None:
        """Refuses a loss without a slope, and a predictor of another function."""
        _guard(self, train_state, batch, key)

    def finish(self, train_state: TrainState) -> PyTree:
        """The model as it is."""
        return train_state.model


def alignment(
    method: FeedbackAlignment | DirectFeedbackAlignment,
    train_state: TrainState,
    batch: tuple[Array, ...],
) -> dict[str, Float[Array, " layers"]]:
    """Measures how near a step of the method is to one of backprop, by layer, the lowest first.

    Args:
        method: the method in question.
        train_state: where it is.
        batch: what the gradient is taken on.

    Returns:
        "update_angle": degrees between the pseudo-gradient and the gradient of each weight
        matrix; under 90, following it lowers the loss for small steps, and the last is 0.
        "norm_ratio": length of the pseudo-gradient over that of the gradient.
        "weight_angle": degrees between the feedback of each hidden layer and the product of
        the forward weights that it stands for.
    """
    model = train_state.model
    send = _layer_by_layer if isinstance(method, FeedbackAlignment) else _straight
    _, found = _pseudo_gradient(method.objective, send, train_state, batch)
    _, true = loss_and_gradient(method.objective, model, batch, jax.random.key(0))
    pairs = [(a.weight, b.weight) for a, b in zip(found.layers, true.layers, strict=True)]
    stands_for = _forward_products(model, direct=send is _straight)
    feedback = train_state.memory.feedback
    return {
        "update_angle": jnp.stack([_angle(a, b) for a, b in pairs]),
        "norm_ratio": jnp.stack([jnp.linalg.norm(a) / jnp.linalg.norm(b) for a, b in pairs]),
        "weight_angle": jnp.stack(
            [_angle(a, b) for a, b in zip(feedback, stands_for, strict=True)]
        ),
    }


def _layers(spec: MethodSpec, model: PyTree) -> tuple[eqx.nn.Linear, ...]:
    plain = isinstance(model, eqx.nn.MLP) and model.depth >= 1 and not model.scan
    if not plain or jax.tree.leaves(
        eqx.filter((model.activation, model.final_activation), eqx.is_array)
    ):
        raise unmet(spec, NEED, model)
    return model.layers


def _draw(key: PRNGKeyArray, shapes: list[tuple[int, ...]], strength: Array) -> Matrices:
    keys = jax.random.split(key, len(shapes))
    return tuple(
        strength * jax.random.normal(k, shape) / jnp.sqrt(shape[0])
        for k, shape in zip(keys, shapes, strict=True)
    )


def _start(
    method: FeedbackAlignment | DirectFeedbackAlignment, model: PyTree, feedback: Matrices
) -> TrainState:
    learning, _ = partition_trained(model)
    memory = start_optimizer(type(method).__name__, method.optimizer, learning)
    memory = Memory(memory, feedback)
    return TrainState(model, memory, jnp.zeros((), jnp.int32))


def _step(
    method: FeedbackAlignment | DirectFeedbackAlignment,
    send: SendBack,
    train_state: TrainState,
    batch: tuple[Array, ...],
) -> tuple[TrainState, dict[str, Array]]:
    loss, descended = _pseudo_gradient(method.objective, send, train_state, batch)
    learning, _ = partition_trained(train_state.model)
    old = train_state.memory
    owner = type(method).__name__
    updates, memory = update_with_loss(
        owner, method.optimizer, descended, old.optimizer, learning, loss
    )
    model = apply_trained(train_state.model, updates)
    return TrainState(model, Memory(memory, old.feedback), train_state.step + 1), {
        "training_loss": loss
    }


def _guard(
    method: FeedbackAlignment | DirectFeedbackAlignment,
    train_state: TrainState,
    batch: tuple[Array, ...],
    key: PRNGKeyArray,
) -> None:
    given = (method.spec, method.objective, train_state.model)
    check_slope(*given, batch, key)
    check_forward(
        *(method.spec, _outputs, method.objective.predict), train_state.model, batch[0], key
    )


def _outputs(model: eqx.nn.MLP, x: Array) -> Array:
    """The outputs as a step computes them."""
    return _forward(model, x)[2]


def _pseudo_gradient(
    objective: Objective, send: SendBack, train_state: TrainState, batch: tuple[Array, ...]
) -> tuple[Array, PyTree]:
    """The loss, and what to descend, in the structure of the model's trained leaves."""
    model, (x, y) = train_state.model, batch
    inputs, slopes, outputs, to_field = _forward(model, x)
    loss, by_output = jax.value_and_grad(lambda out: objective.judged(out, y))(outputs)
    errors = send(to_field(by_output), slopes, train_state.memory.feedback)
    learning, _ = partition_trained(model)
    added = [error_increment(x, error) for x, error in zip(inputs, errors, strict=True)]
    descended = eqx.tree_at(
        lambda m: [layer.weight for layer in m.layers], learning, [-one for one in added]
    )
    pairs = zip(model.layers, errors, strict=True)
    descended = eqx.tree_at(
        lambda m: [layer.bias for layer in m.layers if layer.bias is not None],
        descended,
        [error.sum(0) for layer, error in pairs if layer.bias is not None],
    )
    return loss, descended


def _forward(model: eqx.nn.MLP, x: Array) -> tuple[Any, ...]:
    """Returns the inputs of layers, the slopes of hidden ones, the outputs, and their error."""
    activate = jnp.vectorize(model.activation)
    inputs, slopes = [], []
    for layer in model.layers[:-1]:
        inputs.append(x)
        field = jax.vmap(layer)(x)
        x, slope = jax.jvp(activate, (field,), (jnp.ones_like(field),))
        slopes.append(slope)
    inputs.append(x)
    field = jax.vmap(model.layers[-1])(x)
    outputs, to_field = jax.vjp(jnp.vectorize(model.final_activation), field)
    return inputs, slopes, outputs, lambda by_output: to_field(by_output)[0]


def _layer_by_layer(error: Array, slopes: list[Array], feedback: Matrices) -> list[Array]:
    errors = [error]
    for matrix, slope in zip(reversed(feedback), reversed(slopes), strict=True):
        errors.insert(0, sent_back(errors[0], matrix, slope))
    return errors


def _straight(error: Array, slopes: list[Array], feedback: Matrices) -> list[Array]:
    hidden = [sent_back(error, *pair) for pair in zip(feedback, slopes, strict=True)]
    return [*hidden, error]


def _forward_products(model: eqx.nn.MLP, direct: bool) -> list[Array]:
    """Returns what each feedback matrix stands for: the weights above, or their product."""
    above = [layer.weight for layer in model.layers[1:]]
    if not direct:
        return above
    found = [above[-1]]
    for weight in reversed(above[:-1]):
        found.insert(0, found[0] @ weight)
    return found


def _angle(a: Array, b: Array) -> Float[Array, ""]:
    cosine = (a * b).sum() / (jnp.linalg.norm(a) * jnp.linalg.norm(b))
    return jnp.degrees(jnp.arccos(jnp.clip(cosine, -1.0, 1.0)))
