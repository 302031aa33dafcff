import json


def test_it_says_what_how_and_from_where(command, fake_zoo, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    code, out, err = command("show", "fake-local")
    assert (code, err) == (0, "")
    for words in (
        "Pretends to learn.",
        "dust, sand",
        "units in the hidden layer",
        "how far each step goes, in its own unit",
        "Sizes of the layers.",
        "int | None",
        "Jane Doe, John Roe. On Nothing. 2020",
        "bionet demo fake-local",
        "bionet run fake-local --data dust --seed 0 --set hidden=8",
        "zoo.get('fake-local').demo()",
    ):
        assert words in out


def test_json_holds_the_spec_and_the_fields(command, fake_zoo):
    _, out, _ = command("show", "fake-local", "--json")
    shown = json.loads(out)
    assert shown["spec"]["id"] == "fake-local"
    assert shown["config"][2] == {
        "name": "hidden", "type": "int", "default": 8, "comment": "units in the hidden layer",
    }  # fmt: skip


def test_measured_numbers_are_shown(command, fake_zoo, monkeypatch):
    from dataclasses import replace

    from bionet.zoo import Band, Cost, Margin

    measured = replace(
        fake_zoo["fake-local"],
        id="fake-measured",
        expected=(
            Band("accuracy", 0.9, 0.95, 5, "research/fake.py", "dust", 0.85, 0.99),
            Band("recall", 0.5, 0.6, 3),
        ),
        margins=(Margin("chance", 0.4, "dust"), Margin("optimum", -0.02)),
        cost=Cost(2.5, "2 CPU cores", cold_seconds=9.0, peak_memory_mib=300),
    )
    fake_zoo.register(measured)
    monkeypatch.setenv("COLUMNS", "120")
    _, out, _ = command("show", "fake-measured")
    told = (
        "accuracy on dust: mean of 5 seeds 0.9 to 0.95; one run 0.85 to 0.99, from research/fake.py"
    )
    assert told in out
    assert "recall: mean of 3 seeds 0.5 to 0.6" in out
    assert "0.6; one run" not in out
    assert "chance on dust by 0.4 at least" in out
    assert "optimum, at most 0.02 below it" in out
    assert "demo 2.5 s on 2 CPU cores, 9 s the first time, 300 MiB" in out
