from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from bionet.cli.errors import UsageError
from bionet.cli.settings import fields_of, read_settings


@dataclass(frozen=True)
class Config:
    count: int = 1  # how many
    rate: float = 0.1
    word: str = "a"
    on: bool = False
    limit: int | None = None
    label: str | None = None
    sizes: tuple[int, ...] = ()
    pair: tuple[float, float] = (0.0, 1.0)
    mode: Literal["none", "all"] = "all"
    rates: float | tuple[float, ...] = 0.5
    path: Path = Path("x")
    made: tuple[int, ...] = field(  # spans
        default=(1,),
    )  # three lines


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("count=-3", -3),
        ("rate=1e-3", 1e-3),
        ("rate=-.5", -0.5),
        ("word=a=b, -c", "a=b, -c"),
        ("word=", ""),
        ("on=true", True),
        ("on=False", False),
        ("limit=none", None),
        ("limit=4", 4),
        ("label=None", None),
        ("label=here", "here"),
        ("sizes=3,4", (3, 4)),
        ("sizes=(3, 4,)", (3, 4)),
        ("sizes=[7]", (7,)),
        ("sizes=", ()),
        ("pair=0.5,-2", (0.5, -2.0)),
        ("mode=none", "none"),
        ("rates=0.25", 0.25),
        ("rates=0.25,0.5", (0.25, 0.5)),
        ("path=a/b", Path("a/b")),
    ],
)
def test_values_are_read_as_the_type_of_the_field(word, value):
    (read,) = read_settings(Config(), [word], "recipe 'r'").values()
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("count=1.5", "int"),
        ("count=", "int"),
        ("count=--help", "int"),
        ("on=maybe", "bool"),
        ("pair=1", "tuple[float, float]"),
        ("pair=1,2,3", "tuple[float, float]"),
        ("mode=some", "Literal['none', 'all']"),
        ("sizes=3;4", "tuple[int, ...]"),
    ],
)
def test_values_that_do_not_fit_are_refused(word, kind, capsys):
    name, _, text = word.partition("=")
    told = f"Field {name!r} of recipe 'r' needs a value of type {kind}, got {text!r}."
    with pytest.raises(UsageError) as caught:
        read_settings(Config(), [word], "recipe 'r'")
    assert str(caught.value) == told
    assert capsys.readouterr() == ("", "")


def test_the_last_setting_counts_and_hyphens_are_underscores():
    assert read_settings(Config(), ["count=1", "count=2"], "recipe 'r'") == {"count": 2}


def test_comments_come_from_the_source():
    comments = {shown.name: shown.comment for shown in fields_of(Config())}
    assert comments["count"] == "how many"
    assert comments["rate"] == ""
    assert comments["made"] == "three lines"


def test_a_config_without_source_still_has_fields():
    space = {}
    exec("import dataclasses\n@dataclasses.dataclass\nclass C:\n    a: 'Missing' = 3\n", space)
    (shown,) = fields_of(space["C"]())
    assert shown == ("a", "int", 3, "")
