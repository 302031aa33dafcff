"""From an arm to a recipe that is set up, to the full configuration of its trials, and back.

What a study names is looked up here, before anything runs: recipes, data sets, methods, options,
fields, and what is tuned. A name that does not exist is told with the nearest ones.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from bionet import zoo
from bionet._core.names import unknown
from bionet.studies.design.protocol import Arm, Budget, Study
from bionet.studies.design.spaces import Choice
from bionet.studies.design.trial import Config, Trial
from bionet.training.registry import METHODS
from bionet.zoo.recipe import Recipe
from bionet.zoo.registry import UnknownRecipeError
from bionet.zoo.setup import Setup

COSTS: Final = ("evaluations", "examples", "seconds")
"""What a point of a learning curve has beside the epoch, the loss and the metric."""


def final_trials(study: Study, arm: str, change: Mapping[str, Any] | None = None) -> list[Trial]:
    """The trials of an arm that are reported, one per seed.

    Args:
        study: the study.
        arm: the name of the arm.
        change: the values that tuning has chosen.
    """
    config = config_of(study, arm, change or {}, study.budget)
    return [Trial(study.name, arm, seed, "final", config) for seed in study.seeds]


def config_of(study: Study, arm: str, change: Mapping[str, Any], budget: Budget) -> Config:
    """The full configuration of an arm, as plain JSON.

    Args:
        study: the study.
        arm: the name of the arm.
        change: values of options and fields in place of the arm's own.
        budget: of the trial, which need not be the study's.

    Raises:
        ValueError: see `recipe_of`.
    """
    change = {**change, **count_planned(study, arm, budget)}
    declared = study.arms[arm]
    recipe = recipe_of(study, arm, change)
    setup = replace(
        setup_of(study, arm, change), budget=asdict(budget) | {"amount": float(budget.amount)}
    )
    config = setup.to_dict() | {"control": declared.control}
    return config | control_revision(recipe, declared)


def control_revision(recipe: Recipe[Any], arm: Arm) -> dict[str, int]:
    """The revision of a frozen control, where its code has changed since it was first measured.

    Nothing else of a control arm's configuration moves when its recipe gets another control, so
    its lines would stand for a control that is no more. Revision 1 is left out: it is that of all
    lines from before there were revisions.
    """
    revision = recipe.revision("control")
    return {"control_revision": revision} if arm.control and revision > 1 else {}


def count_planned(study: Study, arm: str, budget: Budget) -> dict[str, int]:
    """The passes that a schedule of learning rates is planned for, where a clock ends the trial.

    The arm says them for the study's budget; a shorter trial plans as many fewer. Under any other
    budget they follow from it, and nothing is said here.
    """
    passes = study.arms[arm].overrides.get("epochs")
    if passes is None or budget.unit != "seconds":
        return {}
    return {"epochs": max(round(passes * budget.amount / study.budget.amount), 1)}


def change_arm(arm: Arm, change: Mapping[str, Any]) -> Arm:
    """The arm with other values of options, where its method has them, and else of fields."""
    options, overrides = dict(arm.options), dict(arm.overrides)
    for name, value in change.items():
        (options if name in option_names(arm) else overrides)[name] = value
    return dataclasses.replace(arm, options=options, overrides=overrides)


def option_names(arm: Arm) -> list[str]:
    """Lists what can be set of an arm's method; nothing where it is the recipe's own."""
    if arm.method is None or arm.method not in METHODS:
        return []
    return [field.name for field in dataclasses.fields(METHODS[arm.method].Options)]


def recipe_of(study: Study, arm: str, change: Mapping[str, Any] | None = None) -> Recipe[Any]:
    """The recipe of an arm, as it is set up; no data are loaded and nothing is built.

    Raises:
        UnknownRecipeError: no such recipe; the message names the nearest.
        ValueError: a data set that the recipe does not take, or an unknown field, method or
            option, with the nearest.
    """
    where = f"Arm {arm!r} of study {study.name!r}"
    try:
        recipe = zoo.get(study.arms[arm].recipe)
        if study.dataset is not None and study.dataset not in recipe.spec.datasets:
            raise ValueError(
                f"recipe {recipe.id!r} does not take the data set {study.dataset!r}; it takes "
                f"{', '.join(recipe.spec.datasets)}. Take another recipe for this arm, or another "
                "data set for the study."
            )
        return setup_of(study, arm, change or {}).build()
    except UnknownRecipeError as error:
        raise UnknownRecipeError(f"{where}: {error}") from error
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where}: {error}") from error


def setup_of(study: Study, arm: str, change: Mapping[str, Any]) -> Setup:
    """The setup of an arm, with these values of options and numbers in place of its own."""
    declared = change_arm(study.arms[arm], change)
    return Setup(
        declared.recipe, study.dataset, declared.overrides, declared.method, declared.options
    )


def check(study: Study) -> None:
    """Looks up everything that a study names, and lets each method look at its model.

    Raises:
        UnknownRecipeError: an arm's recipe does not exist.
        ValueError: what an arm names does not exist or does not fit, with the nearest names.
    """
    metrics = {}
    for name, arm in study.arms.items():
        recipe = recipe_of(study, name)
        where = f"Arm {name!r} of study {study.name!r}"
        if "epochs" in arm.overrides and study.budget.unit != "seconds":
            raise ValueError(f"{where}: the study's budget says how long; leave epochs out.")
        if arm.method is not None:
            try:
                recipe.with_method(arm.method, **arm.options)
            except ValueError as error:
                raise ValueError(f"{where}: {error}") from error
        if recipe.metric in COSTS:
            raise ValueError(
                f"{where}: the metric is named {recipe.metric!r}, which a learning curve has for "
                f"a cost ({', '.join(COSTS)}). Name it otherwise."
            )
        metrics[recipe.metric] = name
        _check_spaces(study, name, recipe)
    if len(metrics) > 1:
        told = " and ".join(f"{arm!r} by {metric}" for metric, arm in metrics.items())
        raise ValueError(f"Study {study.name!r} needs one metric, but judges {told}.")
    for metric in study.metrics:
        if metric not in (known := ("loss", *metrics)):
            raise ValueError(f"Study {study.name!r}: {unknown('metric', metric, known)}")


def _check_spaces(study: Study, arm: str, recipe: Recipe[Any]) -> None:
    """Checks that what is tuned exists, and that each value of a choice is taken."""
    if study.tuning is None:
        return
    known = [*option_names(study.arms[arm]), *recipe.flat]
    for name, space in study.tuning.spaces.get(arm, {}).items():
        where = f"Arm {arm!r} of study {study.name!r}, tuning"
        if name not in known or name == "epochs":
            told = unknown("option or field", name, [each for each in known if each != "epochs"])
            raise ValueError(f"{where}: {told}")
        ends = space.values if isinstance(space, Choice) else (space.low, space.high)
        for value in ends:
            recipe_of(study, arm, {name: value})


def asdict(config: Any) -> Config:
    """The fields of a dataclass, also where one of them is no plain value."""
    return {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
