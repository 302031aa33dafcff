"""No class of the library escapes the contracts: each concrete one has a builder."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import final

import pytest

import bionet
from bionet.modules.input_output import OutputLayer
from bionet.modules.interfaces import AbstractModule
from bionet.orchestrators.interface import AbstractOrchestrator
from bionet.states.interface import AbstractState


def descendants(base: type) -> Iterator[type]:
    for child in type.__subclasses__(base):
        yield child
        yield from descendants(child)


def without_builder(base: type, built: set[type], home: str = "bionet.") -> set[str]:
    """The concrete classes under `base` at `home` that no builder makes."""
    concrete = {kind for kind in descendants(base) if not kind.__name__.startswith("Abstract")}
    return {kind.__name__ for kind in concrete - built if kind.__module__.startswith(home)}


@pytest.fixture(scope="module", autouse=True)
def everything_imported():
    for entry in pkgutil.walk_packages(bionet.__path__, "bionet."):
        if not entry.name.endswith("__main__"):
            importlib.import_module(entry.name)


def test_every_module_orchestrator_and_state_is_bound(tables):
    for base, built in zip(
        (AbstractModule, AbstractOrchestrator, AbstractState), tables, strict=True
    ):
        assert without_builder(base, built) == set()
        assert all(issubclass(kind, base) for kind in built)


def test_a_class_without_a_builder_is_found(tables):
    modules, _, _ = tables
    assert without_builder(AbstractModule, modules - {OutputLayer}) == {"OutputLayer"}

    @final
    class Forgotten(AbstractState):
        pass

    assert "Forgotten" in without_builder(AbstractState, set(), home=Forgotten.__module__)
