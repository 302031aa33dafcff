"""Hebb's rule: what is active together is wired together, whatever the result.

There is no target and no score. The increment is the product of the activities at the two
ends of a connection, summed over the batch. It has no fixed point of its own, so it is used
where something else bounds it: a decay, a normalised message, or a sender whose activity
goes to zero once all is learned, as that of an error does.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from bionet.kernels.products import Operands, product
from bionet.rules.perceptron import Reduction, batch_divisor, check_dense, gated


def hebbian(
    x: Float[Array, "n d"],
    y: Float[Array, "n k"],
    *,
    reduction: Reduction = "sqrt",
    gate: Float[Array, " n"] | None = None,
    operands: Operands = "weights",
) -> Float[Array, "d k"]:
    """The increment of the weights from the units of `x` to those of `y`, to be **added**.

    Args:
        x: pre-synaptic activity, a row per sample.
        y: post-synaptic activity.
        reduction: "sqrt" divides the sum over the batch by `sqrt(n d)`, "mean" by
            `n sqrt(d)`; see `bionet.rules.margin_perceptron`.
        gate: a factor per sample on what it teaches; None is 1 for each.
        operands: how wide the numbers are that are multiplied, see `product`.

    Returns:
        `x^T (gate * y)`, divided as `reduction` says.

    Raises:
        ValueError: `reduction` is neither of the two, or shapes that do not fit.

    Example:
        ```python
        import jax.numpy as jnp
        from bionet.rules import hebbian

        x, y = jnp.array([[1.0, -1.0]]), jnp.array([[1.0]])
        print(hebbian(x, y))  # the first sender agrees with the receiver, the second does not
        ```

    Source:
        D. O. Hebb, "The Organization of Behavior" (1949). The scale over a batch is that of
        the margin perceptron.
    """
    check_dense("hebbian", x, y, y)
    n, d = x.shape
    wanted = gated(jnp.asarray(y), gate)
    return product(x.T, wanted, operands) / batch_divisor(n, d, reduction)
