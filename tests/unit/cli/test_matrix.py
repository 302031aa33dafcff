"""`bionet matrix`: the registry as a table, in three forms."""

import json

import pytest

from bionet import zoo
from bionet.cli import main


def printed(capsys, *words):
    assert main(["matrix", *words]) == 0
    return capsys.readouterr().out


def test_json_is_the_registry(capsys):
    cells = json.loads(printed(capsys, "--json", "--rows", "family", "--columns", "method"))
    expected = zoo.matrix(rows="family", columns="method")
    assert cells == json.loads(json.dumps(expected))


def test_markdown_has_a_row_per_method_and_every_recipe_once(capsys):
    lines = printed(capsys, "--markdown").splitlines()
    assert lines[0].startswith("| method \\ application | ")
    assert len(lines) == 2 + len({spec.method for spec in zoo.list_recipes()})
    assert len({line.count("|") for line in lines}) == 1
    for id in zoo.REGISTRY:
        assert sum(f"`{id}`" in line for line in lines) == 1


def test_a_table_shows_every_recipe(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")
    shown = printed(capsys)
    assert all(id in shown for id in zoo.REGISTRY)


def test_a_narrow_window_shows_every_id_whole(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    shown = printed(capsys)
    assert all(id in shown.split() for id in zoo.REGISTRY)
    assert max(map(len, shown.splitlines())) <= 60
    for each in {spec.method for spec in zoo.list_recipes()}:
        assert each in shown.split()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--rows", "methods"], "No axis is named 'methods'. Did you mean 'method'"),
        (["--columns", "method"], "A matrix needs two different axes, got 'method' twice."),
    ],
)
def test_a_tag_that_is_none_is_told_the_nearest(capsys, words, told):
    assert main(["matrix", *words]) == 2
    assert told in capsys.readouterr().err
