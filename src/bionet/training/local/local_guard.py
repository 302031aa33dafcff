"""Checks of a first batch for local methods: labels that their rules learn, and the same network.

Local methods clamp `x` as it is and let the network settle. A predictor that does something else,
to the inputs for example, evaluates another network than the one that learns. bionet's own
predictors do nothing else. The answers of any other are looked for among those that the network
gives after so many free steps, in the order of their scores, so that a softmax or a factor on
the scores does not count.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from bionet.orchestrators.interface import AbstractOrchestrator
from bionet.states.sequential import SequentialState
from bionet.training.local.readout import FreeReadout
from bionet.training.method import MethodSpec
from bionet.training.problem import Predict

STEPS = 32  # in which a network is given the time to settle


def check_local(
    spec: MethodSpec,
    state: SequentialState,
    network: AbstractOrchestrator,
    batch: tuple[Array, ...],
    key: PRNGKeyArray,
    predict: Predict,
) -> None:
    """Refuses labels that the rules can't learn, and a predictor of another network.

    Args:
        spec: of the method.
        state: the sizes of its buffers.
        network: at the weights that it starts from.
        batch: inputs and labels.
        key: of what is random in the predictor.
        predict: how the network answers where it is evaluated.

    Raises:
        ValueError: such labels, buffers of other sizes, or a predictor whose answers are not
            those of the network after any number of free steps, although it settles.
    """
    labelled = state.init(*batch)
    check_labels(network, labelled.readout)
    if isinstance(predict, FreeReadout):
        if predict.state.sizes != state.sizes:
            raise ValueError(
                f"The method {spec.name!r} has buffers of sizes {state.sizes}, but the predictor "
                f"has {predict.state.sizes}; give both the same state."
            )
        return
    if any(module.needs_key for _, module in network.lmap.edge_items()):
        return  # what is random has no answer to be compared
    x, _ = batch
    answers, settled = _answers(network, state.init(x))
    found = _predict(predict, network, x, key)
    if not eqx.is_array(found):
        return  # no scores that could be compared
    if found.shape == answers.shape[1:] and settled and not _is_among(found, answers):
        raise ValueError(
            f"The method {spec.name!r} lets the network settle on the inputs as they are, but the "
            "predictor's answers are not those of the network after any number of free steps. "
            "Put what the predictor does to the inputs into the data, or take a method that "
            "follows any predictor, such as 'es'."
        )


def check_labels(network: AbstractOrchestrator, labels: Array) -> None:
    """Refuses labels that a rule of the last row can't learn.

    Raises:
        ValueError: such labels; the sentence is the module's.
    """
    last = network.lmap.last
    for module in (module for edge, module in network.lmap.edge_items() if edge[0] == last):
        for failed, sentence in module.target_faults(labels):
            if failed:
                raise ValueError(sentence)


@eqx.filter_jit
def _answers(
    network: AbstractOrchestrator, state: SequentialState
) -> tuple[Float[Array, "steps n k"], Bool[Array, ""]]:
    """The answers after 0, 1, ... free steps, and whether the last step changed nothing."""

    def step(
        before: SequentialState, _: None
    ) -> tuple[SequentialState, tuple[Array, Bool[Array, ""]]]:
        answer = network.predict(before, check=False)[0].readout
        after = network.step_inference(before, rng=None)[0]
        same = [(after[i] == before[i]).all() for i in network.lmap.rows()[:-1]]
        return after, (answer, jnp.stack([jnp.asarray(True), *same]).all())

    _, (answers, same) = jax.lax.scan(step, state, length=STEPS + 1)
    return answers, same[-1]


@eqx.filter_jit
def _predict(predict: Predict, model: AbstractOrchestrator, x: Array, key: PRNGKeyArray) -> Array:
    return predict(model, x, key)


def _is_among(found: Array, answers: Array) -> bool:
    """Returns whether an answer holds the scores of every sample in their order."""
    order = jnp.argsort(found, axis=-1, stable=True)
    return bool((jnp.argsort(answers, axis=-1, stable=True) == order).all(axis=(1, 2)).any())
