import json

import pytest


def test_the_table_names_each_recipe_and_its_tags(command, fake_zoo):
    code, out, err = command("list")
    assert (code, err) == (0, "")
    for word in ("fake-local", "prototypes-local", "two-phase", "pretence", "Pretends"):
        assert word in out


def test_filters_and_patterns_narrow_it(command, fake_zoo):
    def ids(*words):
        code, out, _ = command("list", "--json", *words)
        assert code == 0
        return [spec["id"] for spec in json.loads(out)]

    assert ids("--family", "control") == ["fake-local"]
    assert ids("--method", "two-phase", "proto*") == ["prototypes-local"]
    assert ids("--application", "fake", "--architecture", "nothing") == ["fake-local"]
    assert ids("--family", "control", "proto*") == []


def test_json_holds_the_whole_spec(command, fake_zoo):
    _, out, _ = command("list", "fake*", "--json")
    assert json.loads(out) == [fake_zoo["fake-local"].to_dict()]


def test_nothing_in_common_is_said(command, fake_zoo):
    _, out, _ = command("list", "--family", "control", "--method", "two-phase")
    assert out == "No recipe has all of this together. Leave out one filter.\n"


def test_values_that_nobody_has_are_refused(refused, fake_zoo):
    told = "No recipe has the application 'protypes'. Did you mean 'prototypes'?"
    assert refused("list", "--application", "protypes") == told
    assert refused("list", "*fake-loc") == (
        "No recipe has an id that fits '*fake-loc'. Did you mean 'fake-local'?"
    )


def test_a_plug_in_is_listed_and_nothing_heavy_is_loaded(process):
    done = process("list", "fake*")
    assert (done.returncode, done.stderr) == (0, "")
    assert "fake-local" in done.stdout
    loaded = process("list", PYTHONPROFILEIMPORTTIME="1").stderr
    names = {line.rpartition("|")[2].strip() for line in loaded.splitlines()}
    assert "bionet.zoo.registry" in names
    assert names.isdisjoint({"jax", "numpy", "matplotlib", "equinox", "tyro"})


@pytest.mark.slow
def test_a_broken_plug_in_breaks_nothing(process):
    done = process("list", "--json", FAKE_PLUGIN_FAILS="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "prototypes-local" in [spec["id"] for spec in json.loads(done.stdout)]
    found = json.loads(process("doctor", "--json", FAKE_PLUGIN_FAILS="1").stdout)
    told = "fake_recipe:several: RuntimeError: the plug-in is broken"
    assert found["plug-ins that failed"] == {"fake": told}
