"""A training step out of a cheap direction, a loss and an Optax optimiser."""

from __future__ import annotations

from typing import Any, final

import equinox as eqx
import jax
import optax
from jax.sharding import Mesh
from jaxtyping import Array, ArrayLike, PRNGKeyArray, PyTree

from bionet.experimental.hybrid.directions import Direction, Loss
from bionet.experimental.hybrid.estimate.correction import Correction
from bionet.experimental.hybrid.estimate.estimators import correct, hybrid, scalars
from bionet.experimental.hybrid.estimate.pairs import Pairs
from bionet.experimental.hybrid.estimate.vectors import as_gradient, as_learning
from bionet.modules.trained import apply_trained, partition_trained
from bionet.training.first_order.optimizers import start_optimizer, update_with_loss

OWNER = "make_hybrid_train_step"


@final
class HybridStep(eqx.Module):
    """A compiled training step; see `make_hybrid_train_step`."""

    bulk: Direction
    loss_true: Loss
    optimizer: optax.GradientTransformation
    pairs: Pairs
    correction: Correction

    def init(self, model: PyTree) -> PyTree:
        """The optimiser's state for the trained leaves of a model."""
        return start_optimizer(OWNER, self.optimizer, partition_trained(model)[0])

    @eqx.filter_jit
    def __call__(
        self, model: PyTree, opt_state: PyTree, key: PRNGKeyArray, *batch: Any
    ) -> tuple[PyTree, PyTree, dict[str, Array]]:
        """One step: the model, the optimiser's state, and scalars that say how it went."""
        g, told = correct(
            hybrid, self.pairs, self.correction, model, self.bulk, self.loss_true, key, batch
        )
        learning, _ = partition_trained(model)
        gradient = as_learning(model, g)
        if not self._fits(learning, opt_state):
            learning, gradient = eqx.filter(model, eqx.is_inexact_array), as_gradient(model, g)
            self._check(learning, opt_state)
        loss = told["training_loss"]
        updates, opt_state = update_with_loss(
            OWNER, self.optimizer, gradient, opt_state, learning, loss
        )
        return apply_trained(model, updates), opt_state, scalars(told)

    def _fits(self, parameters: PyTree, opt_state: PyTree) -> bool:
        made = eqx.filter_eval_shape(self.optimizer.init, parameters)
        return jax.tree.structure(made) == jax.tree.structure(opt_state)

    def _check(self, parameters: PyTree, opt_state: PyTree) -> None:
        if not self._fits(parameters, opt_state):
            raise ValueError(
                f"{OWNER}: the optimiser's state fits neither the trained leaves of the model nor "
                "all its inexact arrays; make it by opt_state = step.init(model)."
            )


def make_hybrid_train_step(
    bulk: Direction,
    loss_true: Loss,
    optimizer: optax.GradientTransformation,
    *,
    num_samples: int = 8,
    sigma: ArrayLike = 0.01,
    lam: ArrayLike = 0.2,
    normalize: bool = True,
    eps: ArrayLike = 1e-8,
    snr: bool = False,
    chunk: int | None = None,
    mesh: Mesh | None = None,
) -> HybridStep:
    """A step that descends `hybrid_gradient`, as one compiled program that goes under `scan`.

    Args:
        bulk: the cheap direction; this and all that follows as in `hybrid_gradient`.
        loss_true: what is evaluated.
        optimizer: any Optax transformation without a line search; it sees the mean of the
            evaluations if it asks for the loss.
        num_samples: the number K of pairs.
        sigma: the standard deviation of the perturbations.
        lam: how much of the correction is added.
        normalize: take `lam` as a fraction of the length of the direction.
        eps: is added to that length where it is divided by.
        snr: scale `lam` by the share of signal.
        chunk: how many perturbed models exist at a time.
        mesh: devices that share the evaluations.

    Returns:
        `step(model, opt_state, key, *batch) -> (model, opt_state, metrics)`. The optimiser's
        state is `step.init(model)`; one that was made from all inexact arrays of the model is
        taken too. Among the metrics are "training_loss", the mean over the evaluations,
        "evaluations", and the scalars of `hybrid_diagnostics`.

    Raises:
        ValueError: as `hybrid_gradient`; at the first step, an optimiser's state that fits
            another model.

    Example:
        ```python
        import equinox as eqx
        import jax
        import optax
        from bionet.experimental.hybrid import make_hybrid_train_step, surrogate_direction


        def loss(model, x, y):
            return ((jax.vmap(model)(x) - y) ** 2).mean()


        model = eqx.nn.MLP(2, 1, width_size=8, depth=1, key=jax.random.key(0))
        step = make_hybrid_train_step(surrogate_direction(loss), loss, optax.adam(1e-2))
        opt_state = step.init(model)
        x = jax.random.normal(jax.random.key(1), (16, 2))
        for key in jax.random.split(jax.random.key(2), 3):
            model, opt_state, metrics = step(model, opt_state, key, x, x[:, :1])
            print(float(metrics["training_loss"]))
        ```
    """
    pairs = Pairs(OWNER, num_samples, sigma, chunk, mesh)
    correction = Correction(OWNER, lam, normalize, eps, snr)
    correction.check_halves(OWNER, pairs.num_samples)
    return HybridStep(bulk, loss_true, optimizer, pairs, correction)
