"""The training methods by their words: one table that everything reads.

A word is mapped to the place of a class, as "module:attribute", which is imported on first use. A
class carries its `spec`, names its options in `Options`, a frozen dataclass, and is made for a
workload by `from_workload`. Other packages add theirs under the entry-point group
`bionet.methods`; `register_method` adds one from anywhere, a file of the user's own for example.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeVar, final

from bionet._core.names import unknown
from bionet._core.origins import current_text
from bionet.training.checks.values import check_values
from bionet.training.method import AbstractMethod, MethodSpec

M = TypeVar("M", bound=type[AbstractMethod])

ENTRY_POINT_GROUP: Final = "bionet.methods"

_BUILT_IN: Final = {
    "two-phase": "bionet.training.local.two_phase:TwoPhase",
    "error-phase": "bionet.training.local.error_phase:ErrorPhase",
    "contrastive": "bionet.training.local.contrastive:Contrastive",
    "async-two-phase": "bionet.training.local.asynchronous:AsyncTwoPhase",
    "feedback-alignment": "bionet.training.local.feedback_alignment:FeedbackAlignment",
    "dfa": "bionet.training.local.feedback_alignment:DirectFeedbackAlignment",
    "backprop": "bionet.training.first_order.gradient:Gradient",
    "surrogate": "bionet.training.first_order.surrogate:SurrogateGradient",
    "es": "bionet.training.zeroth_order.evolution:Evolution",
    "lowrank-es": "bionet.training.zeroth_order.lowrank_es:LowRankES",
    "random-search": "bionet.training.zeroth_order.random_search:RandomSearch",
    "local-es": "bionet.experimental.hybrid.methods.local_es:LocalES",
    "surrogate-es": "bionet.experimental.hybrid.methods.surrogate_es:SurrogateES",
    "self-guided-es": "bionet.experimental.hybrid.methods.self_guided_es:SelfGuidedES",
    "past-guided-es": "bionet.experimental.hybrid.methods.past_guided_es:PastGuidedES",
    "storage": "bionet.training.local.storage:Storage",
    "frozen": "bionet.training.control.frozen:FrozenHidden",
}


@final
class MethodRegistry(Mapping[str, type[Any]]):
    """Words mapped to method classes, in the order in which they were registered.

    Args:
        places: "module:attribute" by word, to begin with.
        group: the entry-point group that is read on first use; None reads none.
    """

    def __init__(self, places: Mapping[str, str], *, group: str | None = None) -> None:
        self._entries: dict[str, str | type[Any]] = dict(places)
        self._failures: dict[str, str] = {}
        self._origins: dict[str, str] = {}
        self._group = group

    @property
    def failures(self) -> Mapping[str, str]:
        """The errors of entry points that could not be read, by name."""
        self._read_entry_points()
        return dict(self._failures)

    def __getitem__(self, word: str) -> type[Any]:
        """The class of a word, imported now.

        Raises:
            UnknownMethodError: no method has that word; the message names the nearest.
        """
        self._read_entry_points()
        if word not in self._entries:
            raise UnknownMethodError(unknown("method", word, self._entries))
        entry = self._entries[word]
        if isinstance(entry, str):
            module, _, attribute = entry.partition(":")
            entry = self._entries[word] = getattr(importlib.import_module(module), attribute)
        return entry

    def __iter__(self) -> Iterator[str]:
        self._read_entry_points()
        return iter(self._entries)

    def __len__(self) -> int:
        self._read_entry_points()
        return len(self._entries)

    def __contains__(self, word: object) -> bool:
        self._read_entry_points()
        return word in self._entries

    def register(self, method: type[AbstractMethod]) -> None:
        """Adds a class under the word of its spec.

        Raises:
            TypeError: what a class lacks to be made by its word; the sentence says what.
            ValueError: another class has that word.
        """
        self._read_entry_points()
        _check_class(method)
        word, origin = method.spec.name, current_text()
        known = self._entries.get(word)
        same = known is method or (known is not None and _place(known) == _place(method))
        if known is not None and not (same and self._origins.get(word) == origin):
            raise ValueError(
                f"register_method: the word {word!r} is that of {_place(known)} already, got "
                f"{_place(method)}. Give the spec another name."
            )
        self._entries[word] = method
        if origin is not None:
            self._origins[word] = origin

    def origin(self, word: str) -> str | None:
        """The sha256 of the user's file that a word came from; None for an installed method."""
        return self._origins.get(word)

    def forget(self, words: Iterable[str]) -> None:
        """Takes out the methods of a file that could not be run to its end."""
        for word in words:
            self._entries.pop(word, None)
            self._origins.pop(word, None)

    def _read_entry_points(self) -> None:
        if self._group is None:
            return
        group, self._group = self._group, None  # first, as one of them may ask the registry
        from importlib.metadata import entry_points

        for point in entry_points(group=group):
            try:
                self.register(point.load())
            except Exception as error:
                self._failures[point.name] = f"{point.value}: {type(error).__name__}: {error}"


class UnknownMethodError(ValueError, LookupError):
    """No method has this word; the message names the nearest words."""


METHODS: Final = MethodRegistry(_BUILT_IN, group=ENTRY_POINT_GROUP)
"""All methods that have a word."""


def register_method(method: M) -> M:
    """Puts a method class into the table of words, and returns it; also as a decorator.

    The class has `spec`, whose name is the word, `Options`, a frozen dataclass whose fields all
    have defaults, and `from_workload(workload, config, options, steps)`, which makes one.

    Args:
        method: the class.

    Raises:
        TypeError: the class lacks one of these.
        ValueError: another class has that word.

    Example:
        ```python
        from dataclasses import dataclass
        from typing import ClassVar

        import jax
        import jax.numpy as jnp

        from bionet import zoo
        from bionet.training import AbstractMethod, MethodSpec, TrainState, register_method


        @dataclass(frozen=True)
        class Options:
            share: float = 0.01  # of each weight that is lost per step


        @register_method
        class Forget(AbstractMethod):
            # Loses a share of every weight in each step.
            spec: ClassVar[MethodSpec] = MethodSpec("forget", "control", "Lose the weights.")
            Options: ClassVar[type] = Options
            share: float

            @classmethod
            def from_workload(cls, workload, config, options, steps):
                return cls(options.share)

            def init(self, model, key):
                return TrainState(model, None, jnp.zeros((), jnp.int32))

            def step(self, train_state, batch, key):
                kept = jax.tree.map(lambda leaf: (1 - self.share) * leaf, train_state.model)
                told = {"kept": jnp.asarray(1 - self.share)}
                return TrainState(kept, None, train_state.step + 1), told

            def finish(self, train_state):
                return train_state.model


        print(zoo.get("language-es").with_method("forget", share=0.1).switched.name)
        ```
    """
    METHODS.register(method)
    return method


def make_options(word: str, given: Mapping[str, Any]) -> Any:
    """The options of a method with the given values, and its defaults for the rest.

    Raises:
        ValueError: an unknown method or option, with the nearest, or a value that it can't have.
    """
    kind = METHODS[word].Options
    known = [field.name for field in dataclasses.fields(kind)]
    for name in given:
        if name not in known:
            raise ValueError(f"In method {word!r}: {unknown('option', name, known)}")
    options = kind(**given)
    check_values(f"method {word!r}", options)
    return options


def _place(entry: str | type[Any]) -> str:
    return entry if isinstance(entry, str) else f"{entry.__module__}:{entry.__qualname__}"


def _check_class(method: Any) -> None:
    where = f"register_method: {getattr(method, '__name__', repr(method))}"
    if not isinstance(method, type) or not issubclass(method, AbstractMethod):
        raise TypeError(f"{where} must be a class that derives from AbstractMethod.")
    if not isinstance(getattr(method, "spec", None), MethodSpec):
        raise TypeError(f"{where} needs `spec`, a MethodSpec, whose name is its word.")
    options = getattr(method, "Options", None)
    if not (isinstance(options, type) and dataclasses.is_dataclass(options)):
        raise TypeError(f"{where} needs `Options`, a frozen dataclass with a default per field.")
    for field in dataclasses.fields(options):
        if field.default is dataclasses.MISSING:
            raise TypeError(f"{where}: option {field.name!r} needs a default that can be hashed.")
    if not options.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        raise TypeError(f"{where} needs `Options` to be frozen: write @dataclass(frozen=True).")
    if not callable(getattr(method, "from_workload", None)):
        raise TypeError(
            f"{where} needs a classmethod from_workload(workload, config, options, steps)."
        )
