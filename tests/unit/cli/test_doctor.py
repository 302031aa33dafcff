import json
import sys
from types import SimpleNamespace

import bionet


def test_it_reports_versions_devices_data_and_plug_ins(command, fake_zoo, monkeypatch):
    data = SimpleNamespace(available=lambda: {"digits": "in scikit-learn", "mnist": "missing"})
    monkeypatch.setitem(sys.modules, "bionet.datasets", data)
    monkeypatch.setattr(bionet, "datasets", data, raising=False)
    code, out, err = command("doctor")
    assert (code, err) == (0, "")
    for word in ("python", "jax", "cpu", "in scikit-learn", "plug-ins that failed", "none"):
        assert word in out
    found = json.loads(command("doctor", "--json")[1])
    assert found["data"] == {"digits": "in scikit-learn", "mnist": "missing"}
    assert found["versions"]["bionet"] == bionet.__version__


def test_what_is_broken_is_reported_not_raised(command, fake_zoo, monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    found = json.loads(command("doctor", "--json")[1])
    assert found["devices"]["failed"].startswith("ModuleNotFoundError: import of jax halted")
