"""Sparse modules: a fixed number of incoming connections per unit, stored as such.

There is no dense matrix with a mask. A module holds, for each unit, the numbers of its
senders (`indices`) and the weights of those connections, both (units, fan_in). Memory,
forward product, learning and weight decay touch what exists, so 20,000 units with 50
connections each are no large network.

The layout is by unit, because both things a unit does are sums over its own senders: the
message needs no scatter, and weights, their increments and their decay are one array. The
activity is transposed, so that one index fetches a sender's value for sixteen samples at
once, from one place in memory; and it is fetched a block of units at a time, which stays in
the processor's cache. On two CPU cores this is 2 to 4 times as fast as the same gather for
all units at once with 2,000 units, 4 to 9 times with 20,000; as fast as JAX's compressed rows
(BCSR), which can't learn; and 13 to 19 times as fast as a dense product with 99 % zeros
(`research/benchmarks/sparse_layouts.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, DTypeLike, Float, Int, PRNGKeyArray

from bionet._core.checks import Faults
from bionet.kernels.gathers import gather_product
from bionet.modules.activations import hard_sign, sum_messages
from bionet.modules.fan_in import draw_senders, fan_in_of, given_senders, without_self
from bionet.modules.interfaces import AbstractAdapter, AbstractLayer
from bionet.modules.parameters import check_reduction, gaussian, no_signs, per_unit, width
from bionet.rules.perceptron import Reduction
from bionet.rules.sparse_perceptron import sparse_margin_perceptron


@final
class SparseFullyConnected(AbstractAdapter):
    """An adapter in which each receiving unit listens to a few senders, drawn at random.

    Args:
        in_features: units of the sender.
        out_features: units of the receiver.
        strength: scale of the initial weights, `W ~ strength * N(0, 1) / sqrt(fan_in)` with
            the number of connections that a unit really has; a scalar, or one value per
            output unit.
        threshold: the margin asked for, in units of the local field; a scalar, or one
            value per output unit.
        key: of the connections and the initial weights.
        fan_in: the number of incoming connections of each unit. Give this or `sparsity`.
        sparsity: the share of the senders that a unit does not listen to, from 0 to below
            1; the fan-in is then `round((1 - sparsity) * in_features)`, and 1 at least.
        indices: for each unit the numbers of its senders, each once, in place of `fan_in`
            and `sparsity`; `bionet.modules.fan_in.draw_windows` makes them for images. The
            key is then for the weights alone.
        reduction: how the rule adds up a batch, see `bionet.rules.margin_perceptron`.
        dtype: of the weights.

    Raises:
        ValueError: a width that is no positive int, a fan-in larger than the sender, both
            or neither of `fan_in` and `sparsity`, indices of another shape or out of range or
            with a sender twice, a strength or threshold of another shape, an unknown
            reduction.

    Example:
        ```python
        import jax
        import jax.numpy as jnp
        from bionet.modules.sparse import SparseFullyConnected

        edge = SparseFullyConnected(784, 2000, 1.0, 0.5, jax.random.key(0), sparsity=0.9)
        print(edge.W.shape, edge.fan_in, edge(jnp.ones((8, 784))).shape)
        ```

    Source:
        Badalotti et al. (2025) [badalotti2025dynamical], whose sparse networks draw each
        connection by itself; here each unit has the same number of them.
    """

    W: Float[Array, "out_features fan_in"]
    indices: Int[Array, "out_features fan_in"]
    strength: Float[Array, "..."]
    threshold: Float[Array, "..."]
    sender_shape: tuple[int, ...] = eqx.field(static=True)
    receiver_shape: tuple[int, ...] = eqx.field(static=True)
    reduction: Reduction = eqx.field(static=True)
    needs_key: ClassVar[bool] = False

    def __init__(
        self,
        in_features: int,
        out_features: int,
        strength: ArrayLike,
        threshold: ArrayLike,
        key: PRNGKeyArray,
        *,
        fan_in: int | None = None,
        sparsity: float | None = None,
        indices: ArrayLike | None = None,
        reduction: Reduction = "sqrt",
        dtype: DTypeLike = jnp.float32,
    ) -> None:
        owner = "SparseFullyConnected"
        n_in = width(owner, "in_features", in_features)
        n_out = width(owner, "out_features", out_features)
        self.sender_shape, self.receiver_shape = (n_in,), (n_out,)
        self.reduction = check_reduction(owner, reduction)
        self.strength = per_unit(owner, "strength", strength, n_out, dtype)
        self.threshold = per_unit(owner, "threshold", threshold, n_out, dtype)
        of_indices, of_weights = jax.random.split(key)
        if indices is None:
            connections = fan_in_of(owner, n_in, fan_in, sparsity)
            self.indices = draw_senders(of_indices, n_out, n_in, connections)
        else:
            self.indices = given_senders(owner, indices, n_out, n_in, fan_in, sparsity)
        self.W = gaussian(of_weights, self.indices.shape[1], n_out, self.strength, dtype).T

    @property
    def fan_in(self) -> int:
        """The number of incoming connections of each unit."""
        return self.W.shape[-1]

    def __call__(
        self, x: Float[Array, "n in_features"], rng: PRNGKeyArray | None = None
    ) -> Float[Array, "n out_features"]:
        """The message `x @ to_dense()`, over the connections alone; no randomness is used."""
        return gather_product(x, self.indices, self.W)

    def to_dense(self) -> Float[Array, "in_features out_features"]:
        """The dense matrix with the same message, for inspection and tests."""
        return _dense(self.sender_shape[0], self.indices, self.W)

    def trained(self) -> dict[str, bool | Array]:
        """The weights learn; the connections, strength and threshold do not."""
        return {"W": True}

    def increments(
        self, x: Array, y: Array, y_hat: Array, gate: Array | None = None
    ) -> dict[str, Array]:
        """The margin-perceptron increment of `W`."""
        added = sparse_margin_perceptron(
            x, self.indices, y, y_hat, self.threshold, reduction=self.reduction, gate=gate
        )
        return {"W": added}

    def target_faults(self, y: Array) -> Faults:
        """Labels need to be in {-1, +1}."""
        return (no_signs("SparseFullyConnected", y),)


@final
class SparseRecurrentDiscrete(AbstractLayer):
    """Units in {-1, +1}, each with a few couplings from other units, which learn.

    No unit is coupled to itself among these. The self-coupling `j_d` is a leaf of its own,
    which never learns.

    Args:
        features: number of units.
        j_d: the self-coupling; a scalar, or one value per unit.
        threshold: the margin asked for, in units of the local field; a scalar, or one
            value per unit.
        key: of the connections and the initial couplings,
            `J ~ strength * N(0, 1) / sqrt(fan_in)`.
        fan_in: the number of incoming connections of each unit. Give this or `sparsity`.
        sparsity: the share of the other units that a unit does not listen to, from 0 to
            below 1; the fan-in is then `round((1 - sparsity) * (features - 1))`, and 1 at
            least.
        strength: scale of the initial couplings; a scalar, or one value per unit. With 0
            they start at nothing and are what has been learned.
        reduction: how the rule adds up a batch, see `bionet.rules.margin_perceptron`.
        dtype: of the couplings.

    Raises:
        ValueError: a width that is no positive int, a fan-in larger than the number of
            other units, both or neither of `fan_in` and `sparsity`, a `j_d` or threshold
            of another shape, an unknown reduction.

    Example:
        ```python
        import jax
        import jax.numpy as jnp
        from bionet.modules.sparse import SparseRecurrentDiscrete

        layer = SparseRecurrentDiscrete(2000, 0.95, 1.0, jax.random.key(0), sparsity=0.99)
        x = layer.activation(jnp.zeros((8, 2000)))
        print(layer.J.shape, layer.j_d.shape, layer(x).shape)
        ```

    Source:
        Badalotti et al. (2025) [badalotti2025dynamical], whose sparse networks draw each
        connection by itself; here each unit has the same number of them.
    """

    J: Float[Array, "features fan_in"]
    j_d: Float[Array, " features"]
    indices: Int[Array, "features fan_in"]
    threshold: Float[Array, "..."]
    sender_shape: tuple[int, ...] = eqx.field(static=True)
    receiver_shape: tuple[int, ...] = eqx.field(static=True)
    reduction: Reduction = eqx.field(static=True)
    needs_key: ClassVar[bool] = False

    def __init__(
        self,
        features: int,
        j_d: ArrayLike,
        threshold: ArrayLike,
        key: PRNGKeyArray,
        *,
        fan_in: int | None = None,
        sparsity: float | None = None,
        strength: ArrayLike = 1.0,
        reduction: Reduction = "sqrt",
        dtype: DTypeLike = jnp.float32,
    ) -> None:
        owner = "SparseRecurrentDiscrete"
        n = width(owner, "features", features)
        connections = fan_in_of(owner, n - 1, fan_in, sparsity)
        self.sender_shape = self.receiver_shape = (n,)
        self.reduction = check_reduction(owner, reduction)
        self.threshold = per_unit(owner, "threshold", threshold, n, dtype)
        self.j_d = jnp.broadcast_to(per_unit(owner, "j_d", j_d, n, dtype), (n,))
        of_indices, of_couplings = jax.random.split(key)
        self.indices = without_self(draw_senders(of_indices, n, n - 1, connections))
        scale = per_unit(owner, "strength", strength, n, dtype)
        self.J = gaussian(of_couplings, connections, n, scale, dtype).T

    @property
    def fan_in(self) -> int:
        """The number of incoming connections of each unit, the self-coupling not counted."""
        return self.J.shape[-1]

    def __call__(
        self, x: Float[Array, "n features"], rng: PRNGKeyArray | None = None
    ) -> Float[Array, "n features"]:
        """The message of the layer to itself, over the couplings and the self-coupling."""
        return gather_product(x, self.indices, self.J) + x * self.j_d

    def to_dense(self) -> Float[Array, "features features"]:
        """The dense matrix with the same message, `j_d` on its diagonal."""
        return _dense(self.sender_shape[0], self.indices, self.J) + jnp.diag(self.j_d)

    def reduce(self, messages: Mapping[int, Array]) -> Float[Array, "n features"]:
        """The local field: the sum of the messages."""
        return sum_messages(messages)

    def activation(self, local_field: Float[Array, "n features"]) -> Float[Array, "n features"]:
        """The sign of the local field, with sign(0) = +1."""
        return hard_sign(local_field)

    def trained(self) -> dict[str, bool | Array]:
        """The couplings learn; who is coupled, the self-coupling and the threshold do not."""
        return {"J": True}

    def increments(
        self, x: Array, y: Array, y_hat: Array, gate: Array | None = None
    ) -> dict[str, Array]:
        """The margin-perceptron increment of `J`."""
        added = sparse_margin_perceptron(
            x, self.indices, y, y_hat, self.threshold, reduction=self.reduction, gate=gate
        )
        return {"J": added}

    def target_faults(self, y: Array) -> Faults:
        """Labels need to be in {-1, +1}."""
        return (no_signs("SparseRecurrentDiscrete", y),)


def _dense(senders: int, indices: Array, values: Array) -> Float[Array, "senders units"]:
    units = jnp.arange(values.shape[0])[:, None]
    return jnp.zeros((senders, values.shape[0]), values.dtype).at[indices, units].set(values)
