"""`bionet run ID --method NAME`: another method, its options, and going on with it."""

import dataclasses
import json

import pytest

RUN = ["run", "prototypes-es", "--set", "hidden=4", "--set", "steps=1", "--epochs", "1"]

POPULATIONS = {"es": "Evolution", "lowrank-es": "LowRankES", "random-search": "RandomSearch"}
PAIRS = {
    "local-es": "LocalES",
    "surrogate-es": "SurrogateES",
    "self-guided-es": "SelfGuidedES",
    "past-guided-es": "PastGuidedES",
}


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
            "Field 'population' of method 'random-search' needs a value of type int, got 'many'.",
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


@pytest.mark.parametrize(
    ("name", "option", "told"),
    [
        (
            "lowrank-es",
            "population=7",
            "LowRankES: antithetic members come in pairs, so population",
        ),
        ("es", "population=7", "Evolution: Open_ES refuses a population of 7 for"),
        ("es", "strategy=OpenES", "No strategy of evosax is named 'OpenES'. Did you mean 'Open_ES"),
        ("surrogate", "kind=arctann", "No surrogate is named 'arctann'. Did you mean 'arctan'"),
        *(
            (name, "population=0", f"{kind}: population needs 2 or more, got 0.")
            for name, kind in POPULATIONS.items()
        ),
        *(
            (name, "num_samples=0", f"{kind}: num_samples needs a positive int, got 0.")
            for name, kind in PAIRS.items()
        ),
        *(
            (name, "sigma=0", f"{kind}: sigma needs to be above 0 and finite, got 0.0.")
            for name, kind in (POPULATIONS | PAIRS).items()
        ),
    ],
)
def test_options_that_do_not_fit_end_with_a_sentence(
    command, tmp_path, monkeypatch, name, option, told
):
    monkeypatch.chdir(tmp_path)
    code, out, err = command(*RUN, "--method", name, "--option", option)
    assert (code, out) == (2, "")
    assert told in err
    assert "Traceback" not in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_loss_without_a_value_ends_with_a_sentence(command, tmp_path, monkeypatch):
    from bionet.training.objective import Objective
    from bionet.zoo.recipes import prototypes_es

    monkeypatch.chdir(tmp_path)

    def nowhere(config):
        answers = prototypes_es.WORKLOAD.objective(config).predict
        return Objective(answers, lambda outputs, y: outputs.mean() * float("nan"))

    workload = dataclasses.replace(prototypes_es.WORKLOAD, objective=nowhere)
    recipe = dataclasses.replace(prototypes_es.RECIPE, workload=workload)
    monkeypatch.setattr(prototypes_es, "RECIPE", recipe)
    code, out, err = command(*RUN, "--method", "random-search", "--option", "population=4")
    assert (code, out) == (2, "")
    assert err.startswith("Training stopped: every evaluation of the loss in epoch 1 was NaN or")
    assert "Traceback" not in err
    assert list(tmp_path.rglob("*.json")) == []


@pytest.mark.slow
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
