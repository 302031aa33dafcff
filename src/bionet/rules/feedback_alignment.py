"""Feedback alignment: errors go back through fixed random matrices, not through the weights.

Backprop sends the error of a layer to the one below through the transpose of the forward
weights, which a synapse cannot know. Feedback alignment uses a random matrix of the same shape
that never changes; the forward weights turn towards it while they learn. Direct feedback
alignment sends the error of the output to every hidden layer at once.

Both are made of two steps: what comes back to a layer, and what its synapses add. The error of
the output is `dL/d(local field)`, so that an increment, which is added, has a minus in front.
"""

from __future__ import annotations

from jaxtyping import Array, Float


def sent_back(
    error: Float[Array, "n k"], feedback: Float[Array, "k d"], slope: Float[Array, "n d"]
) -> Float[Array, "n d"]:
    """The error of a layer's local field, as it arrives through fixed feedback weights.

    Args:
        error: of the layer above (feedback alignment) or of the output (direct feedback
            alignment), as the derivative of the loss by that layer's local field.
        feedback: the fixed matrix. The forward weights themselves, of shape (k, d) for
            `field = W @ x`, make it backprop.
        slope: the derivative of the activation at this layer's local field.

    Returns:
        The derivative of the loss by this layer's local field, or what stands for it.

    Example:
        ```python
        import jax.numpy as jnp
        from bionet.rules import sent_back

        print(sent_back(jnp.array([[0.5]]), jnp.array([[2.0, -1.0]]), jnp.array([[1.0, 0.0]])))
        ```

    Source:
        Lillicrap et al., "Random synaptic feedback weights support error backpropagation for
        deep learning", Nature Communications 7 (2016), eq. 2; Nøkland, "Direct feedback
        alignment provides learning in deep neural networks" (2016) [nokland2016direct], eq. 7.
    """
    return (error @ feedback) * slope


def error_increment(x: Float[Array, "n d"], error: Float[Array, "n k"]) -> Float[Array, "k d"]:
    """Returns the increment of the weights `W` (k, d): minus the errors times what came in.

    Args:
        x: the activity of the layer below.
        error: the derivative of the loss by this layer's local field. It is that of the mean
            over the batch if the loss is, so nothing is divided here.

    Returns:
        The increment, to be added; with the true error it is minus the gradient.

    Example:
        ```python
        import jax.numpy as jnp
        from bionet.rules import error_increment

        print(error_increment(jnp.array([[1.0, 2.0]]), jnp.array([[0.5]])))
        ```

    Source:
        The delta rule, Widrow and Hoff (1960).
    """
    return -(error.T @ x)
