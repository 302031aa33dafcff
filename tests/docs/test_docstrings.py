"""The docstrings of the library: their examples run, and what they say of arguments is so.

An example is a block between ```python fences, or lines that begin with `>>>`, which must print
what stands under them.
"""

import ast
import contextlib
import doctest
import importlib
import inspect
import io
import re
import textwrap
from pathlib import Path

import griffe
import pytest

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
KINDS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
FENCED = re.compile(r"```python\n(.*?)```", re.DOTALL)


def docstrings():
    """The dotted name of the module, the name inside it, and the text, of every docstring."""
    for path in sorted((SRC / "bionet").rglob("*.py")):
        module = ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")
        yield from _inside(module, "", ast.parse(path.read_text("utf-8")))


def _inside(module, name, node):
    if isinstance(node, KINDS) and (text := ast.get_docstring(node)):
        yield module, name, text
    for child in ast.iter_child_nodes(node):
        if isinstance(child, KINDS):
            yield from _inside(module, f"{name}.{child.name}".lstrip("."), child)


ALL = list(docstrings())
WITH_FENCES = [each for each in ALL if FENCED.search(each[2])]
WITH_PROMPTS = [each for each in ALL if ">>> " in each[2]]
WITH_ARGUMENTS = [each for each in ALL if "\nArgs:\n" in each[2]]


def _id(each):
    return f"{each[0].removeprefix('bionet.')}:{each[1]}" if isinstance(each, tuple) else None


def _named(module, name):
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def differences(text, function):
    """How the `Args` of a docstring differ from a signature: unknown names, or another order."""
    sections = griffe.Docstring(text, lineno=1).parse(
        "google", warn_unknown_params=False, warn_missing_types=False, warnings=False
    )
    (told,) = [
        [argument.name.lstrip("*") for argument in section.value]
        for section in sections
        if section.kind is griffe.DocstringSectionKind.parameters
    ]
    parameters = inspect.signature(function).parameters
    unknown = [name for name in told if name not in parameters]
    positional = [
        name
        for name in told
        if name in parameters and parameters[name].kind < inspect.Parameter.KEYWORD_ONLY
    ]
    order = [name for name in parameters if name in positional]
    return [f"there is no {name!r}" for name in unknown] + (
        [] if positional == order else [f"the order is {', '.join(order)}"]
    )


@pytest.mark.slow
@pytest.mark.parametrize("docstring", WITH_FENCES, ids=_id)
def test_a_fenced_example_runs(docstring, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for block in FENCED.findall(docstring[2]):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(textwrap.dedent(block), _id(docstring), "exec"), {"__name__": "example"})
        assert out.getvalue().strip()  # an example shows something


@pytest.mark.slow
@pytest.mark.parametrize("docstring", WITH_PROMPTS, ids=_id)
def test_an_example_with_prompts_prints_what_it_shows(docstring, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    module, name, text = docstring
    names = dict(vars(importlib.import_module(module)))
    test = doctest.DocTestParser().get_doctest(text, names, f"{module}.{name}", None, 0)
    told = io.StringIO()
    assert doctest.DocTestRunner(verbose=False).run(test, out=told.write).failed == 0, (
        told.getvalue()
    )


@pytest.mark.parametrize("docstring", WITH_ARGUMENTS, ids=_id)
def test_the_arguments_are_those_of_the_signature(docstring):
    module, name, text = docstring
    assert differences(text, _named(module, name)) == []


def test_there_is_something_to_check():
    assert len(WITH_FENCES) > 5
    assert len(WITH_PROMPTS) > 5
    assert len(WITH_ARGUMENTS) > 20


def test_wrong_arguments_are_found_out():
    text = "Adds.\n\nArgs:\n    b: second.\n    a: first.\n    c: none."
    assert differences(text, lambda a, b: a + b) == ["there is no 'c'", "the order is a, b"]
    assert differences("Adds.\n\nArgs:\n    a: first.\n    *b: rest.", lambda a, *b: a) == []


def test_every_public_file_is_in_the_reference():
    pages = (ROOT / "docs" / "reference").glob("*.md")
    shown = {
        line.removeprefix("::: ").strip()
        for page in pages
        for line in page.read_text("utf-8").splitlines()
        if line.startswith("::: ")
    }
    files = {module for module, name, _ in ALL if not name}
    command = ("bionet.__main__", "bionet.cli")
    inner = {name for name in files if name.startswith(("bionet._core", *command))}
    folders = {name for name in files if (SRC / name.replace(".", "/")).is_dir()}
    assert files - inner - folders <= shown
    assert shown <= files
