"""A recipe: one application, one network, one method, and all that is needed to run it.

A recipe file hands over plain functions of its config: data, network, method, baselines.
This class puts them together in the same way for every recipe. It builds the problem,
trains it, trains the frozen control beside it, measures both on data that neither has
seen, and returns a `Result`. `with_method` puts another method on the same problem.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Generic, TypeVar, final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from bionet._core.names import unknown
from bionet.datasets import Parts, Splits, one_vs_all
from bionet.states.sequential import SequentialState
from bionet.training.batches import ArrayBatches, Examples
from bionet.training.fit import Callback, FitResult, fit
from bionet.training.frozen_readout import LinearReadout
from bionet.training.method import AbstractMethod
from bionet.training.objective import Objective
from bionet.training.problem import Problem
from bionet.training.twin import has_signs
from bionet.zoo.control import control_of
from bionet.zoo.methods import Switch, Task
from bionet.zoo.registry import REGISTRY
from bionet.zoo.result import Result
from bionet.zoo.spec import RecipeSpec

C = TypeVar("C")

PARTS: Final = ("control", "baselines", "ablation")
"""What stands beside a recipe in its evidence, each with a revision of its own."""


@final
@dataclass(frozen=True)
class Recipe(Generic[C]):
    """A runnable recipe; `zoo.get(id)` returns one.

    Attributes:
        id: its name in the zoo.
        defaults: its config, a frozen dataclass with the fields `dataset`, `epochs` and
            `batch_size` among others.
        data: `(config, seed) -> Splits`, or `Parts` where the targets are no classes.
        network: `(config, key) -> model`.
        trainer: `config -> method`.
        predictor: `config -> predict`.
        objective: `config -> loss`.
        score: the metric of the problem, and `metric` its name.
        synthetic: `(config, key, batch_size) -> (x, y)`, made without files.
        baselines: `(config, splits) -> {name: metric on the test split}`.
        sizes: `config -> SequentialState` with the sizes of the network's buffers, if it is
            an orchestrator.
        control_steps: `config -> steps` in which an orchestrator's frozen control settles.
        linear: `config -> LinearReadout` of another model whose frozen control is solved.
        readout: `model -> nodes` that the frozen control trains where nothing can be solved.
        ablation: the fields that take out the part that the recipe is about.
        ablated: what `ablation` takes out, in words.
        switched: the method that `with_method` has put in place of the recipe's own.
        presets: by data set, the fields in which its config differs from the defaults.
        brief: the fields in which its demo is shorter than a run at the defaults.
        changes: the fields that the user has replaced; they win over presets.
        revisions: how often "control", "baselines" or "ablation" was changed, counted from 1. A
            change of what stands beside the recipe moves none of its own numbers; raising the
            revision is what has that part measured again.

    Raises:
        ValueError: a revision of something else, or one that is no whole number from 1 on.
    """

    id: str
    defaults: C
    data: Callable[[C, int], Splits | Parts]
    network: Callable[[C, PRNGKeyArray], Any]
    trainer: Callable[[C], AbstractMethod]
    predictor: Callable[[C], Callable[..., Array]]
    objective: Callable[[C], Callable[..., Array]]
    score: Callable[[Array, Array], Array]
    synthetic: Callable[[C, PRNGKeyArray, int], tuple[Array, Array]]
    baselines: Callable[[C, Any], Mapping[str, float]]
    sizes: Callable[[C], SequentialState] | None = None
    control_steps: Callable[[C], int] | None = None
    linear: Callable[[C], LinearReadout] | None = None
    readout: Callable[[Any], Any] | None = None
    ablation: Mapping[str, Any] = field(default_factory=dict)
    ablated: str = ""
    switched: Switch | None = None
    metric: str = "accuracy"
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    brief: Mapping[str, Any] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)
    revisions: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for part, revision in self.revisions.items():
            if part not in PARTS:
                raise ValueError(f"Recipe {self.id!r}, revisions: {unknown('part', part, PARTS)}")
            if not isinstance(revision, int) or isinstance(revision, bool) or revision < 1:
                raise ValueError(
                    f"Recipe {self.id!r}: the revision of {part!r} must be a whole number >= 1, "
                    f"got {revision!r}. Count one up with each change of that part."
                )

    def revision(self, part: str) -> int:
        """The revision of its "control", "baselines" or "ablation"; 1 where none is said."""
        return self.revisions.get(part, 1)

    @property
    def spec(self) -> RecipeSpec:
        """Its entry in the registry."""
        return REGISTRY[self.id]

    @property
    def config(self) -> C:
        """The config that a run would use: defaults, then the data set's preset, then changes."""
        default: Any = self.defaults
        dataset = self.changes.get("dataset", default.dataset)
        fields = {**self.presets.get(dataset, {}), **self.changes}
        return dataclasses.replace(default, **fields)

    def replace(self, **fields: Any) -> Recipe[C]:
        """The same recipe with other values in its config.

        Raises:
            ValueError: a field that the config does not have or a data set that the recipe
                does not take, with the nearest names, or a value that the config refuses.
        """
        default: Any = self.defaults
        known = [each.name for each in dataclasses.fields(default)]
        for name in fields:
            if name not in known:
                raise ValueError(f"In recipe {self.id!r}: {unknown('field', name, known)}")
        takes, dataset = self.spec.datasets, fields.get("dataset")
        if dataset is not None and dataset not in takes:
            raise ValueError(f"For recipe {self.id!r}: {unknown('data set', dataset, takes)}")
        changed = dataclasses.replace(self, changes={**self.changes, **fields})
        _ = changed.config  # a config checks its values when it is made
        return changed

    def on(self, dataset: str | None) -> Recipe[C]:
        """The same recipe on another data set; None leaves it as it is.

        Raises:
            ValueError: the recipe does not take that data set; the nearest names are told.
        """
        return self if dataset is None else self.replace(dataset=dataset)

    def state(self) -> SequentialState:
        """A state with the sizes of the network's buffers.

        Raises:
            ValueError: the network is no orchestrator and has no buffers.
        """
        if self.sizes is None:
            raise ValueError(f"Recipe {self.id!r} has no state: its network is no orchestrator.")
        return self.sizes(self.config)

    def with_method(self, name: str, **options: Any) -> Recipe[C]:
        """The same recipe, trained by another method.

        Model, data, seeds, loss and frozen control stay as they are. A network of signs has no
        gradient: backprop trains its smooth twin instead, and the result says so.

        Args:
            name: one of `bionet.zoo.methods.METHODS`.
            **options: what that method lets one set.

        Raises:
            ValueError: an unknown method or option, with the nearest, or a network that lacks
                what the method needs, with the need.

        Example:
            ```python
            from bionet import zoo

            recipe = zoo.get("classification-dfa").with_method("backprop", learning_rate=3e-3)
            print(recipe.fit(epochs=2, progress=False).verdict())
            ```
        """
        switched = dataclasses.replace(self, switched=Switch.of(name, options))
        switched.method().init(self.build(), jax.random.key(0))  # says what the model lacks
        return switched

    def without(self) -> Recipe[C]:
        """The recipe's ablation: the same, without the part that it is about.

        Raises:
            ValueError: the recipe names no ablation; its frozen control is one.
        """
        if not self.ablation:
            raise ValueError(f"Recipe {self.id!r} has no ablation beside its frozen control.")
        return self.replace(**self.ablation)

    def build(self, key: PRNGKeyArray | None = None) -> Any:
        """The untrained network; the same key gives the same network."""
        return self.network(self.config, jax.random.key(0) if key is None else key)

    def method(self) -> AbstractMethod:
        """The training method; the same object for the same config, so it compiles once."""
        if self.switched is None:
            return self.own_method()
        parts = (self.predictor, self.objective, self.sizes, self.control_steps, self.linear)
        return _switched_once(
            self.switched, self.id, self.config, self.trainer, self.readout, *parts
        )

    def own_method(self) -> AbstractMethod:
        """The method of the recipe itself, whichever is switched on."""
        return _made_once(self.trainer, self.config)

    def synthetic_batch(
        self, key: PRNGKeyArray | None = None, batch_size: int = 32
    ) -> tuple[Array, Array]:
        """Inputs and targets like those of the data set, made without any file.

        Raises:
            ValueError: a batch size below 1.
        """
        if batch_size < 1:
            raise ValueError(f"synthetic_batch: batch_size needs 1 or more, got {batch_size}.")
        return self.synthetic(self.config, jax.random.key(0) if key is None else key, batch_size)

    def loss(self, model: Any, *batch: Array) -> Float[Array, ""]:
        """The recipe's loss of `model` on a batch `x, y`; lower is better."""
        x, y = batch
        outputs = self.predictor(self.config)(model, x, jax.random.key(0))
        return self.objective(self.config)(outputs, y)

    def problem(self, seed: int = 0, splits: Splits | Parts | None = None) -> Problem:
        """The task of a seed: untrained network, objective and data, for any method.

        Args:
            seed: of the network's initial weights, and of data that is generated.
            splits: data to use instead of the recipe's own.
        """
        config: Any = self.config
        splits = self.data(config, seed) if splits is None else splits
        classes = splits.num_classes if isinstance(splits, Splits) else None
        train, validation = _examples(splits.train, classes), splits.validation
        return Problem(
            model=self.build(_seed_keys(seed)[0]),
            predict=self.predictor(config),
            loss=self.objective(config),
            metric=self.score,
            train=ArrayBatches(train, config.batch_size),
            validation=None if validation is None else _examples(validation, classes),
            test=_examples(splits.test, classes),
            metric_name=self.metric,
        )

    def fit(
        self,
        dataset: str | None = None,
        *,
        seed: int = 0,
        epochs: int | None = None,
        checkpoint: str | Path | None = None,
        resume: bool = False,
        callbacks: Sequence[Callback] = (),
        patience: int | None = None,
        progress: bool | None = None,
    ) -> Result:
        """Trains the network and its frozen control, and measures both on held-out data.

        Args:
            dataset: one of the spec's data sets; None is the config's own.
            seed: of everything that is random.
            epochs: instead of the config's; 0 measures the untrained network.
            checkpoint: a directory for a checkpoint after each epoch.
            resume: go on from the newest checkpoint there.
            callbacks: called after each epoch with a `bionet.training.Event`.
            patience: end the run when the validation metric has not risen for so long.
            progress: a progress bar; None shows it on a terminal only.

        Raises:
            ValueError: see `on` and `bionet.fit`.
        """
        recipe = self.on(dataset)
        if epochs is not None:
            recipe = recipe.replace(epochs=epochs)  # a schedule of rates depends on it
        config: Any = recipe.config
        splits = recipe.data(config, seed)
        if splits.validation is None:
            raise ValueError(
                f"Recipe {self.id!r} needs a validation split, which its control is tuned on and "
                "its curve is drawn from. Hold some of the training data out."
            )
        problem = recipe.problem(seed, splits)
        key = _seed_keys(seed)[1]
        fitted = fit(
            problem,
            recipe.method(),
            epochs=config.epochs,
            key=key,
            callbacks=callbacks,
            patience=patience,
            progress=progress,
            checkpoint=checkpoint,
            resume=resume,
        )
        return recipe._result(fitted, control_of(recipe, problem, key, seed), splits, seed)

    def demo(
        self, steps: int | None = None, *, seed: int = 0, progress: bool | None = None
    ) -> Result:
        """Trains on the default data, prints a short table, and returns the result.

        A recipe that takes long has a brief demo, which says how it differs from a run.

        Args:
            steps: how many epochs; None is the config's number, or that of the brief demo.
            seed: of everything that is random.
            progress: a progress bar; None shows it on a terminal only.

        Raises:
            ValueError: a negative number of steps.
        """
        if steps is not None and steps < 0:
            raise ValueError(f"demo of {self.id!r}: steps needs 0 or more, got {steps}.")
        from rich.console import Console

        console = Console(highlight=False)
        brief = {name: to for name, to in self.brief.items() if name not in self.changes}
        result = self.replace(**brief).fit(seed=seed, epochs=steps, progress=progress)
        console.print(result.table())
        if brief and steps is None:
            less = [f"{to} {name} of {getattr(self.config, name)}" for name, to in brief.items()]
            console.print(f"A brief demo: {', '.join(less)}. `bionet run` takes them all.")
        return result

    def _result(
        self, fitted: FitResult, control: Result | None, splits: Splits | Parts, seed: int
    ) -> Result:
        details = {} if control is None else dict(control.details)
        if self.switched is not None:
            details["method"] = self.switched.name
            if has_signs(self.build()) and not has_signs(fitted.model):
                details["method"] += " on the smooth twin (tanh for each sign)"
        return Result(
            recipe=self.id,
            dataset=splits.name,
            seed=seed,
            history=fitted.history,
            metrics=fitted.test,
            baselines=dict(self.baselines(self.config, splits)),
            control=control,
            seconds=fitted.seconds,
            metric=self.metric,
            stopped=fitted.stopped,
            details=details,
            model=fitted.model,
        )


@functools.lru_cache(maxsize=64)
def _made_once(make: Callable[[Any], AbstractMethod], config: Any) -> AbstractMethod:
    return make(config)


@functools.lru_cache(maxsize=64)
def _switched_once(
    switch: Switch,
    id: str,
    config: Any,
    trainer: Callable[[Any], AbstractMethod],
    readout: Callable[[Any], Any] | None,
    predictor: Callable[[Any], Any],
    objective: Callable[[Any], Any],
    *maybe: Callable[[Any], Any] | None,
) -> AbstractMethod:
    state, steps, linear = (None if make is None else make(config) for make in maybe)
    loss = Objective(predictor(config), objective(config))
    return switch.make(Task(id, loss, state, steps, linear, _made_once(trainer, config), readout))


def _seed_keys(seed: int) -> tuple[PRNGKeyArray, PRNGKeyArray]:
    """The keys of a seed: one for the initial weights, one for training."""
    weights, training = jax.random.split(jax.random.key(seed))
    return weights, training


def _examples(part: Any, classes: int | None) -> Examples:
    targets = part.y if classes is None else one_vs_all(part.y, classes)
    return Examples(jnp.asarray(part.x), jnp.asarray(targets))
