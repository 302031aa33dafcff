"""Every `eqx.Module` is abstract by name and nature, or final: composition, not overriding."""

import abc
import importlib
import pkgutil
from collections.abc import Iterator
from typing import final

import equinox as eqx
import pytest

import bionet


def subclasses(base: type) -> Iterator[type]:
    for child in type.__subclasses__(base):
        yield child
        yield from subclasses(child)


def is_abstract(module: type) -> bool:
    """Whether a method or an `eqx.AbstractVar` of it is still to be filled in."""
    return any(
        getattr(module, names, frozenset())
        for names in ("__abstractmethods__", "__abstractvars__", "__abstractclassvars__")
    )


def faults(module: type) -> list[str]:
    """What is wrong with one class, in words; an empty list where all is well."""
    where = f"{module.__module__}.{module.__qualname__}"
    named = module.__name__.lstrip("_").startswith("Abstract")
    sealed = "__final__" in vars(module)
    found = []
    if named and not is_abstract(module):
        found.append(f"{where} is called abstract, and has nothing to fill in")
    if named and sealed:
        found.append(f"{where} is called abstract, and is final")
    if not named and is_abstract(module):
        found.append(f"{where} leaves something to fill in: call it Abstract...")
    if not named and not sealed:
        found.append(f"{where} is neither called Abstract... nor marked @typing.final")
    found += [
        f"{where} overrides the final class {base.__qualname__}"
        for base in module.__mro__[1:]
        if "__final__" in vars(base)
    ]
    return found


@pytest.fixture(scope="module")
def modules() -> list[type]:
    for entry in pkgutil.walk_packages(bionet.__path__, "bionet."):
        if not entry.name.endswith("__main__"):
            importlib.import_module(entry.name)
    found = {module for module in subclasses(eqx.Module) if module.__module__.startswith("bionet.")}
    return sorted(found, key=lambda module: (module.__module__, module.__qualname__))


def test_every_module_is_abstract_or_final(modules):
    assert [fault for module in modules for fault in faults(module)] == []


def test_the_walk_finds_the_core(modules):
    names = {module.__name__ for module in modules}
    assert {
        "FrozenFullyConnected",
        "FullyConnected",
        "LayerMap",
        "OutputLayer",
        "RecurrentDiscrete",
        "SequentialOrchestrator",
        "SequentialState",
    } <= names


class AbstractRight(eqx.Module):
    @abc.abstractmethod
    def answer(self) -> int: ...


class AbstractByVariable(eqx.Module):
    size: eqx.AbstractVar[int]


class AbstractByNameAlone(eqx.Module):
    pass


class Unmarked(eqx.Module):
    pass


class Unnamed(eqx.Module):
    @abc.abstractmethod
    def answer(self) -> int: ...


@final
class Right(AbstractRight):
    def answer(self) -> int:
        return 42


class AbstractOverFinal(Right):  # pyright: ignore[reportGeneralTypeIssues]
    @abc.abstractmethod
    def question(self) -> str: ...


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (AbstractRight, []),
        (AbstractByVariable, []),
        (Right, []),
        (AbstractByNameAlone, ["nothing to fill in"]),
        (Unmarked, ["neither called Abstract"]),
        (Unnamed, ["leaves something to fill in", "neither called Abstract"]),
        (AbstractOverFinal, ["overrides the final class Right"]),
    ],
)
def test_the_check_knows_right_from_wrong(module, words):
    found = faults(module)
    assert len(found) == len(words)
    assert all(word in fault for word, fault in zip(words, found, strict=True))
