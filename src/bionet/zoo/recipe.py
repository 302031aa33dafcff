"""A recipe: a workload, a method with its tuned options, and a budget.

The workload says what is to be learned and by which network; the recipe says which method trains
it, with which numbers and for how long. This class puts them together in the same way for every
recipe: it builds the problem, trains it, measures the frozen control beside it, both on data that
neither has seen, and returns a `Result`. `with_method` puts another method on the same workload.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar, final

import equinox as eqx
import jax
from jaxtyping import Array, Float, PRNGKeyArray

from bionet._core.names import unknown
from bionet._core.ownership import own_fields
from bionet._core.tables import print_table
from bionet.datasets import Parts, Splits, one_vs_all
from bionet.states.sequential import SequentialState
from bionet.training.batches import ArrayBatches, Examples
from bionet.training.checks.guards import Guarded
from bionet.training.checks.values import check_values
from bionet.training.control.control import Control
from bionet.training.first_order.twin import unroll
from bionet.training.fit import Callback
from bionet.training.method import AbstractMethod
from bionet.training.objective import Objective
from bionet.training.problem import Problem
from bionet.training.registry import METHODS, make_options
from bionet.workloads.workload import Workload, check_revisions
from bionet.zoo.fields import (
    BUDGET,
    LOCAL,
    OPTIONS,
    WORKLOAD,
    Budget,
    FlatFields,
    flat_fields,
    flat_type,
)
from bionet.zoo.registry import REGISTRY
from bionet.zoo.result import Result
from bionet.zoo.run import run, split_seed
from bionet.zoo.spec import RecipeSpec
from bionet.zoo.tuned import find_tuned

C = TypeVar("C")


@final
@dataclass(frozen=True)
class Choice:
    """A method by its word, with all of its options; it can be hashed."""

    name: str
    options: Any

    @classmethod
    def of(cls, name: str, options: Mapping[str, Any]) -> Choice:
        """The method of that word, with these options and its defaults for the rest.

        Raises:
            ValueError: no method has that word, or it has no such option, and the nearest are
                told; or the option can't have that value.
        """
        return cls(name, make_options(name, options))


@final
@dataclass(frozen=True)
class Recipe(Generic[C]):
    """A runnable recipe; `zoo.get(id)` returns one.

    Attributes:
        id: its name in the zoo.
        workload: what is to be learned, by which network, and what it is held against.
        method: the word of the method that trains it.
        budget: examples per step and passes over them.
        options: the tuned options of that method; what is left out has the method's default.
        fields: the fields in which the workload's config differs from its defaults.
        presets: by data set, the numbers that differ there, by their flat names.
        method_where: another own method, by the field and the value of the workload that ask for
            it.
        ablation: the numbers that take out the part that the recipe is about.
        ablated: what `ablation` takes out, in words.
        brief: the numbers in which its demo is shorter than a run.
        revisions: revisions of its own for "control", "baselines" or "ablation", on top of those
            of the workload.
        switched: the method that `with_method` has put in place of the recipe's own.
        options_from: where the options of that method are from, in words.
        instance: that method itself, where it was not named by its word.
        changes: the numbers that the user has replaced, by their flat names; they win.

    Raises:
        ValueError: a revision of something else, or one that is no whole number from 1 on.
    """

    id: str
    workload: Workload[C]
    method: str
    budget: Budget
    options: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    method_where: Mapping[tuple[str, Any], str] = field(default_factory=dict)
    ablation: Mapping[str, Any] = field(default_factory=dict)
    ablated: str = ""
    brief: Mapping[str, Any] = field(default_factory=dict)
    revisions: Mapping[str, int] = field(default_factory=dict)
    switched: Choice | None = None
    options_from: str = ""
    instance: AbstractMethod | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        held = ("options", "fields", "presets", "method_where", "ablation", "brief", "revisions")
        own_fields(self, *held, "changes")
        check_revisions(f"Recipe {self.id!r}", self.revisions)
        self._check_names()

    def revision(self, part: str) -> int:
        """The revision of its "control", "baselines" or "ablation", counted from 1."""
        return self.revisions.get(part, 1) + self.workload.revisions.get(part, 1) - 1

    @property
    def spec(self) -> RecipeSpec:
        """Its entry in the registry."""
        return REGISTRY[self.id]

    @property
    def metric(self) -> str:
        """The name of its metric."""
        return self.workload.metric_name

    @property
    def control(self) -> Control | None:
        """The way it is measured with its hidden layers frozen; None where no layer is hidden."""
        return self.workload.control

    @property
    def flat(self) -> FlatFields:
        """The names of all its numbers, and where each of them lives."""
        words = (self.method, *self.method_where.values())
        kind = type(self.workload.config)
        return flat_fields(self.id, kind, words, self.options.get("local"))

    @functools.cached_property
    def config(self) -> Any:
        """All its numbers under their flat names: workload, options of its own method, budget.

        They are the defaults, then those of the data set, then what the user has replaced.
        """
        return flat_type(self.flat)(**self._values(self.changes))

    @functools.cached_property
    def network_config(self) -> C:
        """The config of the workload: data and network, without method and budget."""
        default: Any = self.workload.config
        return dataclasses.replace(default, **self._part(WORKLOAD))

    def written(self) -> dict[str, Any]:
        """The config as the lines of results have it.

        A number that was added after lines had been written is left out while it has its default.
        """
        default = self._values({k: v for k, v in self.changes.items() if k == "dataset"})
        now, flat = self._values(self.changes), self.flat
        return {
            name: value
            for name, value in now.items()
            if flat.is_written(name, default=value == default[name])
        }

    def preset(self, dataset: str) -> dict[str, Any]:
        """The numbers that differ on a data set, by their flat names."""
        layers = (self.workload.presets.get(dataset, {}), self.presets.get(dataset, {}))
        return {self.flat.display(name): to for layer in layers for name, to in layer.items()}

    def replace(self, **fields: Any) -> Recipe[C]:
        """The same recipe with other numbers: of its workload, its budget or its own method.

        Raises:
            ValueError: a name that none of them has or a data set that the recipe does not take,
                with the nearest names, or a value that is refused.
        """
        flat, named = self.flat, {}
        for name, value in fields.items():
            if name not in flat:
                raise ValueError(f"In recipe {self.id!r}: {unknown('field', name, flat)}")
            named[flat.display(name)] = value
        takes, dataset = self.spec.datasets, fields.get("dataset")
        if dataset is not None and dataset not in takes:
            raise ValueError(f"For recipe {self.id!r}: {unknown('data set', dataset, takes)}")
        changed = dataclasses.replace(self, changes={**self.changes, **named})
        check_values(f"recipe {self.id!r}", changed.config)
        changed.network_config  # noqa: B018 - it checks its own numbers
        changed.own_choice()
        if changed.instance is not None:
            changed._check_objective(changed.instance)
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
        state = self.workload.state(self.network_config)
        if state is None:
            raise ValueError(f"Recipe {self.id!r} has no state: its network is no orchestrator.")
        return state

    def with_method(self, method: str | AbstractMethod, **options: Any) -> Recipe[C]:
        """The same recipe, trained by another method.

        Model, data, seeds, loss and frozen control stay as they are. A network of signs has no
        gradient: backprop trains its smooth twin instead, and the result says so. Options that are
        not given are those that were tuned for the method on this workload and data set, by the
        recipe that is about it, else the method's defaults; the result's details say which.

        Args:
            method: a word of `bionet.training.METHODS`, or a method. A run that is to be written
                down (by `bionet run`, in a study) needs a word: see `register_method`.
            **options: what a method that is named lets one set.

        Raises:
            ValueError: an unknown method or option, with the nearest; a network or a loss that
                lacks what the method needs, with the need: a slope, for one that descends it; or
                a method with another objective than the workload's.

        Example:
            ```python
            from bionet import zoo

            recipe = zoo.get("classification-dfa").with_method("backprop", learning_rate=3e-3)
            print(recipe.fit(epochs=2, progress=False).verdict())
            ```
        """
        if isinstance(method, AbstractMethod):
            switched = self._with_instance(method, options)
        else:
            switched = self._with_word(method, options)
        switched._try_method()
        return switched

    def _with_word(self, method: str, options: Mapping[str, Any]) -> Recipe[C]:
        """The recipe with a method by its word, and where its options are from."""
        base, source = self.tuned_choice(method)
        known = {each.name: getattr(base.options, each.name) for each in _fields(base.options)}
        switched = self.switch(method, {**known, **options})
        new: Any = switched.switched
        given = [name for name, value in known.items() if getattr(new.options, name) != value]
        told = f"{source}; given: {', '.join(given)}" if given else source
        return dataclasses.replace(switched, options_from=told)

    def tuned_choice(self, method: str) -> tuple[Choice, str]:
        """Returns a method with its tuned options, and in words where they are from.

        Raises:
            ValueError: an unknown method, with the nearest.
        """
        if method == self._own_word():
            return self.own_choice(), "tuned for this recipe"
        other = find_tuned(self.spec, self.workload, self.config.dataset, method)
        if other is not None and other._own_word() == method:
            return other.own_choice(), f"tuned for {other.id}"
        return Choice.of(method, {}), "the method's defaults"

    def _with_instance(self, method: AbstractMethod, options: Mapping[str, Any]) -> Recipe[C]:
        """The recipe with a method that has been made already."""
        if options:
            raise ValueError(
                f"with_method: options are for a method that is named, got {sorted(options)} with "
                f"a {type(method).__name__}. Set them where it is made."
            )
        self._check_objective(method)
        choice = Choice(method.spec.name, None)
        return dataclasses.replace(self, switched=choice, options_from="", instance=method)

    def _check_objective(self, method: AbstractMethod) -> None:
        """Refuses a method that trains another function than the workload's.

        Raises:
            ValueError: such a method.
        """
        theirs = getattr(getattr(method, "descent", method), "objective", None)
        if theirs is None:
            return  # it looks at no loss, or `fit` looks at what it computes
        ours = self.objective
        predicts = unroll(theirs.predict), unroll(ours.predict)
        if not (_is_same(*predicts) and _is_same(theirs.loss, ours.loss)):
            raise ValueError(
                f"Recipe {self.id!r}: the objective of the {type(method).__name__} must be that of "
                "the workload as it is set up, got another predictor or loss. Make the method from "
                "`recipe.objective`, after the last `replace`."
            )

    def _try_method(self) -> None:
        """Starts the method, which says what the model lacks, and lets it look at a batch."""
        method, key = self.build_method(), jax.random.key(0)
        train_state = method.init(self.build(), key)
        if isinstance(method, Guarded):
            batch = self.synthetic_batch(key)
            method.guard(train_state, batch, key, self.objective.predict)

    def switch(self, name: str, options: Mapping[str, Any]) -> Recipe[C]:
        """The same as `with_method`, without a look at the model and without tuned options.

        Raises:
            ValueError: an unknown method or option, with the nearest.
        """
        choice = Choice.of(name, options)
        return dataclasses.replace(self, switched=choice, options_from="", instance=None)

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
        key = jax.random.key(0) if key is None else key
        return self.workload.build(self.network_config, key)

    @property
    def objective(self) -> Objective:
        """The way the network answers, with the loss of an answer."""
        return self.workload.objective(self.network_config)

    def build_method(self) -> AbstractMethod:
        """The training method; the same object for the same numbers, so it compiles once."""
        if self.instance is not None:
            return self.instance
        chosen = self.own_choice() if self.switched is None else self.switched
        complete = getattr(chosen.options, "completed", None)
        if complete is not None:
            own = self.own_choice()
            chosen = Choice(chosen.name, complete(own.name, own.options))
        return _build_once(self.workload, self.network_config, chosen, self.planned_steps())

    def build_own_method(self) -> AbstractMethod:
        """The method of the recipe itself, whichever is switched on."""
        return dataclasses.replace(self, switched=None, instance=None).build_method()

    def own_choice(self) -> Choice:
        """The recipe's own method, with its tuned options."""
        word = self._own_word()
        known = {each.name for each in dataclasses.fields(METHODS[word].Options)}
        given = {name: to for name, to in self.options.items() if name in known}
        given |= {name: to for name, to in self._part(OPTIONS).items() if name in known}
        if "local" in given:
            given["local_options"] = {**given.get("local_options", {}), **self._part(LOCAL)}
        return Choice.of(word, given)

    def planned_steps(self) -> int:
        """The updates of its budget, over which a schedule of learning rates is planned."""
        budget = self._part(BUDGET)
        per_epoch = self.workload.examples(self.network_config) // budget["batch_size"]
        return budget["epochs"] * per_epoch

    def synthetic_batch(
        self, key: PRNGKeyArray | None = None, batch_size: int = 32
    ) -> tuple[Array, Array]:
        """Inputs and targets like those of the data set, made without any file.

        Raises:
            ValueError: a batch size below 1.
        """
        if batch_size < 1:
            raise ValueError(f"synthetic_batch: batch_size needs 1 or more, got {batch_size}.")
        key = jax.random.key(0) if key is None else key
        return self.workload.synthetic(self.network_config, key, batch_size)

    def splits(self, seed: int = 0) -> Splits | Parts:
        """The data of a seed."""
        return self.workload.data(self.network_config, seed)

    def baselines(self, splits: Splits | Parts) -> dict[str, float]:
        """The metric of rules of one line on the test split, by name."""
        return dict(self.workload.baselines(self.network_config, splits))

    def loss(self, model: Any, *batch: Array) -> Float[Array, ""]:
        """The recipe's loss of `model` on a batch `x, y`; lower is better."""
        x, y = batch
        return self.objective(model, (x, y), jax.random.key(0))

    def problem(self, seed: int = 0, splits: Splits | Parts | None = None) -> Problem:
        """The task of a seed: untrained network, objective and data, for any method.

        Args:
            seed: of the network's initial weights, and of data that is generated.
            splits: data to use instead of the recipe's own.
        """
        splits = self.splits(seed) if splits is None else splits
        classes = splits.num_classes if isinstance(splits, Splits) else None
        train, validation = _examples(splits.train, classes), splits.validation
        objective = self.objective
        return Problem(
            model=self.build(split_seed(seed)[0]),
            predict=objective.predict,
            loss=objective.loss,
            metric=self.workload.metric,
            train=ArrayBatches(train, self.config.batch_size),
            validation=None if validation is None else _examples(validation, classes),
            test=_examples(splits.test, classes),
            metric_name=self.metric,
            settings={"recipe": self.id, **_settings(self.config)},
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
            resume: go on from the newest checkpoint there. A schedule of learning rates keeps the
                length that it was planned for: a longer run goes on at its last value.
            callbacks: called after each epoch with a `bionet.training.Event`.
            patience: end the run when the validation metric has not risen for so long.
            progress: a progress bar; None shows it on a terminal only.

        Raises:
            ValueError: see `on` and `bionet.fit`.
        """
        recipe = self.on(dataset)
        if epochs is not None:
            recipe = recipe.replace(epochs=epochs)  # a schedule of rates depends on it
        return run(
            recipe,
            seed=seed,
            checkpoint=checkpoint,
            resume=resume,
            callbacks=callbacks,
            patience=patience,
            progress=progress,
        )

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
        print_table(console, result.table())
        if brief and steps is None:
            less = [f"{to} {name} of {getattr(self.config, name)}" for name, to in brief.items()]
            console.print(f"A brief demo: {', '.join(less)}. `bionet run` takes them all.")
        return result

    def _check_names(self) -> None:
        """Refuses numbers that the recipe does not have, and data sets that it does not take.

        Raises:
            ValueError: such a name, with the nearest.
        """
        where, flat, takes = f"Recipe {self.id!r}", self.flat, self.workload.datasets
        parts = {name: getattr(self, name) for name in ("fields", "ablation", "brief", "changes")}
        for dataset, preset in self.presets.items():
            if dataset not in takes:
                raise ValueError(f"{where}, presets: {unknown('data set', dataset, takes)}")
            parts[f"presets of {dataset}"] = preset
        for part, names in parts.items():
            for name in names:
                if name not in flat:
                    raise ValueError(f"{where}, {part}: {unknown('field', name, flat)}")

    def _values(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """All numbers by their flat names, with these changes on top."""
        config: Any = self.workload.config
        dataset = changes.get("dataset", config.dataset)
        flat = self.flat
        values = {name: self._default(entry) for name, entry in flat.items()}
        for layer in (self.fields, self.preset(dataset), changes):
            values |= {flat.display(name): value for name, value in layer.items()}
        return values

    def _default(self, entry: Any) -> Any:
        """The value of a number before any data set or user changes it."""
        part, name = entry.place
        if part == WORKLOAD:
            return getattr(self.workload.config, name)
        if part == BUDGET:
            return getattr(self.budget, name)
        given = self.options if part == OPTIONS else self.options.get("local_options", {})
        return given.get(name, entry.default)

    def _part(self, part: str) -> dict[str, Any]:
        """The numbers that live in one part, by their names there."""
        values = self._values(self.changes)
        return {
            entry.place.name: values[name]
            for name, entry in self.flat.items()
            if entry.place.part == part
        }

    def _own_word(self) -> str:
        """The word of its own method, as the workload's config asks for it."""
        config = self.network_config
        for (name, value), word in self.method_where.items():
            if getattr(config, name) == value:
                return word
        return self.method


@functools.lru_cache(maxsize=64)
def _build_once(workload: Workload[Any], config: Any, chosen: Choice, steps: int) -> AbstractMethod:
    kind: Any = METHODS[chosen.name]
    return kind.from_workload(workload, config, chosen.options, steps)


def _settings(config: Any) -> dict[str, Any]:
    """The fields of a config that a run has to keep; it may be made longer."""
    fields = (field.name for field in dataclasses.fields(config))
    return {name: getattr(config, name) for name in fields if name != "epochs"}


def _is_same(left: Any, right: Any) -> bool:
    """Returns whether two functions are one, or modules with the same numbers."""
    return left is right or bool(eqx.tree_equal(left, right))


def _fields(options: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(options)


def _examples(part: Any, classes: int | None) -> Examples:
    targets = part.y if classes is None else one_vs_all(part.y, classes)
    return Examples(part.x, targets)
