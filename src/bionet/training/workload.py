"""The workload as far as methods ask: what a method is made from.

`bionet.workloads` has them. Methods need only what this protocol names, so that training imports
nothing above it.
"""

from __future__ import annotations

from typing import Any, Protocol

from jaxtyping import PRNGKeyArray, PyTree

from bionet.states.sequential import SequentialState
from bionet.training.objective import Objective


class WorkloadLike(Protocol):
    """An application on an architecture, without a method."""

    @property
    def id(self) -> str:
        """Its name, for the messages."""
        ...

    @property
    def control(self) -> Any:
        """The way it is measured with its hidden layers frozen; None where nothing is hidden."""
        ...

    def build(self, config: Any, key: PRNGKeyArray, /) -> PyTree:
        """The untrained network; the same key gives the same network."""
        ...

    def objective(self, config: Any, /) -> Objective:
        """Returns the way the network answers, with the loss of an answer."""
        ...

    def state(self, config: Any, /) -> SequentialState | None:
        """The sizes of the network's buffers; None where it is no orchestrator."""
        ...

    def settling_steps(self, config: Any, /) -> int | None:
        """The most steps in which an answer settles; None where nothing settles."""
        ...


def settling(workload: WorkloadLike, config: Any, method: str) -> tuple[SequentialState, int]:
    """The sizes of the buffers of a network that settles, and its most steps.

    Args:
        workload: of the network.
        config: of the workload.
        method: the word of the method that asks, for the message.

    Raises:
        ValueError: the network has no buffers that settle.
    """
    state, steps = workload.state(config), workload.settling_steps(config)
    if state is None or steps is None:
        raise ValueError(
            f"The method {method!r} needs an orchestrator, whose modules have local rules, but "
            f"the network of workload {workload.id!r} is none. Take another method."
        )
    return state, steps
