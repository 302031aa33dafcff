"""The training methods by name, so that one word puts another one on the network of a recipe.

Each entry says what can be set, as a frozen dataclass of options with a comment each, and makes
the method for a recipe's task: its loss, the sizes of its buffers where the network is an
orchestrator, and its own method. What a method needs and a model lacks is told by the method
itself, when it is started.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import optax

from bionet._core.names import unknown
from bionet.experimental.hybrid import LocalES, SelfGuidedES, SurrogateES
from bionet.states.sequential import SequentialState
from bionet.training.contrastive import Contrastive
from bionet.training.error_phase import ErrorPhase
from bionet.training.evolution import Evolution, takes_optimizer
from bionet.training.feedback_alignment import DirectFeedbackAlignment, FeedbackAlignment
from bionet.training.frozen import FrozenHidden
from bionet.training.frozen_readout import FrozenReadout, LinearReadout
from bionet.training.gradient import Gradient
from bionet.training.local_method import AbstractLocalMethod
from bionet.training.lowrank_es import LowRankES
from bionet.training.method import AbstractMethod
from bionet.training.objective import Objective
from bionet.training.random_search import RandomSearch
from bionet.training.restricted import TrainedReadout
from bionet.training.storage import Rule, Storage
from bionet.training.surrogate import SurrogateGradient
from bionet.training.two_phase import TwoPhase

OPTIMIZERS: Final = (
    *("adabelief", "adafactor", "adagrad", "adam", "adamax", "adamw", "amsgrad", "lamb"),
    *("lion", "nadam", "novograd", "radam", "rmsprop", "sgd", "sign_sgd", "signum", "yogi"),
)
"""The optimisers of Optax that need a learning rate and nothing else."""


@dataclass(frozen=True)
class Task:
    """What a recipe offers to a method.

    Attributes:
        recipe: its id, for the messages.
        objective: its loss.
        state: the sizes of the network's buffers; None for a model that has none.
        steps: in how many steps its network settles; None where nothing settles.
        linear: where its linear readout is; None where it has none.
        readout: the nodes that its frozen control trains where nothing can be solved, or None.
        own: the recipe's own method.
    """

    recipe: str
    objective: Objective
    state: SequentialState | None
    steps: int | None
    linear: LinearReadout | None
    own: AbstractMethod
    readout: Callable[[Any], Any] | None = None

    def settling(self, method: str) -> tuple[SequentialState, int]:
        """The sizes of the buffers and the steps to settle.

        Raises:
            ValueError: the recipe's network has no buffers that settle.
        """
        if self.state is None or self.steps is None:
            raise ValueError(
                f"The method {method!r} needs an orchestrator, whose modules have local rules, but "
                f"the network of recipe {self.recipe!r} is none. Take another method."
            )
        return self.state, self.steps


@dataclass(frozen=True)
class Descent:
    """Options of a method that leaves the step to an optimiser."""

    learning_rate: float = 1e-3  # of the optimiser
    optimizer: str = "adam"  # the optimiser, by its name in Optax

    def made(self) -> optax.GradientTransformation:
        """The optimiser.

        Raises:
            ValueError: Optax has none of that name; the nearest are told.
        """
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(unknown("optimiser", self.optimizer, OPTIMIZERS))
        return getattr(optax, self.optimizer)(self.learning_rate)


@dataclass(frozen=True)
class Settling(Descent):
    """Options of the methods that settle."""

    learning_rate: float = 2e-3  # of the optimiser
    clamped: int | None = None  # most steps with the label; None is the recipe's number of steps
    free: int | None = None  # most steps without it; None is the recipe's number of steps


@dataclass(frozen=True)
class Twin(Descent):
    """Options of backprop."""

    gain: float = 1.0  # steepness of the tanh that stands for a sign in a binary network


@dataclass(frozen=True)
class Stand(Descent):
    """Options of surrogate gradients."""

    kind: str = "arctan"  # the surrogate of a binary network's signs
    slope: float | None = None  # how steeply it falls off; None is usual for the kind


@dataclass(frozen=True)
class Feedback(Descent):
    """Options of feedback alignment."""

    strength: float = 1.0  # scale of the fixed feedback weights


@dataclass(frozen=True)
class Ridge:
    """Options of the frozen control as a method."""

    ridge: float = 100.0  # penalty on the readout weights; nothing to a readout that is trained


@dataclass(frozen=True)
class Strategy(Descent):
    """Options of evolution."""

    learning_rate: float = 1e-2  # of the optimiser, for strategies that have one
    strategy: str = "Open_ES"  # the strategy, by its name in evosax
    population: int = 64  # members per step
    sigma: float = 0.05  # standard deviation of the first population
    chunk: int | None = None  # members that exist at a time; None is all


@dataclass(frozen=True)
class LowRank(Descent):
    """Options of low-rank ES."""

    learning_rate: float = 1e-2  # of the optimiser
    rank: int = 1  # of a member's perturbation of each matrix
    population: int = 256  # members per step
    antithetic: bool = True  # whether they come in pairs of opposite noise
    sigma: float = 0.05  # standard deviation of the perturbations
    chunk: int | None = None  # members that are evaluated at a time; None is all


@dataclass(frozen=True)
class Search:
    """Options of random search."""

    population: int = 64  # members per step
    sigma: float = 0.05  # standard deviation of the steps
    chunk: int | None = None  # members that exist at a time; None is all


@dataclass(frozen=True)
class LocalCorrected:
    """Options of a local rule that is corrected by evolution."""

    num_samples: int = 8  # pairs of evaluations per step
    sigma: float = 0.05  # standard deviation of the perturbations
    lam: float = 0.2  # how much of the correction is added
    normalize: bool = True  # whether that is a share of the local direction's length; False is raw
    snr: bool = False  # whether it is scaled by the correction's share of signal
    chunk: int | None = None  # perturbed models that exist at a time; None is all


@dataclass(frozen=True)
class Corrected(LocalCorrected, Descent):
    """Options of a gradient that is corrected by evolution."""


@dataclass(frozen=True)
class Guided(LocalCorrected, Descent):
    """Options of self-guided evolution."""

    lam: float = 1.0  # how much of what lies beside the direction is added
    normalize: bool = False  # whether that is a share of the direction's length


@dataclass(frozen=True)
class Storing(Descent):
    """Options of storage."""

    learning_rate: float = 1.0  # of the optimiser
    optimizer: str = "sgd"  # the optimiser, by its name in Optax
    rule: Rule = "perceptron"  # or hebb


@dataclass(frozen=True)
class Entry:
    """A method that can be switched on by name.

    Attributes:
        options: the dataclass of what can be set.
        make: `(task, options) -> method`.
    """

    options: type
    make: Callable[[Task, Any], AbstractMethod]


def _two_phase(task: Task, o: Settling) -> TwoPhase:
    state, steps = task.settling("two-phase")
    clamped, free = (steps if n is None else n for n in (o.clamped, o.free))
    return TwoPhase(state, optimizer=o.made(), clamped=clamped, free=free)


def _contrastive(task: Task, o: Settling) -> Contrastive:
    state, steps = task.settling("contrastive")
    clamped, free = (steps if n is None else n for n in (o.clamped, o.free))
    return Contrastive(state, optimizer=o.made(), clamped=clamped, free=free)


def _error_phase(task: Task, o: Settling) -> ErrorPhase:
    state, steps = task.settling("error-phase")
    clamped, free = 1 if o.clamped is None else o.clamped, o.free or 0
    return ErrorPhase(state, optimizer=o.made(), warmup=steps, clamped=clamped, free=free)


def _frozen(task: Task, o: Ridge) -> AbstractMethod:
    if task.linear is not None:
        return FrozenReadout(task.linear, ridge=o.ridge)
    if task.state is not None and task.steps is not None:
        return FrozenHidden(task.state, steps=task.steps, ridge=o.ridge)
    if task.readout is not None:
        return TrainedReadout(task.own, task.readout)
    raise ValueError(
        f"The method 'frozen' needs a hidden layer to freeze and a readout to solve or train, but "
        f"recipe {task.recipe!r} has no frozen control: all weights of its network are what is to "
        "be learned. Its baselines say what can be had without training them."
    )


def _evolution(task: Task, o: Strategy) -> Evolution:
    own: dict[str, Any] = {"optimizer": o.made()} if takes_optimizer(o.strategy) else {}
    return Evolution(
        task.objective,
        o.strategy,
        population=o.population,
        sigma=o.sigma,
        chunk=o.chunk,
        **own,
    )


def _low_rank(task: Task, o: LowRank) -> LowRankES:
    return LowRankES(
        task.objective,
        rank=o.rank,
        population=o.population,
        sigma=o.sigma,
        antithetic=o.antithetic,
        chunk=o.chunk,
        optimizer=o.made(),
    )


def _search(task: Task, o: Search) -> RandomSearch:
    return RandomSearch(task.objective, population=o.population, sigma=o.sigma, chunk=o.chunk)


def _local_es(task: Task, o: LocalCorrected) -> LocalES:
    task.settling("local-es")
    local = task.own
    if not isinstance(local, AbstractLocalMethod):
        local = _two_phase(task, Settling())
    return LocalES(task.objective, local, **dataclasses.asdict(o))


def _kept(options: Any) -> dict[str, Any]:
    """The options without those of the optimiser."""
    given = dataclasses.asdict(options)
    return {name: given[name] for name in given if name not in ("learning_rate", "optimizer")}


METHODS: Final[Mapping[str, Entry]] = {
    "two-phase": Entry(Settling, _two_phase),
    "error-phase": Entry(Settling, _error_phase),
    "contrastive": Entry(Settling, _contrastive),
    "feedback-alignment": Entry(
        Feedback,
        lambda task, o: FeedbackAlignment(task.objective, o.made(), strength=o.strength),
    ),
    "dfa": Entry(
        Feedback,
        lambda task, o: DirectFeedbackAlignment(task.objective, o.made(), strength=o.strength),
    ),
    "backprop": Entry(Twin, lambda task, o: Gradient(task.objective, o.made(), gain=o.gain)),
    "surrogate": Entry(
        Stand,
        lambda task, o: SurrogateGradient(task.objective, o.made(), kind=o.kind, slope=o.slope),
    ),
    "es": Entry(Strategy, _evolution),
    "lowrank-es": Entry(LowRank, _low_rank),
    "random-search": Entry(Search, _search),
    "local-es": Entry(LocalCorrected, _local_es),
    "surrogate-es": Entry(
        Corrected, lambda task, o: SurrogateES(task.objective, o.made(), **_kept(o))
    ),
    "self-guided-es": Entry(
        Guided, lambda task, o: SelfGuidedES(task.objective, o.made(), **_kept(o))
    ),
    "storage": Entry(Storing, lambda task, o: Storage(o.rule, optimizer=o.made())),
    "frozen": Entry(Ridge, _frozen),
}
"""The methods that `Recipe.with_method` and `bionet run --method` know."""


@dataclass(frozen=True)
class Switch:
    """Another method than a recipe's own, with its options; hashable, so it compiles once."""

    name: str
    options: Any

    @classmethod
    def of(cls, name: str, options: Mapping[str, Any]) -> Switch:
        """The method of this name.

        Raises:
            ValueError: no method has that name, or it has no such option; the nearest are told.
        """
        if name not in METHODS:
            raise ValueError(unknown("method", name, METHODS))
        kind = METHODS[name].options
        known = [field.name for field in dataclasses.fields(kind)]
        for option in options:
            if option not in known:
                raise ValueError(f"In method {name!r}: {unknown('option', option, known)}")
        return cls(name, kind(**options))

    def make(self, task: Task) -> AbstractMethod:
        """The method, for a recipe's task."""
        return METHODS[self.name].make(task, self.options)
