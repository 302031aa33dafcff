"""The margin perceptron on the connections that exist, and on no others.

The rule is local: what a connection learns depends on its two ends alone. So on a sparse
network nothing has to be computed where no connection is, and the increment of
`margin_perceptron` at the existing connections is the increment here, number for number,
but for the scale, which counts the connections a unit really has.
"""

from __future__ import annotations

from jaxtyping import Array, Float, Int

from bionet.kernels.gathers import gather_outer
from bionet.rules.perceptron import Reduction, batch_divisor, check_dense, margin_correction


def sparse_margin_perceptron(
    x: Float[Array, "n d"],
    indices: Int[Array, "k fan_in"],
    y: Float[Array, "n k"],
    y_hat: Float[Array, "n k"],
    threshold: Float[Array, "..."] | float,
    *,
    reduction: Reduction = "sqrt",
    gate: Float[Array, " n"] | None = None,
) -> Float[Array, "k fan_in"]:
    """The increment of the weights of `fan_in` connections per unit, to be **added** to them.

    Args:
        x: pre-synaptic activity, a row per sample.
        indices: for each unit, the senders it listens to, each once and from 0 to d - 1.
        y: targets in {-1, +1}.
        y_hat: scores (local fields) of the post-synaptic units.
        threshold: the margin that is asked for; a scalar, or one value per unit.
        reduction: "sqrt" divides the sum over the batch by `sqrt(n fan_in)`, "mean" by
            `n sqrt(fan_in)`; see `bionet.rules.margin_perceptron`.
        gate: a factor per sample on what it teaches; None is 1 for each.

    Returns:
        At (unit, c) the sum over samples of `gate * 1[y * y_hat <= threshold] * y` of that
        unit times `x` of its sender c, divided as `reduction` says.

    Raises:
        ValueError: `reduction` is neither of the two, or shapes that do not fit.

    Example:
        ```python
        import jax.numpy as jnp
        from bionet.rules import sparse_margin_perceptron

        x, y = jnp.array([[1.0, -1.0, 3.0]]), jnp.array([[1.0]])
        indices = jnp.array([[0, 2]])  # the unit does not hear the second sender
        print(sparse_margin_perceptron(x, indices, y, jnp.zeros((1, 1)), threshold=0.5))
        ```

    Source:
        The rule of Badalotti et al. (2025) [badalotti2025dynamical], see
        `bionet.rules.margin_perceptron`, on sparse couplings; the scale takes the true
        number of connections.
    """
    check_dense("sparse_margin_perceptron", x, y, y_hat)
    if indices.ndim != 2 or indices.shape[0] != y.shape[1]:
        raise ValueError(
            f"sparse_margin_perceptron: indices needs a row of senders for each unit, shape "
            f"({y.shape[1]}, fan_in), got shape {indices.shape}."
        )
    correction = margin_correction(y, y_hat, threshold, gate)
    added = gather_outer(x, indices, correction)
    return added / batch_divisor(x.shape[0], indices.shape[1], reduction)
