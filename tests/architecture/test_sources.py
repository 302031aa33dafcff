"""What a file of the library may hold: one idea, documented, and nothing that we ban."""

import ast
import re

MOST_LINES = 600
MOST_RECIPE_LINES = 350
# A name that says nothing gathers everything.
EMPTY_NAMES = {"common", "helper", "helpers", "misc", "tools", "util", "utils"}
# Reading one of these formats runs code that the file brings along.
PICKLES = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}


def imports(tree: ast.Module) -> list[tuple[int, str]]:
    """Line and full name of everything that a file imports, inside functions too."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return found


def run_time(tree: ast.Module) -> ast.Module:
    """The file without what stands under `if TYPE_CHECKING:`, which is never executed."""
    kept = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    ]
    return ast.Module(body=kept, type_ignores=[])


def importers(sources: dict[str, ast.Module], packages: set[str]) -> list[str]:
    return [
        f"{path}:{line} imports {name}"
        for path, tree in sources.items()
        for line, name in imports(tree)
        if name.split(".")[0] in packages
    ]


def test_files_are_short(root, sources):
    offenders = []
    for path in sources:
        lines = len((root / path).read_text("utf-8").splitlines())
        most = MOST_RECIPE_LINES if "/zoo/recipes/" in path else MOST_LINES
        if lines > most:
            offenders.append(f"{path} has {lines} lines, the limit is {most}")
    assert offenders == []


def test_names_of_files_say_something(sources):
    offenders = [
        path
        for path in sources
        if EMPTY_NAMES & {part.strip("_") for part in path.removesuffix(".py").split("/")}
    ]
    assert offenders == []


def test_errors_of_users_are_raised_not_asserted(sources):
    offenders = [
        f"{path}:{node.lineno}"
        for path, tree in sources.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert)
    ]
    assert offenders == []


def test_nothing_that_is_read_can_run_code(sources):
    unsafe_loads = [
        f"{path}:{keyword.value.lineno} allows pickles"
        for path, tree in sources.items()
        for keyword in ast.walk(tree)
        if isinstance(keyword, ast.keyword)
        and keyword.arg == "allow_pickle"
        and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
    ]
    assert importers(sources, PICKLES) + unsafe_loads == []


def test_matplotlib_is_imported_in_one_file(sources):
    executed = {path: run_time(tree) for path, tree in sources.items()}
    at_home = executed.pop("src/bionet/plotting/learning_curve.py")
    assert importers({"plotting": at_home}, {"matplotlib"}) != []
    assert importers(executed, {"matplotlib"}) == []


def test_every_module_says_what_it_is_for(sources):
    assert [path for path, tree in sources.items() if not ast.get_docstring(tree)] == []


def test_every_public_name_is_documented(sources):
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    offenders = [
        f"{path}:{node.lineno} {node.name}"
        for path, tree in sources.items()
        for node in tree.body
        if isinstance(node, kinds)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
        # What stands for one kind of call has no words of its own.
        and "overload" not in map(ast.unparse, node.decorator_list)
    ]
    assert offenders == []


def test_the_checks_see_what_they_look_for():
    text = """
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from matplotlib.axes import Axes
def f():
    import pickle
    from matplotlib.figure import Figure
"""
    sources = {"planted.py": run_time(ast.parse(text))}
    assert importers(sources, PICKLES) == ["planted.py:6 imports pickle"]
    assert importers(sources, {"matplotlib"}) == ["planted.py:7 imports matplotlib.figure.Figure"]


def docstrings(tree: ast.Module) -> list[tuple[int, str]]:
    """The docstrings of a file, with the line of what they document."""
    nodes = [
        n for n in ast.walk(tree) if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef)
    ]
    return [(getattr(node, "lineno", 1), ast.get_docstring(node) or "") for node in nodes]


def test_no_docstring_begins_with_a_question(sources):
    """It says what a function does by a verb, and what a value is by a noun."""
    question = re.compile(r"(What|Whether|How|Which|Where|Who|When|Why)\b")
    offenders = [
        f"{path}:{line} {text.splitlines()[0]}"
        for path, tree in sources.items()
        for line, text in docstrings(tree)
        if question.match(text)
    ]
    assert offenders == []


def test_an_error_says_what_it_got(root, sources):
    """Not that something "came": one word, so that the parts of a message are found at once."""
    came = re.compile(r"(?:[;,] (?:but )?|\")[^;\"]*\bcame\.\"")
    assert [path for path in sources if came.search((root / path).read_text("utf-8"))] == []
