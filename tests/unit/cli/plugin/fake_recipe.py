"""A recipe that learns nothing, with the interface of the zoo: what the CLI is tested with."""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

from bionet.zoo.spec import RecipeSpec, Reference

SPEC = RecipeSpec(
    id="fake-local",
    application="fake",
    method="pretence",
    architecture="nothing",
    family="control",
    summary="Pretends to learn.",
    entry_point="fake_recipe:RECIPE",
    references=(Reference("doe2020", "On Nothing", ("Jane Doe", "John Roe"), 2020),),
    datasets=("dust", "sand"),
)


@dataclass(frozen=True)
class Config:
    dataset: str = "dust"
    epochs: int = 3
    hidden: int = 8  # units in the hidden layer
    # how far each step goes,
    # in its own unit
    rate: float = 0.5
    name: str = "x"
    sizes: tuple[int, ...] = (4, 2)
    """Sizes of the layers."""
    limit: int | None = None
    mode: Literal["slow", "none"] = "slow"
    noisy: bool = False
    trouble: str = ""
    trouble_at: int = 2

    def __post_init__(self):
        if self.hidden < 1:
            raise ValueError(f"Field 'hidden' needs at least one unit, got {self.hidden}.")


class NonFiniteError(ArithmeticError):
    """As `fit` raises it."""


class EquinoxRuntimeError(RuntimeError):
    """As equinox words it."""


TROUBLE = {
    "interrupt": KeyboardInterrupt(),
    "nan": NonFiniteError("Edge (1, 0) holds a NaN after step 7. Take a smaller rate."),
    "equinox": EquinoxRuntimeError(
        "Above is the stack.\n\nequinox.EquinoxRuntimeError: Edge (2, 1) got a NaN.\n\n-----\nMore"
    ),
    "fault": KeyError("oops"),
}


class FakeResult(Sequence):
    """What `fit` returns."""

    def __init__(self, history, seed, dataset, config):
        self.history, self.seed, self.dataset, self.config = history, seed, dataset, config

    def __getitem__(self, place):
        return self.history[place]["loss"]

    def __len__(self):
        return len(self.history)

    def plot(self, path=None):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(b"a picture")

    def table(self):
        return f"accuracy {self.history[-1]['accuracy']} after {len(self)} epochs"

    def to_dict(self):
        return {"history": list(self.history), "seed": self.seed, "dataset": self.dataset}


@dataclass(frozen=True)
class FakeRecipe:
    spec: RecipeSpec = SPEC
    config: Config = Config()

    def replace(self, **changes):
        assert set(changes) <= {field.name for field in fields(self.config)}
        return replace(self, config=replace(self.config, **changes))

    def on(self, dataset):
        if dataset is None:
            return self
        if dataset not in SPEC.datasets:
            raise ValueError(f"No data set is named {dataset!r}.")
        # Another data set brings other defaults, which a resumed run must find again.
        return self.replace(dataset=dataset, limit={"dust": None, "sand": 9}[dataset])

    def demo(self, steps=None, *, seed=0, progress=None):
        if steps == 13:
            raise KeyboardInterrupt
        print(f"demo steps={steps} seed={seed}")
        return FakeResult([{"epoch": 1, "loss": 1.0, "accuracy": 0.5}], seed, "dust", self.config)

    def fit(self, dataset=None, *, seed=0, epochs=None, checkpoint=None, resume=False,
            callbacks=(), progress=None):  # fmt: skip
        saved = Path(checkpoint) / "state.json"
        history = json.loads(saved.read_text()) if resume and saved.exists() else []
        epochs = epochs or self.config.epochs
        for epoch in range(len(history) + 1, epochs + 1):
            if self.config.trouble in TROUBLE and epoch == self.config.trouble_at:
                raise TROUBLE[self.config.trouble]
            if self.config.trouble == "wait":
                time.sleep(0 if epoch == 1 else 60)
            history.append({"epoch": epoch, "loss": 1 / (epoch + seed), "accuracy": 0.5})
            saved.parent.mkdir(exist_ok=True)
            saved.write_text(json.dumps(history))
            event = SimpleNamespace(
                epoch=epoch, epochs=epochs, metrics=history[-1], history=tuple(history)
            )
            for callback in callbacks:
                callback(event)
        return FakeResult(history, seed, dataset, self.config)


RECIPE = FakeRecipe()


def several():
    """Specs by a function, as a plug-in may give them."""
    if os.environ.get("FAKE_PLUGIN_FAILS"):
        raise RuntimeError("the plug-in is broken")
    return [SPEC]
