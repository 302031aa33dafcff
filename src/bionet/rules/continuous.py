"""The continuous perceptron: the delta rule for units whose activity is a tanh of their field.

A unit with score `y_hat` answers `tanh(gain * y_hat)`. Where that misses the target by
`tolerance` or more, the unit's incoming weights move against the error, as fast as the
slope of the tanh lets the answer follow; everywhere else nothing happens. The tolerance
is to a graded unit what the margin is to a binary one, and a tie counts as an error here
as there.

The increment is the negative gradient of half the squared error, summed over what is
violated, for a score that is linear in the weights. Where a unit is saturated on the
wrong side its slope is nearly zero, and so is what it learns; the margin perceptron, which
asks for no slope, does not have that blind spot.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from bionet.rules.perceptron import Reduction, batch_divisor, check_dense, gated


def violated_tolerance(
    y: Float[Array, "n *units"],
    activity: Float[Array, "n *units"],
    tolerance: Float[Array, "..."] | float,
) -> Bool[Array, "n *units"]:
    """True where `activity` misses the target `y` by `tolerance` or more."""
    return jnp.abs(y - activity) >= tolerance


def continuous_perceptron(
    x: Float[Array, "n d"],
    y: Float[Array, "n k"],
    y_hat: Float[Array, "n k"],
    tolerance: Float[Array, "..."] | float,
    *,
    gain: Float[Array, "..."] | float = 1.0,
    reduction: Reduction = "sqrt",
    gate: Float[Array, " n"] | None = None,
) -> Float[Array, "d k"]:
    """The increment of the weights `W` in `y_hat = ... + x @ W`, to be **added** to `W`.

    Args:
        x: pre-synaptic activity, a row per sample.
        y: target activity, in [-1, +1].
        y_hat: scores (local fields) of the post-synaptic units.
        tolerance: the error from which on a unit learns; a scalar, or one value per unit.
        gain: the steepness of the tanh; a scalar, or one value per unit.
        reduction: how the batch is added up, as in `bionet.rules.margin_perceptron`.
        gate: a factor per sample on what it teaches, 0 for nothing; `n` stays the number
            of all samples. None is 1 for each.

    Returns:
        `x^T (gate * 1[|y - a| >= tolerance] * (y - a) * gain * (1 - a^2))` for the activity
        `a = tanh(gain * y_hat)`, divided as `reduction` says.

    Raises:
        ValueError: `reduction` is neither of the two, or shapes that do not fit.

    Example:
        ```python
        import jax.numpy as jnp
        from bionet.rules import continuous_perceptron

        x, y = jnp.array([[1.0, -1.0]]), jnp.array([[0.5]])
        W = jnp.zeros((2, 1))
        W = W + continuous_perceptron(x, y, x @ W, tolerance=0.1)
        print(jnp.tanh(x @ W).item())  # the answer was 0 and is now near 0.5
        ```

    Source:
        The delta rule of Widrow and Hoff (1960), in its form for differentiable units. That
        only errors of `tolerance` or more count is ours, by analogy with the margin.
    """
    check_dense("continuous_perceptron", x, y, y_hat)
    n, d = x.shape
    correction = continuous_correction(y, y_hat, tolerance, gain, gate)
    return x.T @ correction / batch_divisor(n, d, reduction)


def continuous_correction(
    y: Float[Array, "n *units"],
    y_hat: Float[Array, "n *units"],
    tolerance: Float[Array, "..."] | float,
    gain: Float[Array, "..."] | float = 1.0,
    gate: Float[Array, " n"] | None = None,
) -> Float[Array, "n *units"]:
    """Returns how far each unit's score is to move: its error times the slope of its tanh.

    This is the post-synaptic half of the rule, and it is zero within the tolerance.

    Raises:
        ValueError: `gate` is not one factor per sample.
    """
    activity = jnp.tanh(gain * y_hat)
    step = (y - activity) * gain * (1 - activity**2)
    violated = violated_tolerance(y, activity, tolerance)
    return gated(jnp.where(violated, step, jnp.zeros_like(step)), gate)
