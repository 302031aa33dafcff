"""The protocol of a study, fixed before it runs: arms, data, seeds, budgets, metric, comparisons.

A study asks one question. It is written down once, as frozen data that is checked when it is
made, and everything that is run follows from it: the trials, their hashes, and what a report
may say. Whether the recipes, methods and fields that it names exist is checked by
`bionet.studies.design.configuration.check`, before the first trial; this file needs the standard
library.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, final, get_args

from bionet._core.names import unknown
from bionet._core.ownership import own_fields
from bionet.studies.design.spaces import Choice, LogUniform, Space, Uniform, Whole

Unit = Literal["epochs", "examples", "evaluations", "seconds"]
UNITS: Final = get_args(Unit)
"""The units of a training budget."""
LEAST_SEEDS: Final = 2
"""The fewest seeds that a report takes; a published study has five or more."""

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@final
@dataclass(frozen=True)
class Budget:
    """The training budget of every arm.

    "epochs" are passes over the training data, "examples" the training examples seen. An
    "evaluation" is one pass of a network over one batch: each member of a population is one, a
    gradient is one (forward and back), and so is one step of a local rule with all its phases.
    "seconds" are those of training and of looking at validation data, without compilation.

    A budget in examples or evaluations is turned into a number of steps beforehand. Where that is
    no whole number of passes, the epochs are cut a little shorter so that they come out even; it
    is overdrawn by less than one step per epoch. A budget in seconds ends with the epoch in which
    it is used up, so give `steps` where a pass over the data takes long.

    Args:
        amount: how much.
        unit: one of `UNITS`.
        steps: the most steps in an epoch, that is between two points of the learning curve; None
            is a whole pass over the data.

    Raises:
        ValueError: an amount that is not above 0, an unknown unit, or no step.

    Example:
        >>> Budget(100_000, "evaluations")
        Budget(amount=100000, unit='evaluations', steps=None)
    """

    amount: float
    unit: Unit = "epochs"
    steps: int | None = None

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise ValueError(f"Budget: {unknown('unit', self.unit, UNITS)}")
        if not (math.isfinite(self.amount) and self.amount > 0):
            raise ValueError(f"Budget: the amount needs to be above 0, got {self.amount}.")
        if self.unit != "seconds" and self.amount != int(self.amount):
            raise ValueError(f"Budget: {self.unit} come in whole numbers, got {self.amount}.")
        if self.steps is not None and self.steps < 1:
            raise ValueError(f"Budget: steps needs 1 or more, got {self.steps}.")


@final
@dataclass(frozen=True)
class Arm:
    """One of the things that are compared.

    Args:
        recipe: its id in the zoo.
        overrides: fields of the recipe's config with other values. `epochs` is for budgets in
            seconds alone, and says how many passes over the data a schedule of learning rates is
            planned for; a tuning trial with a shorter budget plans as many fewer.
        method: another method than the recipe's own, by name, as `Recipe.with_method` takes it.
        options: what to set of that method.
        control: take the recipe's frozen control in place of the trained network. Where its
            readout is solved, it has no budget and is not tuned: it chooses its own ridge on the
            validation split.

    Raises:
        ValueError: options without a method, or a control with one.
    """

    recipe: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    method: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    control: bool = False

    def __post_init__(self) -> None:
        own_fields(self, "overrides", "options")
        if self.options and self.method is None:
            raise ValueError(f"Arm on {self.recipe!r}: options belong to a method; name it too.")
        if self.control and self.method is not None:
            raise ValueError(
                f"Arm on {self.recipe!r}: control=True is the recipe's own frozen control; leave "
                f"the method {self.method!r} out."
            )


@final
@dataclass(frozen=True)
class Tuning:
    """The same number of tries for every arm, judged on validation data alone.

    Args:
        trials: how many per arm; `bionet study run --tune N` says another number.
        spaces: for every arm but frozen controls, what may change: the name of an option of the
            arm's method or of a field of its config, and a `Space`.
        seed: of the tuning trials, not one of the study's seeds.
        budget: of a tuning trial; None is the study's.

    Raises:
        TypeError: something that is no space.
        ValueError: no trial.
    """

    trials: int
    spaces: Mapping[str, Mapping[str, Space]]
    seed: int = 1000
    budget: Budget | None = None

    def __post_init__(self) -> None:
        own_fields(self, "spaces")
        if self.trials < 1:
            raise ValueError(f"Tuning: trials needs 1 or more, got {self.trials}.")
        for arm, spaces in self.spaces.items():
            for name, space in spaces.items():
                if not isinstance(space, (Uniform, LogUniform, Whole, Choice)):
                    raise TypeError(
                        f"Tuning: {name!r} of arm {arm!r} needs a Uniform, LogUniform, Whole or "
                        f"Choice, got {type(space).__name__}."
                    )


@final
@dataclass(frozen=True)
class Study:
    """One question, and how it is answered.

    Args:
        name: the study's name, in kebab case; every line of its results carries it.
        question: what it asks, in a sentence.
        arms: what is compared, by name in kebab case.
        seeds: of the trials of every arm: five or more for a study that is published, and two at
            least for a report.
        budget: how long each arm trains.
        dataset: the data that all arms learn, one that each recipe takes; None leaves each recipe
            with its own.
        tuning: how many tries each arm has before, and at what; None tunes nothing.
        metrics: the names of the metrics to report, the main one first; empty for that of the
            recipes.
        control: the name of the arm that is the frozen control.
        against: the name of the arm that the others are compared with, seed by seed.

    Raises:
        TypeError: an arm is no `Arm`, or a seed no whole number.
        ValueError: a name that is not in kebab case, no arm, no seed, a seed twice or one that
            tuning uses, or an arm that does not exist, with the nearest.

    Example:
        >>> study = Study(
        ...     name="local-or-backprop",
        ...     question="How far behind the gradient is a local rule?",
        ...     arms={"local": Arm("prototypes-local"), "gradient": Arm("prototypes-backprop")},
        ...     seeds=range(5),
        ...     budget=Budget(10, "epochs"),
        ...     against="gradient",
        ... )
        >>> study.seeds
        (0, 1, 2, 3, 4)
    """

    name: str
    question: str
    arms: Mapping[str, Arm]
    seeds: Sequence[int]
    budget: Budget
    dataset: str | None = None
    tuning: Tuning | None = None
    metrics: tuple[str, ...] = ()
    control: str | None = None
    against: str | None = None

    def __post_init__(self) -> None:
        where = f"Study {self.name!r}"
        _need_slug("Study: its name", self.name)
        if not self.question.strip():
            raise ValueError(f"{where} needs a question in words, got an empty one.")
        object.__setattr__(self, "seeds", _check_seeds(where, self.seeds))
        _check_arms(where, self.arms)
        own_fields(self, "arms")
        for role in ("control", "against"):
            arm = getattr(self, role)
            if arm is not None and arm not in self.arms:
                raise ValueError(f"{where}, {role}: {unknown('arm', arm, self.arms)}")
        if self.tuning is not None:
            _check_tuning(where, self.tuning, self.arms, self.seeds)

    @property
    def tuned(self) -> tuple[str, ...]:
        """The names of the arms that tuning concerns: all but frozen controls."""
        return tuple(name for name, arm in self.arms.items() if not arm.control)

    def check_seeds(self) -> None:
        """Checks that there are enough seeds for intervals and paired differences.

        Raises:
            ValueError: there are fewer than two.
        """
        if len(self.seeds) < LEAST_SEEDS:
            raise ValueError(
                f"Study {self.name!r} has {len(self.seeds)} seed, and a report needs "
                f"{LEAST_SEEDS} or more: one number has no interval. Add seeds and run it again; "
                "a published study has five."
            )


def _need_slug(where: str, name: Any) -> None:
    if not isinstance(name, str) or not _SLUG.fullmatch(name):
        raise ValueError(
            f"{where} needs to be in kebab case (small letters and digits, joined by hyphens, as "
            f"in 'local-vs-es'), got {name!r}."
        )


def _check_arms(where: str, arms: Any) -> None:
    if not isinstance(arms, Mapping) or not arms:
        raise ValueError(f"{where} needs arms, as {{name: Arm(...)}}, got {arms!r}.")
    for name, arm in arms.items():
        _need_slug(f"{where}: the name of an arm", name)
        if not isinstance(arm, Arm):
            raise TypeError(f"{where}: arm {name!r} needs an Arm, got {type(arm).__name__}.")


def _check_seeds(where: str, seeds: Any) -> tuple[int, ...]:
    if isinstance(seeds, (int, str)) or not isinstance(seeds, Sequence):
        raise TypeError(f"{where} needs its seeds one by one, as in range(5), got {seeds!r}.")
    found = tuple(seeds)
    for seed in found:
        if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**32:
            raise TypeError(f"{where}: a seed is a whole number from 0 on, got {seed!r}.")
    if not found or len(set(found)) < len(found):
        raise ValueError(f"{where} needs one seed at least and none twice, got {found}.")
    return found


def _check_tuning(
    where: str, tuning: Tuning, arms: Mapping[str, Arm], seeds: Sequence[int]
) -> None:
    for arm in tuning.spaces:
        if arm not in arms:
            raise ValueError(f"{where}, tuning: {unknown('arm', arm, arms)}")
        if arms[arm].control:
            raise ValueError(f"{where}, tuning: arm {arm!r} is a frozen control; leave it out.")
    without = [name for name, arm in arms.items() if not (arm.control or tuning.spaces.get(name))]
    if without:
        raise ValueError(
            f"{where} tunes all arms equally or none: {', '.join(without)} has no space to tune in."
        )
    if tuning.seed in seeds:
        raise ValueError(
            f"{where}, tuning: seed {tuning.seed} is one of the study's own; take another, so that "
            "nothing is chosen on what is reported."
        )
