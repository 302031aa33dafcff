"""The commands on the pages are ones that the command line and the Makefile know."""

import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from bionet import zoo
from bionet.cli.errors import UsageError
from bionet.cli.parser import COMMANDS, Parser
from bionet.cli.settings import read_settings

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix() for path in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]
)


def read(command):
    """Parses a `bionet` command as the program would, and looks up the names in it."""
    program, name, *words = shlex.split(command)
    assert program == "bionet"
    parser = Parser(prog=f"bionet {name}")
    import_module(COMMANDS[name][0]).add_arguments(parser)
    options = vars(parser.read(words))
    if "id" in options:
        spec = zoo.REGISTRY[options["id"]]
        assert options.get("data") in (None, *spec.datasets)
        if options.get("settings"):
            read_settings(spec.load().config, options["settings"], spec.id)
    if name == "list":
        zoo.names(options["pattern"])
        zoo.list_recipes(**{axis: options[axis] for axis in zoo.registry.AXES})
    return options


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_are_known(page, blocks):
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for block in blocks(ROOT / page, "sh"):
        for line in block.code.splitlines():
            if line.startswith("make "):
                assert line.split()[1] in targets
            else:
                read(line)


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("bionet lists", KeyError),
        ("bionet run prototypes-local --sed 1", UsageError),
        ("bionet run prototype-local", LookupError),
        ("bionet run prototypes-local --data mnist", AssertionError),
        ("bionet run prototypes-local --set hiden=3", UsageError),
        ("bionet list --family locale", ValueError),
    ],
)
def test_a_command_that_is_wrong_is_found_out(command, error):
    with pytest.raises(error):
        read(command)


def test_the_reference_has_every_command_and_option():
    page = (ROOT / "docs" / "reference" / "cli.md").read_text("utf-8")
    for name, (module, _) in COMMANDS.items():
        section = page.partition(f"## `bionet {name}`")[2].partition("\n## ")[0]
        assert section, f"the reference does not have {name!r}"
        parser = Parser(prog=name)
        import_module(module).add_arguments(parser)
        options = {word for word in parser._option_string_actions if word.startswith("--")}
        missing = {word for word in options - {"--help"} if word not in section}
        assert missing == set(), f"the reference does not have these options of {name!r}"
        assert set(re.findall(r"--[a-z][a-z-]*", section)) <= options
