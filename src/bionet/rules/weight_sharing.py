"""The margin perceptron for weights that many units share, a convolution's for example.

A dense rule multiplies each input with each correction. Where one weight serves at many
places, what it is to gain is the sum over all of them. That sum is the transpose of the
map from weights to message, applied to the corrections, and JAX derives the transpose
from the message itself. So the rule cannot disagree with the forward pass in its sign,
its stride, its padding or the order of its axes.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
from jaxtyping import Array, Float

from bionet.rules.perceptron import Reduction, batch_divisor, margin_correction


def shared_perceptron(
    send: Callable[[Array], Array],
    W: Float[Array, "..."],
    y: Float[Array, "n *places k"],
    y_hat: Float[Array, "n *places k"],
    threshold: Float[Array, "..."] | float,
    *,
    fan_in: int,
    reduction: Reduction = "sqrt",
    gate: Float[Array, " n"] | None = None,
) -> Float[Array, "..."]:
    """The increment of shared weights, to be **added** to `W`.

    The scale is that of `margin_perceptron` if each place of each sample were a sample of
    its own: the sum is divided by `sqrt(n places fan_in)`, or by `n places sqrt(fan_in)`
    for "mean". Neighbouring places see much the same, so with "sqrt" the increment of a
    large image is longer than that of a small one; "mean" does not grow with the image.

    Args:
        send: makes the message out of the weights, for inputs that it already holds; it
            needs to be linear in the weights.
        W: the weights.
        y: targets in {-1, +1}; the last axis counts units that share no weight.
        y_hat: scores (local fields) of the post-synaptic units.
        threshold: the margin that is asked for; a scalar, or one value for each entry of
            the last axis.
        fan_in: how many weights reach a unit.
        reduction: "sqrt" or "mean", see above.
        gate: a factor per sample on what it teaches; None is 1 for each.

    Returns:
        An array of the shape of `W`.

    Raises:
        ValueError: `y` or `y_hat` do not have the shape of the message, a gate that is not
            one factor per sample, an unknown reduction.

    Example:
        ```python
        import jax.numpy as jnp
        from bionet.rules import shared_perceptron

        # One weight for all four places.
        x, y, W = jnp.array([[1.0, 2.0, -1.0, 1.0]]), jnp.ones((1, 4, 1)), jnp.zeros(1)
        send = lambda W: x[..., None] * W
        print(shared_perceptron(send, W, y, send(W), 0.5, fan_in=1))  # (1 + 2 - 1 + 1) / 2
        ```

    Source:
        Ours: the rule of Badalotti et al. (2025) [badalotti2025dynamical] under weight sharing.
    """
    message = jax.eval_shape(send, W)
    if not y.shape == y_hat.shape == message.shape:
        raise ValueError(
            f"shared_perceptron: needs y and y_hat of the message's shape {message.shape}, "
            f"got shapes {y.shape} and {y_hat.shape}."
        )
    correction = margin_correction(y, y_hat, threshold, gate)
    (summed,) = jax.linear_transpose(send, W)(correction)
    places = message.size // message.shape[-1]
    return summed / batch_divisor(places, fan_in, reduction)
