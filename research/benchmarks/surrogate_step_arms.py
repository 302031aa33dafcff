"""One arm of `surrogate_step.py`, in a process of its own and in the environment of its library.

    python surrogate_step_arms.py ARM

It builds the network 128-128-10 from weights that NumPy draws, says "ready", and then answers each
line that it reads by a line of JSON: `judge` by loss and accuracy on held-out examples, `pass` by
the seconds that the training steps on all batches took. What an arm does not need is not imported.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

TIME, BATCH, INPUTS, UNITS, CLASSES = 100, 128, 128, 128, 10
BATCHES, HELD_OUT = 8, 4096
LEAK, SLOPE, RATE = 0.9, 25.0, 2e-3


class Task(NamedTuple):
    """What all arms share: weights, batches to learn from, and examples to be judged on."""

    W: np.ndarray
    J: np.ndarray
    readout: np.ndarray
    xs: np.ndarray
    ys: np.ndarray
    held_x: np.ndarray
    held_y: np.ndarray


class Arm(NamedTuple):
    """A pass over all batches, and the outputs for held-out examples."""

    train: Callable[[], Any]
    answer: Callable[[], Any]


def task() -> Task:
    """Spike trains whose channels fire a little more often in some classes than in others."""
    rng = np.random.default_rng(0)
    rates = 0.03 + 0.02 * rng.uniform(size=(CLASSES, INPUTS))

    def drawn(examples: int) -> tuple[np.ndarray, np.ndarray]:
        y = rng.integers(CLASSES, size=examples)
        x = rng.uniform(size=(TIME, examples, INPUTS)) < rates[y]
        return x.astype(np.float32), y.astype(np.int32)

    weights = [
        (scale * rng.normal(size=shape)).astype(np.float32)
        for scale, shape in (
            (0.3, (INPUTS, UNITS)),
            (0.05, (UNITS, UNITS)),
            (0.1, (UNITS, CLASSES)),
        )
    ]
    batches = [drawn(BATCH) for _ in range(BATCHES)]
    xs, ys = (np.stack(part) for part in zip(*batches, strict=True))
    return Task(*weights, xs, ys, *drawn(HELD_OUT))


def bionet(task: Task, *, like: str) -> Arm:
    """Ours, with the small choices of one of the others.

    Spyx sends gradients through the reset, and its units answer a step late, so that the last
    step of its readout is that of the spikes before; snnTorch does neither.
    """
    import equinox as eqx
    import jax
    import jax.numpy as jnp
    import networks
    import optax

    from bionet.modules import (
        LIF,
        CellChain,
        LeakyIntegrator,
        RecurrentSpiking,
        Synapses,
        over_time,
    )
    from bionet.training import Gradient, Objective

    key, late = jax.random.key(0), like == "spyx"
    unit = LIF(UNITS, LEAK, learn_leak=False, reset_gradient=late)
    model = CellChain(
        RecurrentSpiking(INPUTS, UNITS, unit, key, bias=False),
        Synapses(UNITS, CLASSES, key, bias=False),
        LeakyIntegrator(CLASSES, LEAK, learn_leak=False),
    )
    model = eqx.tree_at(
        lambda m: (m.cells[0].W, m.cells[0].J, m.cells[1].W),
        model,
        list(map(jnp.asarray, task[:3])),
    )

    def predict(model: Any, x: jax.Array, key: jax.Array) -> jax.Array:
        voltages, _ = over_time(model, x)
        return voltages[: TIME - 1 if late else TIME].sum(0) / TIME

    def loss(outputs: jax.Array, y: jax.Array) -> jax.Array:
        return optax.softmax_cross_entropy_with_integer_labels(outputs, y).mean()

    method = Gradient(Objective(predict, loss), optax.adam(RATE))
    epoch = networks.Epoch(method, model, jnp.asarray(task.xs), jnp.asarray(task.ys))
    answer = jax.jit(lambda model, x: predict(model, x, key))
    return Arm(
        lambda: jax.block_until_ready(epoch()), lambda: answer(epoch.state.model, task.held_x)
    )


def spyx(task: Task, *, whole: bool) -> Arm:
    """Spyx, all steps compiled into one call as its `compile_fit` does.

    `whole` runs the chain step by step as its own example does; otherwise each layer sees the
    whole sequence, so that the input product is done once for all steps.
    """
    import jax
    import jax.numpy as jnp
    import optax
    from flax import nnx
    from spyx import axn
    from spyx import nn as snn

    rngs = nnx.Rngs(0)
    model = snn.Sequential(
        nnx.Linear(INPUTS, UNITS, use_bias=False, rngs=rngs),
        snn.RLIF((UNITS,), beta=LEAK, activation=axn.superspike(SLOPE), rngs=rngs),
        nnx.Linear(UNITS, CLASSES, use_bias=False, rngs=rngs),
        snn.LI((CLASSES,), beta=LEAK, rngs=rngs),
    )
    first, core, last, readout = model.layers
    for place, value in zip((first.kernel, core.recurrent_w, last.kernel), task[:3], strict=True):
        place[...] = jnp.asarray(value)
    core.beta, readout.beta = (nnx.Variable(jnp.full((), LEAK)) for _ in range(2))  # fixed
    graph, params, rest = nnx.split(model, nnx.Param, ...)

    def predict(params: Any, x: jax.Array) -> jax.Array:
        model = nnx.merge(graph, params, rest)
        if whole:
            return snn.run(model, x)[0].sum(0) / TIME
        first, core, last, readout = model.layers
        spikes, _ = snn.run(core, first(x))
        return snn.run(readout, last(spikes))[0].sum(0) / TIME

    def loss(params: Any, x: jax.Array, y: jax.Array) -> jax.Array:
        logits = predict(params, x)
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    optimizer = optax.adam(RATE)

    def step(carry: Any, batch: Any) -> tuple[Any, jax.Array]:
        params, memory = carry
        value, slope = jax.value_and_grad(loss)(params, *batch)
        updates, memory = optimizer.update(slope, memory, params)
        return (optax.apply_updates(params, updates), memory), value

    run = jax.jit(lambda carry, *batches: jax.lax.scan(step, carry, batches), donate_argnums=0)
    batches = jnp.asarray(task.xs), jnp.asarray(task.ys)
    held = {"carry": jax.tree.map(jnp.copy, (params, optimizer.init(params)))}

    def train() -> None:
        held["carry"], _ = jax.block_until_ready(run(held["carry"], *batches))

    answer = jax.jit(predict)
    return Arm(train, lambda: answer(held["carry"][0], task.held_x))


def snntorch(task: Task, *, whole: bool) -> Arm:
    """SnnTorch in PyTorch, as its tutorials train: a loop over time, one step of Adam a batch.

    `whole` as for Spyx. It uses as many threads as are faster, one or all.
    """
    import snntorch as snn
    import torch
    from snntorch import surrogate
    from torch import nn

    core = snn.RLeaky(
        beta=LEAK, linear_features=UNITS, spike_grad=surrogate.fast_sigmoid(slope=SLOPE)
    )
    core.recurrent = nn.Linear(UNITS, UNITS, bias=False)
    first, last = nn.Linear(INPUTS, UNITS, bias=False), nn.Linear(UNITS, CLASSES, bias=False)
    readout = snn.Leaky(beta=LEAK, reset_mechanism="none")
    with torch.no_grad():
        for layer, value in zip((first, core.recurrent, last), task[:3], strict=True):
            layer.weight.copy_(torch.from_numpy(value.T.copy()))
    weights = [layer.weight for layer in (first, core.recurrent, last)]

    def predict(x: torch.Tensor) -> torch.Tensor:
        spikes = torch.zeros(x.shape[1], UNITS)
        voltage, out = torch.zeros(x.shape[1], UNITS), torch.zeros(x.shape[1], CLASSES)
        total, driven = torch.zeros_like(out), None if whole else first(x)
        for t in range(TIME):
            current = first(x[t]) if driven is None else driven[t]
            spikes, voltage = core(current, spikes, voltage)
            _, out = readout(last(spikes), out)
            total = total + out
        return total / TIME

    optimizer, judge = torch.optim.Adam(weights, lr=RATE), nn.CrossEntropyLoss()
    batches = list(zip(torch.from_numpy(task.xs), torch.from_numpy(task.ys).long(), strict=True))

    def step(x: torch.Tensor, y: torch.Tensor) -> None:
        optimizer.zero_grad()
        judge(predict(x), y).backward()
        optimizer.step()

    def train() -> None:
        for batch in batches:
            step(*batch)

    def answer() -> np.ndarray:
        with torch.no_grad():
            return np.asarray(predict(torch.from_numpy(task.held_x)).tolist())

    torch.set_num_threads(
        _faster_threads(torch, lambda: judge(predict(batches[0][0]), batches[0][1]).backward())
    )
    return Arm(train, answer)


def _faster_threads(torch: Any, run: Callable[[], Any]) -> int:
    """One thread or as many as there are cores, whichever took less time."""
    seconds = {}
    for threads in {1, len(os.sched_getaffinity(0))}:
        torch.set_num_threads(threads)
        run()
        began = time.perf_counter()
        run()
        seconds[threads] = time.perf_counter() - began
    return min(seconds, key=seconds.__getitem__)


ARMS: dict[str, Callable[[Task], Arm]] = {
    "bionet, as spyx": lambda task: bionet(task, like="spyx"),
    "spyx": lambda task: spyx(task, whole=True),
    "spyx, layer by layer": lambda task: spyx(task, whole=False),
    "bionet, as snntorch": lambda task: bionet(task, like="snntorch"),
    "snntorch": lambda task: snntorch(task, whole=True),
    "snntorch, input first": lambda task: snntorch(task, whole=False),
}


def judged(outputs: Any, labels: np.ndarray) -> dict[str, float]:
    """Mean cross-entropy and accuracy."""
    logits = np.asarray(outputs, np.float64)
    logits -= logits.max(-1, keepdims=True)
    chosen = logits[np.arange(len(labels)), labels]
    losses = np.log(np.exp(logits).sum(-1)) - chosen
    return {
        "loss": float(losses.mean()),
        "accuracy": float((logits.argmax(-1) == labels).mean()),
    }


def main() -> None:
    """Answers one line after the other until the input ends."""
    given = task()
    arm = ARMS[sys.argv[1]](given)
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip() == "judge":
            told = judged(arm.answer(), given.held_y)
        else:
            began = time.perf_counter()
            arm.train()
            told = {"seconds": time.perf_counter() - began}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
