"""One batch over several devices: each takes its share of the samples.

The network is on every device, the batch is cut along its leading axis. Nothing else
changes: the same method, the same `fit`, the same numbers up to the order of a sum.
The compiler finds out where devices have to talk, which is where a batch is summed up:
in what is learned, and in the question whether all of it has settled.

    mesh = batch_mesh()
    fit(replace(problem, train=ShardedBatches(problem.train, mesh)), method, ...)

What is found wrong while a program runs, a label that is neither -1 nor +1 for example,
stops one device while the others wait for it, and JAX ends the process without our
sentence. Run new data on one device first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Int, PRNGKeyArray, PyTree

from bionet.training.batches import AbstractBatches, Batch

AXIS = "batch"


def batch_mesh(devices: Sequence[Any] | None = None) -> Mesh:
    """A row of devices for a batch to be cut over.

    Args:
        devices: which; None takes all that JAX sees.

    Raises:
        ValueError: there are none.
    """
    chosen = jax.devices() if devices is None else list(devices)
    if not chosen:
        raise ValueError("batch_mesh: needs one device at least, got none.")
    return Mesh(np.asarray(chosen), (AXIS,))


@final
class ShardedBatches(AbstractBatches):
    """The batches of another source, each cut evenly over the devices of a mesh.

    Args:
        batches: any source.
        mesh: devices in one row, as `batch_mesh` makes them.

    Raises:
        ValueError: a mesh with more axes than one, or a batch that the number of devices
            does not divide.

    Example:
        ```python
        from dataclasses import replace

        import jax
        from bionet import fit, zoo
        from bionet.training import ShardedBatches, batch_mesh

        recipe = zoo.get("prototypes-local")
        problem = recipe.problem(seed=0)
        sharded = replace(problem, train=ShardedBatches(problem.train, batch_mesh()))
        result = fit(sharded, recipe.build_method(), epochs=1, key=jax.random.key(0))
        print(result.test["accuracy"] > 0.5)
        ```
    """

    batches: AbstractBatches
    mesh: Mesh = eqx.field(static=True)

    def __init__(self, batches: AbstractBatches, mesh: Mesh) -> None:
        if len(mesh.axis_names) != 1:
            raise ValueError(
                f"ShardedBatches: needs a mesh with one axis, got {mesh.axis_names}; "
                "make one by batch_mesh()."
            )
        self.batches, self.mesh = batches, mesh
        for part in jax.tree.leaves(eqx.filter_eval_shape(_first, batches)):
            if part.ndim == 0 or part.shape[0] % mesh.size:
                raise ValueError(
                    f"ShardedBatches: a batch of shape {part.shape} can't be cut into "
                    f"{mesh.size} equal parts, one per device; take a batch size that is a "
                    f"multiple of {mesh.size}, or fewer devices."
                )

    @property
    def num_batches(self) -> int:
        """As many as the source has."""
        return self.batches.num_batches

    def plan(self, key: PRNGKeyArray) -> PyTree:
        """The plan of the source, which all devices share."""
        return self.batches.plan(key)

    def batch(self, plan: PyTree, index: Int[Array, ""]) -> Batch:
        """Batch number `index` of the source, a share of its samples on each device."""
        cut = NamedSharding(self.mesh, PartitionSpec(*self.mesh.axis_names))
        whole = self.batches.batch(plan, index)
        return tuple(jax.lax.with_sharding_constraint(part, cut) for part in whole)


def _first(batches: AbstractBatches) -> Batch:
    key = jax.random.key(0)
    return batches.batch(batches.plan(key), jnp.asarray(0))
