"""Noisy prototypes on binary units without a common clock: layers hear each other late.

Data and network are those of `bionet.workloads.prototypes`. But the input is sent at 50 Hz, the
hidden units are updated at 40 Hz, and the output, which is the supervisor, at 20 Hz. An update
takes some time, and each message travels for some more; both vary from tick to tick.

A method has to learn from the messages that have reached a row, not from what its senders hold by
now, and the network answers by schedules that training has not seen.
"""

from __future__ import annotations

from dataclasses import dataclass

from bionet.training.control.control import Control
from bionet.training.local.asynchronous import AsyncReadout
from bionet.training.local.readout import accuracy
from bionet.training.local.timing import Timing, run_in_time
from bionet.training.objective import Objective
from bionet.workloads import prototypes
from bionet.workloads.workload import Workload


@dataclass(frozen=True)
class Config(prototypes.Config):
    """Numbers of data, network and time."""

    rate_in: float = 50.0  # Hz at which the input is sent
    rate_hidden: float = 40.0  # Hz at which the hidden units are updated
    rate_out: float = 20.0  # Hz at which the output is
    taking: float = 0.005  # seconds that an update takes
    delay: float = 0.01  # seconds that a message travels
    jitter: float = 0.25  # standard deviation of both, as a share of them
    episodes: int = 8  # schedules to train on, and as many others to test on
    clamped: int = 10  # steps of the output with the label, for which schedules leave time


def timing(config: Config) -> Timing:
    """Rates, delays and the length of schedules."""
    return Timing(
        rate_in=config.rate_in,
        rate_hidden=config.rate_hidden,
        rate_out=config.rate_out,
        taking=config.taking,
        delay=config.delay,
        jitter=config.jitter,
        episodes=config.episodes,
        clamped=config.clamped,
        free=config.steps,
    )


def objective(config: Config) -> Objective:
    """Answers after the free phase, by schedules that training has not seen."""
    nodes, graph = run_in_time(WORKLOAD, config, timing(config), learning=False)
    return Objective(AsyncReadout(nodes, graph, config.steps), prototypes.loss(config))


WORKLOAD = Workload(
    id="prototypes-async",
    application="prototypes",
    architecture="async-binary-rnn",
    datasets=("prototypes",),
    config=Config(),
    data=prototypes.data,
    build=prototypes.build,
    objective=objective,
    metric=accuracy,
    synthetic=prototypes.synthetic,
    baselines=prototypes.baselines,
    examples=lambda config: config.samples,
    control=Control.frozen_dynamics(),
    state=prototypes.state,
    settling_steps=lambda config: config.steps,
    timing=timing,
)
