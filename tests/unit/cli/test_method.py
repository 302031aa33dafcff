"""`bionet run ID --method NAME`: another method, its options, and going on with it."""

import json

import pytest

RUN = ["run", "prototypes-es", "--set", "hidden=4", "--set", "steps=1", "--epochs", "1"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--method", "random-serch"], "No method is named 'random-serch'. Did you mean 'random-s"),
        (["--option", "sigma=1"], "Option --option sets what --method takes; give --method too."),
        (
            ["--method", "random-search", "--option", "sigm=1"],
            "In method 'random-search': No field is named 'sigm'. Did you mean 'sigma'?",
        ),
        (
            ["--method", "random-search", "--option", "population=many"],
            "Field 'population' of method 'random-search' needs a value of type int; 'many' came.",
        ),
        (["--method", "dfa"], "The method 'dfa' needs an eqx.nn.MLP"),
    ],
)
def test_what_does_not_exist_or_fit_is_told(command, tmp_path, monkeypatch, words, told):
    monkeypatch.chdir(tmp_path)
    code, _, err = command(*RUN, *words)
    assert code == 2
    assert told in err
    assert list(tmp_path.iterdir()) == []


def test_a_run_by_another_method_is_kept_and_can_be_resumed(command, tmp_path):
    out = tmp_path / "there"
    words = ["--method", "random-search", "--option", "population=4", "--out", str(out)]
    code, _, err = command(*RUN, *words)
    assert (code, err) == (0, "")
    plan = json.loads((out / "config.json").read_text())
    assert plan["method"] == "random-search"
    assert plan["options"] == {"population": 4, "sigma": 0.05, "chunk": None}
    assert json.loads((out / "result.json").read_text())["details"]["method"] == "random-search"
    code, _, err = command("resume", str(out), "--epochs", "2")
    assert (code, err) == (0, "")
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2]
    assert {row["evaluations"] for row in rows} == {4.0}
