"""Options of training methods: frozen dataclasses, each number with its default, once.

A method class names its own in `Options`, beside the class. What several methods share stands
here: the optimiser with its schedule, and the rates of the edges of a layered network.

Options are part of the name under which a run is kept. A field that is added later is declared by
`later`: it is left out of that name while it has its default, so that runs of before keep theirs.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

import equinox as eqx
import jax
import optax

from bionet._core.names import unknown
from bionet.layer_maps.shared import Edge
from bionet.layer_maps.sparse import LayerMap
from bionet.training.workload import WorkloadLike

T = TypeVar("T")
Pairs = tuple[tuple[str, Any], ...]
"""Names with values, as a tuple, which can be hashed; a mapping is turned into one."""

OPTIMIZERS: Final = (
    *("adabelief", "adafactor", "adagrad", "adam", "adamax", "adamw", "amsgrad", "lamb"),
    *("lion", "nadam", "novograd", "radam", "rmsprop", "sgd", "sign_sgd", "signum", "yogi"),
)
"""The optimisers of Optax that need a learning rate and nothing else."""

Schedule = Literal["constant", "cosine", "warmup-cosine"]


def later(default: T) -> T:
    """A field that was added after runs had been kept, with its default."""
    return dataclasses.field(default=default, metadata={"later": True})


def write_options(options: Any) -> dict[str, Any]:
    """The fields of options or of a config as a run is kept under them.

    Args:
        options: a dataclass; a later field is left out while it has its default.
    """
    return {
        field.name: getattr(options, field.name)
        for field in dataclasses.fields(options)
        if not (field.metadata.get("later") and getattr(options, field.name) == field.default)
    }


def as_pairs(given: Mapping[str, Any] | Pairs) -> Pairs:
    """Names with values as a tuple of pairs, sorted by name."""
    items = given.items() if isinstance(given, Mapping) else given
    return tuple(sorted((str(name), value) for name, value in items))


@dataclass(frozen=True)
class Descent:
    """Options of a method that leaves the step to an optimiser."""

    learning_rate: float = 1e-3  # of the optimiser, at the start
    optimizer: str = "adam"  # the optimiser, by its name in Optax
    schedule: Schedule = later("constant")  # how the rate goes on: constant, cosine, warmup-cosine
    clip: float | None = later(None)  # longest pseudo-gradient; a longer one is cut; None is any
    weight_decay: float = later(0.0)  # share of each weight that is lost per step, times the rate

    def build_optimizer(self, steps: int) -> optax.GradientTransformation:
        """The optimiser for a run of so many updates.

        Raises:
            ValueError: Optax has none of that name, with the nearest, or no such schedule.
        """
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(unknown("optimiser", self.optimizer, OPTIMIZERS))
        make, rate = getattr(optax, self.optimizer), self._rate(steps)
        if not self.weight_decay:
            optimizer = make(rate)
        elif "weight_decay" in inspect.signature(make).parameters:
            optimizer = make(rate, weight_decay=self.weight_decay)
        else:
            optimizer = optax.chain(optax.add_decayed_weights(self.weight_decay), make(rate))
        if self.clip is None:
            return optimizer
        return optax.chain(optax.clip_by_global_norm(self.clip), optimizer)

    def _rate(self, steps: int) -> float | optax.Schedule:
        """The learning rate, or its course over the steps of a run."""
        rate = self.learning_rate
        if self.schedule == "constant":
            return rate
        if self.schedule == "cosine":
            return optax.cosine_decay_schedule(rate, max(steps, 1))
        if self.schedule == "warmup-cosine":
            steps = max(steps, 2)
            rise = min(100, steps // 10)
            return optax.warmup_cosine_decay_schedule(0.0, rate, rise, steps, 0.01 * rate)
        raise ValueError(
            unknown("schedule", self.schedule, ("constant", "cosine", "warmup-cosine"))
        )


@dataclass(frozen=True)
class EdgeRates(Descent):
    """Options of a local method: a factor on the rate, and a decay, by the kind of an edge."""

    rate_in: float = later(1.0)  # factor on what is added to weights from the input
    rate_forward: float = later(1.0)  # the same between hidden layers, towards the output
    rate_recurrent: float = later(1.0)  # the same within a hidden layer
    rate_out: float = later(1.0)  # the same at the readout
    rate_back: float = later(1.0)  # the same at feedback that learns, over the readout's
    decay_in: float = later(0.0)  # share of itself that a weight from the input loses per step
    decay_forward: float = later(0.0)  # the same between hidden layers
    decay_recurrent: float = later(0.0)  # the same within a hidden layer
    decay_out: float = later(0.0)  # the same at the readout

    def edge_scales(
        self, workload: WorkloadLike, config: Any
    ) -> dict[str, dict[Edge, float] | None]:
        """The arguments `edge_rates` and `edge_decays` of a method for a workload's network."""
        rates = {
            "in": self.rate_in,
            "forward": self.rate_forward,
            "recurrent": self.rate_recurrent,
            "out": self.rate_out,
            "back": self.rate_back * self.rate_out,
        }
        decays = {
            "in": self.decay_in,
            "forward": self.decay_forward,
            "recurrent": self.decay_recurrent,
            "out": self.decay_out,
        }
        if set(rates.values()) == {1.0} and set(decays.values()) == {0.0}:
            return {"edge_rates": None, "edge_decays": None}
        kinds = _edge_kinds(workload, config)
        return {
            "edge_rates": {edge: rates[kind] for edge, kind in kinds.items()},
            "edge_decays": {
                edge: decays[kind] for edge, kind in kinds.items() if decays.get(kind, 0.0)
            },
        }


def _edge_kinds(workload: WorkloadLike, config: Any) -> dict[Edge, str]:
    """The kind of each edge whose module learns and is its own."""
    like = eqx.filter_eval_shape(workload.build, config, jax.random.key(0))
    lmap: LayerMap = like.lmap
    learning = (edge for edge, module in lmap.edge_items() if module.trained())
    return {edge: _kind(edge, lmap.last) for edge in learning if lmap.owner(edge) == edge}


def _kind(edge: Edge, last: int) -> str:
    receiver, sender = edge
    if receiver == last:
        return "out"
    if receiver == sender:
        return "recurrent"
    if sender > receiver:
        return "back"
    return "in" if sender == 0 else "forward"


@dataclass(frozen=True)
class Settling(EdgeRates):
    """Options of the methods that settle."""

    learning_rate: float = 2e-3  # of the optimiser, at the start
    clamped: int | None = None  # most steps with the label; None is as many as an answer takes
    free: int | None = None  # most steps without it; None is as many as an answer takes
    early_stop: bool = later(True)  # end a phase as soon as no unit changes
