import json
import sys

import pytest

SMALL = {"units": 60, "patterns": 20, "batch_size": 20}


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A directory with a small study, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    directory = tmp_path / "small"
    directory.mkdir()
    (directory / "study.py").write_text(f"""
from bionet.studies import Arm, Budget, LogUniform, Study, Tuning

STUDY = Study(
    name="small",
    question="Does a local rule beat its [frozen] control?",
    arms={{
        "local": Arm("memory-hebbian", {SMALL}),
    }},
    seeds=(0, 1),
    budget=Budget(1),
)
""")
    return directory


@pytest.mark.slow
def test_a_study_is_run_and_its_status_told(command, path):
    code, out, err = command("study", "run", "small", "--jobs", 1)
    assert (code, err) == (0, "")
    assert "local, seed 1: recall " in out
    assert "[2/2] " in out
    ended = "2 trials were run, none is missing.\nNext: bionet study report small\n"
    assert out.endswith(ended)
    code, out, err = command("study", "status", "small/study.py")
    assert (code, err) == (0, "")
    assert "Does a local rule beat its [frozen] control?" in out
    assert " ".join(out.split()).count("2/2 0") == 1
    code, out, err = command("study", "status", "small", "--json")
    found = json.loads(out)
    assert found["arms"]["local"] == {"tuned": 0, "to_tune": 0, "done": 2, "missing": []}
    assert (found["study"], found["stale"], found["corrupted"]) == ("small", 0, [])


def test_the_status_names_what_a_report_would_not_count(command, path):
    line = {"study": "small", "arm": "local", "seed": 0, "trial": "0", "stage": "final"}
    (path / "results.jsonl").write_text(json.dumps(line | {"metrics": {}}) + "\nnonsense\n")
    code, out, _ = command("study", "status", "small")
    assert code == 0
    assert "1 line was skipped: line 2 of results.jsonl is no JSON." in out
    assert "1 line is of other configurations than the study has now, and not counted." in out
    code, out, _ = command("study", "status", "small", "--json")
    assert json.loads(out)["arms"]["local"]["missing"] == [0, 1]


def test_failures_are_exit_code_1(command, path, monkeypatch):
    from bionet.studies.run import runner

    outcome = runner.Outcome(1, ("local, seed 0 failed: ValueError: no.",), 3)
    monkeypatch.setattr(runner, "run_study", lambda *paths, **options: outcome)
    code, out, err = command("study", "run", "small")
    assert code == 1
    assert out == "1 trial was run, 3 are missing.\n"
    assert err.startswith("local, seed 0 failed: ValueError: no.\nFailures are in failures.jsonl")


def test_ctrl_c_says_how_to_go_on(command, path, monkeypatch):
    from bionet.studies.run import runner

    def stop(*paths, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "run_study", stop)
    code, _, err = command("study", "run", "small")
    assert (code, err) == (
        130,
        "Stopped. Every finished trial is in the results, and the same command goes on.\n",
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("rnu", "small"), "No action of `bionet study` is named 'rnu'. Did you mean 'run'?"),
        (("run", "small", "small"), "`bionet study run` takes one PATH; give one at a time."),
        (("run", "nowhere"), "There is no study at 'nowhere'"),
        (("status", "small", "--jobs", 2), "`bionet study status` has no option '--jobs'."),
        (("run", "small", "--json"), "`bionet study run` has no option '--json'."),
        (("run", "small", "--jobs", 0), "Option --jobs needs a whole number of 1 or more"),
        (("run", "small", "--engine", "rai"), "No engine is named 'rai'. Did you mean 'ray'?"),
        (("run", "small", "--tune", 2), "Study 'small' has nothing to tune."),
        (("run", "small", "--address", "x"), "take the engine 'ray' with it"),
        (("run",), "needs PATH, and nothing came"),
    ],
)
def test_words_that_make_no_sense_are_refused(refused, path, words, told):
    assert told in refused("study", *words)
    assert not (path / "results.jsonl").exists()


def test_ray_that_is_not_installed_is_told_with_the_command(refused, path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    told = refused("study", "run", "small", "--engine", "ray")
    assert told.endswith("Install it: python -m pip install 'bionet[ray]'")


def test_help_says_that_a_study_is_code(command):
    told = " ".join(command("study", "--help")[1].split())
    assert "it is Python code, and every action runs it" in told


@pytest.mark.parametrize("action", ["status", "run", "report", "compare"])
@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"raise SystemExit", "cannot be run: SystemExit"),
        (b"import sys\nsys.exit(3)", "cannot be run: SystemExit: 3"),
        (b"x = 1\n# \xff", "cannot be read: line 2 is no UTF-8."),
        (b"\0", "cannot be run: "),
    ],
)
def test_files_that_declare_nothing(refused, path, action, text, told):
    (path / "study.py").write_bytes(text)
    assert told in refused("study", action, "small")


def test_a_tilde_is_the_home_of_the_user(command, path, monkeypatch):
    monkeypatch.setenv("HOME", str(path.parent))
    assert command("study", "status", "~/small")[0] == 0


@pytest.mark.slow
def test_a_device_that_is_not_there_is_told_before_any_trial(refused, path, monkeypatch):
    from bionet.cli import study

    monkeypatch.setattr(study, "_keep_to_cpu", lambda: "nope")
    assert "JAX_PLATFORMS='nope'" in refused("study", "run", "small", "--jobs", 1)
    assert not (path / "results.jsonl").exists()
