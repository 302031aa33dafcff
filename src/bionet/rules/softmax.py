"""The softmax delta rule: give each class the probability that it lacks.

The scores of a readout are turned into probabilities by the softmax. Each class then has
an error, what it should have had (1 for the labelled class, 0 for the others) less what it
got, and a weight moves along its sender's activity times the error at its own end. What a
synapse has to know is local but for one sum, by which all classes are divided.

The increment is minus the gradient of the summed cross-entropy, times the divisor, so
following it lowers the cross-entropy.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from bionet.kernels.products import Operands, product
from bionet.rules.perceptron import Reduction, batch_divisor, check_dense, gated
from bionet.rules.targets import as_signs, class_chances, refuse_zero_one


def softmax_error(
    y: Float[Array, "n k"], y_hat: Float[Array, "n k"], inverse_temperature: ArrayLike = 1.0
) -> Float[Array, "n k"]:
    """Returns what each class lacks: `(y + 1) / 2 - softmax(inverse_temperature * y_hat)`.

    Args:
        y: labels in {-1, +1}, one +1 per row, or class numbers. The error of such a row sums to
            zero. Without a +1, or with several, the rule still pushes each class towards 0 or
            1, but no scores can satisfy it, because probabilities sum to one.
        y_hat: scores.
        inverse_temperature: how sharply the scores are turned into probabilities.

    Raises:
        ValueError: labels of another shape, or, outside of a trace, labels in {0, 1}.
    """
    signs = as_signs("softmax_error", y, y_hat)
    refuse_zero_one("softmax_error", signs)
    return (signs + 1) / 2 - jax.nn.softmax(inverse_temperature * y_hat, axis=-1)


def softmax_delta(
    x: Float[Array, "n d"],
    y: Float[Array, "n k"],
    y_hat: Float[Array, "n k"],
    *,
    reduction: Reduction = "sqrt",
    gate: Float[Array, " n"] | None = None,
    operands: Operands = "weights",
) -> Float[Array, "d k"]:
    """The increment of the weights `W` in `y_hat = ... + x @ W`, to be **added** to `W`.

    Args:
        x: pre-synaptic activity, a row per sample.
        y: labels in {-1, +1}, one +1 per row; see `softmax_error` for other rows.
        y_hat: scores (local fields) of the post-synaptic units.
        reduction: "sqrt" divides the sum over the batch by `sqrt(n d)`, "mean" by
            `n sqrt(d)`; see `bionet.rules.margin_perceptron`.
        gate: a factor per sample on what it teaches; None is 1 for each.
        operands: how wide the numbers are that are multiplied, see `product`.

    Returns:
        `x^T (gate * softmax_error(y, y_hat))`, divided as `reduction` says.

    Raises:
        ValueError: `reduction` is neither of the two, or shapes that do not fit.

    Example:
        ```python
        import jax.numpy as jnp
        from bionet.rules import softmax_delta

        x, y = jnp.array([[1.0, -1.0]]), jnp.array([[1.0, -1.0]])
        W = jnp.zeros((2, 2))
        print(softmax_delta(x, y, x @ W))  # towards the first class, away from the second
        ```

    Source:
        Widrow and Hoff's delta rule with the error of a softmax, as in multinomial logistic
        regression (Bridle, "Probabilistic interpretation of feedforward classification
        network outputs", 1990). The scale over a batch is that of the margin perceptron.
    """
    check_dense("softmax_delta", x, y, y_hat)
    n, d = x.shape
    error = gated(softmax_error(y, y_hat), gate).astype(y_hat.dtype)
    return product(x.T, error, operands) / batch_divisor(n, d, reduction)


def cross_entropy(y: Float[Array, "n k"], y_hat: Float[Array, "n k"]) -> Float[Array, ""]:
    """The mean over samples of minus the log-probability of the labelled class.

    This is the loss whose gradient `softmax_delta` descends.

    Args:
        y: labels in {-1, +1}, one +1 per row, or class numbers; outside of a trace also {0, 1}
            and chances that sum to one, see `bionet.rules.targets`.
        y_hat: scores.

    Raises:
        ValueError: `y` and `y_hat` differ in shape, and `y` holds no class numbers.
    """
    chances = class_chances("cross_entropy", y, y_hat)
    return -(chances * jax.nn.log_softmax(y_hat, axis=-1)).sum(-1).mean()


def class_margin(y: Float[Array, "n k"], y_hat: Float[Array, "n k"]) -> Float[Array, " n"]:
    """By how much the score of the labelled class exceeds the best of the others.

    A row without a +1, or without a -1, has nothing to compare, and the margin `inf`. Labels
    in {0, 1} and class numbers are read too; of chances those above 1/2 count as +1.
    """
    infinity = jnp.asarray(jnp.inf, y_hat.dtype)
    on = as_signs("class_margin", y, y_hat) > 0.5
    labelled = jnp.where(on, y_hat, infinity).min(axis=-1)
    return labelled - jnp.where(on, -infinity, y_hat).max(axis=-1)
