"""The margin perceptron: move a weight only where a unit is wrong, or right by too little.

A unit with score `y_hat` and target `y` in {-1, +1} has the margin `y * y_hat`.
Where the margin is at or under the threshold, the unit's incoming weights move
towards `y * x`; everywhere else nothing happens. A tie counts as an error.

The increment is the negative gradient of the summed hinge `max(0, threshold - margin)`
for a score that is linear in the weights, so following it lowers the hinge.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from bionet._core.names import unknown
from bionet.kernels.products import Operands, product
from bionet.rules.targets import refuse_zero_one, unit_signs

Reduction = Literal["sqrt", "mean"]
REDUCTIONS: tuple[str, ...] = get_args(Reduction)


def violated_margin(
    y: Float[Array, "n k"], y_hat: Float[Array, "n k"], threshold: Float[Array, "..."] | float
) -> Bool[Array, "n k"]:
    """True where a unit's margin `y * y_hat` is at or under `threshold`."""
    return y * y_hat <= threshold


def margin_perceptron(
    x: Float[Array, "n d"],
    y: Float[Array, "n k"],
    y_hat: Float[Array, "n k"],
    threshold: Float[Array, "..."] | float,
    *,
    reduction: Reduction = "sqrt",
    gate: Float[Array, " n"] | None = None,
    operands: Operands = "weights",
) -> Float[Array, "d k"]:
    """The increment of the weights `W` in `y_hat = ... + x @ W`, to be **added** to `W`.

    Args:
        x: pre-synaptic activity, a row per sample.
        y: targets in {-1, +1}.
        y_hat: scores (local fields) of the post-synaptic units.
        threshold: the margin that is asked for; a scalar, or one value per unit.
        reduction: "sqrt" divides the sum over the batch by `sqrt(n d)`, the published
            scale, whose norm grows with the root of the batch; "mean" divides by
            `n sqrt(d)` and does not change when the batch is repeated.
        gate: a factor per sample on what it teaches, 0 for nothing; `n` stays the number
            of all samples. None is 1 for each.
        operands: how wide the numbers are that are multiplied, see `product`. With `x` in
            {-1, +1} and no gate, all kinds give the same numbers.

    Returns:
        `x^T (gate * 1[y * y_hat <= threshold] * y)`, divided as `reduction` says.

    Raises:
        ValueError: `reduction` is neither of the two, shapes that do not fit, or, outside of
            a trace, targets in {0, 1}.

    Example:
        ```python
        import jax.numpy as jnp
        from bionet.rules import margin_perceptron

        x, y = jnp.array([[1.0, -1.0]]), jnp.array([[1.0]])
        W = jnp.zeros((2, 1))
        W = W + margin_perceptron(x, y, x @ W, threshold=0.5)
        print((y * (x @ W)).item())  # the margin was 0 and is now positive
        ```

    Source:
        Gardner's margin perceptron, as used for asymmetric recurrent networks by
        Badalotti et al., "Dynamical Learning in Deep Asymmetric Recurrent Neural
        Networks" (2025) [badalotti2025dynamical]. `reduction="mean"` is ours.
    """
    check_dense("margin_perceptron", x, y, y_hat)
    n, d = x.shape
    correction = margin_correction(y, y_hat, threshold, gate)
    return product(x.T, correction, operands) / batch_divisor(n, d, reduction)


def margin_correction(
    y: Float[Array, "n *units"],
    y_hat: Float[Array, "n *units"],
    threshold: Float[Array, "..."] | float,
    gate: Float[Array, " n"] | None = None,
) -> Float[Array, "n *units"]:
    """`gate * 1[y * y_hat <= threshold] * y`: which way each unit's score is to move.

    This is the post-synaptic half of the rule, the same for dense, sparse and
    convolutional couplings; they differ in how they bring it together with `x`.

    Raises:
        ValueError: `gate` is not one factor per sample, or, outside of a trace, targets in
            {0, 1}.
    """
    refuse_zero_one("margin perceptron", y)
    correction = jnp.where(violated_margin(y, y_hat, threshold), y, jnp.zeros_like(y))
    return gated(correction, gate)


def gated(
    correction: Float[Array, "n *units"], gate: Float[Array, " n"] | None
) -> Float[Array, "n *units"]:
    """`correction` with each sample's row multiplied by its factor; None changes nothing.

    Raises:
        ValueError: `gate` is not one factor per sample.
    """
    if gate is None:
        return correction
    n = correction.shape[0]
    if jnp.shape(gate) != (n,):
        raise ValueError(
            f"gate: needs one factor per sample, shape ({n},), got shape {jnp.shape(gate)}."
        )
    factors = jnp.asarray(gate, correction.dtype)
    return correction * factors.reshape(n, *(1 for _ in correction.shape[1:]))


def check_dense(rule: str, x: Array, y: Array, y_hat: Array) -> None:
    """Fails unless x is (n, d) and y and y_hat are (n, k): a width of one would be broadcast.

    Raises:
        ValueError: other shapes; the sentence names the rule and all three.
    """
    if x.ndim != 2 or y.ndim != 2 or y.shape != y_hat.shape or x.shape[0] != y.shape[0]:
        raise ValueError(
            f"{rule}: needs x (n, d), y (n, k) and y_hat (n, k), got shapes "
            f"{x.shape}, {y.shape} and {y_hat.shape}."
        )


def batch_divisor(n: int, fan_in: int, reduction: str) -> float:
    """Returns the divisor of a sum over a batch of `n`, for units with `fan_in` connections.

    Raises:
        ValueError: `reduction` is neither "sqrt" nor "mean".
    """
    if reduction == "sqrt":
        return math.sqrt(n * fan_in)
    if reduction == "mean":
        return n * math.sqrt(fan_in)
    raise ValueError(f"rules: {unknown('reduction', reduction, REDUCTIONS)}")


def margin_hinge(
    y: Float[Array, "n k"],
    y_hat: Float[Array, "n k"],
    threshold: Float[Array, "..."] | float = 0.0,
) -> Float[Array, ""]:
    """The mean over samples and units of `max(0, threshold - y * y_hat)`; lower is better.

    This is the loss whose violations the margin perceptron repairs: for a score that is
    linear in the weights, `margin_perceptron` is a positive multiple of minus its gradient.

    Args:
        y: targets in {-1, +1}, or class numbers; outside of a trace also {0, 1}, see
            `bionet.rules.targets`.
        y_hat: scores.
        threshold: the margin that is asked for.

    Raises:
        ValueError: `y` and `y_hat` differ in shape, and `y` holds no class numbers.
    """
    signs = unit_signs("margin_hinge", y, y_hat)
    return jnp.maximum(threshold - signs * y_hat, 0.0).mean()
