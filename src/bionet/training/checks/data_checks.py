"""Looks at the values of a problem's data, once and outside of the compiled epochs.

A compiled program knows no values, and a check inside it is a call back to the host, which keeps
the program out of JAX's persistent cache. So the inputs and labels that enter a network of a layer
map are looked at here: held arrays at the door of `fit`, generated batches by a flag that an epoch
carries out. What is wrong is told in the words of `SequentialState.init` and of the modules.
"""

from __future__ import annotations

from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from bionet._core.checks import BadValuesError, Faults
from bionet.orchestrators.interface import AbstractOrchestrator
from bionet.states.sequential import not_finite
from bionet.training.batches import AbstractBatches, ArrayBatches, Examples, StackedBatches
from bionet.training.control.restricted import Restricted
from bionet.training.local.local_method import AbstractLocalMethod
from bionet.training.method import AbstractMethod
from bionet.training.problem import Problem
from bionet.training.run.devices import ShardedBatches

FLAG: Final = "faulty_batch"
"""The name under which an epoch of generated batches carries its flags out."""


def check_data(problem: Problem, method: AbstractMethod) -> None:
    """Refuses held data that a network of a layer map can't take or a local rule can't learn.

    Args:
        problem: gives the data; a model that is no orchestrator takes what it likes.
        method: a local one asks the network's modules about the training labels.

    Raises:
        BadValuesError: NaN or infinity, or labels that the rules of the last row can't learn.
    """
    train = find_arrays(problem.train)
    if train is not None:
        check_batch(method, problem.model, train)
    for split, examples in (("validation", problem.validation), ("test", problem.test)):
        if examples is not None:
            check_examples(problem.model, examples, split)


def check_batch(method: AbstractMethod, model: Any, batch: tuple[Array, ...]) -> None:
    """Refuses inputs and labels of one batch to learn from, or of all of them in a row.

    Raises:
        BadValuesError: as `check_data`.
    """
    network = network_of(model)
    if network is None:
        return
    _check_finite(batch, "training")
    if is_local(method):
        for failed, sentence in label_faults(network, batch[-1]):
            if failed:
                raise BadValuesError(sentence)


def check_examples(model: Any, examples: Examples, split: str) -> None:
    """Refuses examples that a network of a layer map can't be judged on.

    Raises:
        BadValuesError: NaN or infinity.
    """
    if network_of(model) is not None:
        _check_finite((examples.x, examples.y), split)


def network_of(model: Any) -> AbstractOrchestrator | None:
    """The network of a layer map that a model is, or of which a part may learn; or None."""
    whole = model.whole if isinstance(model, Restricted) else model
    return whole if isinstance(whole, AbstractOrchestrator) else None


def is_faulty(method: AbstractMethod, model: Any, batch: tuple[Array, ...]) -> Bool[Array, ""]:
    """A flag that is up for a batch that `check_batch` would refuse; for compiled programs."""
    network = network_of(model)
    if network is None:
        return jnp.asarray(False)
    flags = [~jnp.isfinite(part).all() for part in (batch[0], batch[-1])]
    if is_local(method):
        flags += [failed for failed, _ in label_faults(network, batch[-1])]
    return jnp.stack(flags).any()


def is_local(method: AbstractMethod) -> bool:
    """Returns whether the modules' own rules learn from the labels, in it or in a method inside."""
    nodes = jax.tree.leaves(method, is_leaf=lambda node: isinstance(node, AbstractLocalMethod))
    return any(isinstance(node, AbstractLocalMethod) for node in nodes)


def label_faults(network: AbstractOrchestrator, labels: Array) -> Faults:
    """Flags that are up where a rule of the last row can't learn the labels."""
    last = network.lmap.last
    modules = (module for edge, module in network.lmap.edge_items() if edge[0] == last)
    return tuple(fault for module in modules for fault in module.target_faults(labels))


def find_arrays(batches: AbstractBatches) -> tuple[Array, ...] | None:
    """The arrays of batches that are held, samples in front; None for batches that are made."""
    inner = batches.batches if isinstance(batches, ShardedBatches) else _inner(batches)
    if inner is not None:
        return find_arrays(inner)
    if isinstance(batches, ArrayBatches):
        return batches.examples.x, batches.examples.y
    if isinstance(batches, StackedBatches):
        return tuple(part.reshape(-1, *part.shape[2:]) for part in batches.parts)
    return None


def _inner(batches: AbstractBatches) -> AbstractBatches | None:
    """The source of batches that are some of another source's, under the name `inner`."""
    inner = getattr(batches, "inner", None)
    return inner if isinstance(inner, AbstractBatches) else None


def _check_finite(batch: tuple[Array, ...], split: str) -> None:
    for name, array in (("x", batch[0]), ("y", batch[-1])):
        numbers = np.asarray(array)
        if numbers.dtype.kind in "fc" and not np.isfinite(numbers).all():
            raise BadValuesError(f"{not_finite(name)} Look at the {split} data.")
