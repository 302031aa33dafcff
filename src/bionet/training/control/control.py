"""The control of a workload: how its network is measured with the hidden layers frozen.

There are three kinds. A network of a layer map is left at its random start with its dynamics and
without recurrence, whichever validation data prefer, and its readout is solved. Any other network
that names its linear readout has that readout solved. Where nothing can be solved, since no target
says what to answer (a policy), the readout alone is trained by a recipe's own method.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, final

from jaxtyping import PRNGKeyArray, PyTree

from bionet.training.control.frozen import FrozenHidden, FrozenOptions, frozen_control
from bionet.training.control.frozen_control import FrozenControl
from bionet.training.control.frozen_readout import FrozenReadout, frozen_readout_control
from bionet.training.control.linear_readout import LinearReadout
from bionet.training.control.restricted import TrainedReadout, inside
from bionet.training.evaluate import evaluate
from bionet.training.fit import fit
from bionet.training.method import AbstractMethod
from bionet.training.problem import Problem
from bionet.training.registry import METHODS, make_options
from bionet.training.workload import WorkloadLike, settling

Kind = Literal["dynamics", "solved", "trained"]
Trained = tuple[AbstractMethod, int]
"""A method, and the epochs for which it trains."""


@final
@dataclass(frozen=True)
class Control:
    """The frozen control of a workload; made by one of the three functions below.

    Attributes:
        kind: "dynamics", "solved" or "trained".
        linear: `config -> LinearReadout`, where the readout is solved.
        part: `model -> nodes`, where it is trained.
    """

    kind: Kind
    linear: Callable[[Any], LinearReadout] | None = None
    part: Callable[[PyTree], Any] | None = None

    @classmethod
    def frozen_dynamics(cls) -> Control:
        """Hidden layers of a layer map frozen, with or without their recurrence."""
        return cls("dynamics")

    @classmethod
    def solved_readout(cls, linear: Callable[[Any], LinearReadout]) -> Control:
        """A linear readout that is solved; `linear` says where it is, by config."""
        return cls("solved", linear=linear)

    @classmethod
    def trained_readout(cls, part: Callable[[PyTree], Any]) -> Control:
        """A readout that is trained; `part` gives its nodes, as for `eqx.tree_at`."""
        return cls("trained", part=part)

    @property
    def is_solved(self) -> bool:
        """True if one pass over the data is all that it takes."""
        return self.kind != "trained"

    def as_method(
        self, workload: WorkloadLike, config: Any, options: FrozenOptions, steps: int
    ) -> AbstractMethod:
        """The training method that leaves the network as this control does.

        Args:
            workload: of the control.
            config: of the workload.
            options: the penalty, or the method that trains the readout.
            steps: the updates of the run.

        Raises:
            ValueError: no method is named for a readout that has to be trained.
        """
        if self.kind == "dynamics":
            state, most = settling(workload, config, "frozen")
            return FrozenHidden(state, steps=most, ridge=options.ridge)
        if self.linear is not None:
            return FrozenReadout(self.linear(config), ridge=options.ridge)
        if options.method is None or self.part is None:
            raise ValueError(
                "The method 'frozen' needs the option `method`, the word of the method that trains "
                f"the readout, got None: that of workload {workload.id!r} can't be solved."
            )
        own = make_options(options.method, dict(options.method_options))
        method = METHODS[options.method].from_workload(workload, config, own, steps)
        return TrainedReadout(method, self.part)

    def restrict(self, problem: Problem, method: AbstractMethod) -> tuple[Problem, AbstractMethod]:
        """The problem and the method of a readout that is trained, for a loop of one's own.

        Raises:
            ValueError: the readout is solved.
        """
        if self.part is None:
            raise ValueError("Control.restrict: the readout is solved; call `measure`.")
        return inside(problem, method, self.part)

    def measure(
        self,
        workload: WorkloadLike,
        config: Any,
        problem: Problem,
        key: PRNGKeyArray,
        trained_by: Callable[[], Trained],
    ) -> FrozenControl:
        """Measures the control on a problem's data.

        Args:
            workload: of the control.
            config: of the workload.
            problem: with the untrained model and a validation split.
            key: of the order of the batches, and of what is random in the model.
            trained_by: gives the method and the epochs for a readout that is trained.
        """
        if self.kind == "dynamics":
            state, most = settling(workload, config, "frozen")
            return frozen_control(problem, state, steps=most, key=key)
        if self.linear is not None:
            return frozen_readout_control(problem, self.linear(config), key=key)
        method, epochs = trained_by()
        return self._train(problem, method, epochs, key)

    def _train(
        self, problem: Problem, method: AbstractMethod, epochs: int, key: PRNGKeyArray
    ) -> FrozenControl:
        if self.part is None:
            raise ValueError("Control: a readout that is trained needs `part`, got None.")
        method = TrainedReadout(method, self.part)
        fitted = fit(problem, method, epochs=epochs, key=key, progress=False)
        examples = problem.validation
        validation = {} if examples is None else evaluate(problem, fitted.model, examples, key)
        return FrozenControl(fitted.model, "trained", float("nan"), validation, fitted.test)
