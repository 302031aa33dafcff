"""How fast a training step is, against the machine's own rate and against a textbook loop.

    python research/benchmarks/training_step.py              all of it, some minutes on two cores
    python research/benchmarks/training_step.py rate         or: textbook, settled, compile

`rate` trains 784-H-10 with batch 128, 5 + 5 steps and plain SGD, counts the operations of the
matrix products that are needed once, and divides by the best rate of a single product of the
step's own shapes, measured in turns in the same run.

`textbook` holds bionet's step, a whole epoch per call, against `textbook.py`, a compiled step
per call, both with Adam. The textbook comes in three forms: as it is written, with XLA kept from
moving constant messages out of its loops; as XLA compiles it; and that without the masks that
usual libraries hold as float leaves. The small network is also run by Python loops of `step`.

`settled` trains three tasks with and without the early stop, and the textbook on the same batches
where one rate serves all edges. `compile` times tracing and
compilation. A line of JSON per measurement is added to `results/training_step.jsonl`.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import networks
import numpy as np
import optax
import textbook
from stopwatch import in_turns, medians, product_arms, program_memory, record

from bionet import SequentialState, zoo
from bionet.training import TwoPhase


def rate(hidden: int, rounds: int) -> None:
    """The share of the machine's matrix-product rate that a training step reaches."""
    batch, steps = 128, 4
    x, y = networks.batches(steps, batch, 784, 10)
    model = networks.dense(784, (hidden,), 10)
    method = TwoPhase(
        SequentialState((784, hidden, 10)),
        optimizer=optax.sgd(0.01),
        clamped=5,
        free=5,
        early_stop=False,
    )
    epoch = networks.Epoch(method, model, x, y)
    shapes = [(batch, 784, hidden), (batch, hidden, hidden)]
    shapes += [(784, batch, hidden), (hidden, batch, hidden)]
    products, operations = product_arms(shapes)
    found = medians(in_turns({"step": epoch} | products, rounds))
    rates = {name: operations[name] / found[name] / 1e9 for name in products}
    # Input once; recurrence in 10 steps and for the score; both increments; label and readout.
    needed = 2.0 * batch * hidden * (2 * 784 + 12 * hidden + 3 * 10)
    reached = needed * steps / found["step"] / 1e9
    record(
        "training_step",
        {
            "case": "rate",
            "hidden": hidden,
            "batch": batch,
            "step_ms": 1e3 * found["step"] / steps,
            "gflops": reached,
            "product_gflops": rates,
            "share": reached / max(rates.values()),
        },
    )
    print(
        f"784-{hidden}-10, batch {batch}: {1e3 * found['step'] / steps:.1f} ms a step, "
        f"{reached:.0f} GFLOP/s, {100 * reached / max(rates.values()):.0f} % of the best product"
    )


def against_textbook(sizes: tuple[int, int, int], steps: int, rounds: int, eager: bool) -> None:
    """The epoch of bionet and the steps of the textbook, in turns, from the same weights."""
    batch, phases, optimizer = 16, (0, 10, 10), optax.adam(5e-3)
    x, y = networks.batches(steps, batch, sizes[0], sizes[2])
    model, state = networks.dense(sizes[0], (sizes[1],), sizes[2]), SequentialState(sizes)
    method = TwoPhase(state, optimizer=optimizer, clamped=10, free=10, early_stop=False)
    arms: dict[str, Any] = {"bionet": networks.Epoch(method, model, x, y)}
    for name, options in TEXTBOOKS.items():
        arms[name] = Textbook(model, optimizer, phases, x, y, **options)
    check_same(arms["bionet"], arms["textbook, compiled"])
    memory = {
        "bionet": program_memory(arms["bionet"].compiled()),
        "textbook": program_memory(arms["textbook, compiled"].compiled()),
    }
    found = {name: value / steps for name, value in medians(in_turns(arms, rounds)).items()}
    if eager:
        loop = networks.plain_step(model, state, phases)
        found["python loop"] = medians(in_turns({"loop": lambda: loop(x[0], y[0])}, 3, 1))["loop"]
    ratios = {name: value / found["bionet"] for name, value in found.items()}
    row = {"case": "textbook", "sizes": sizes, "batch": batch, "ms": {}, "ratios": ratios}
    row["ms"] = {name: 1e3 * value for name, value in found.items()}
    row |= {"memory_mb": {name: b / 1e6 for name, b in memory.items()}}
    row |= {"memory_share": memory["bionet"] / memory["textbook"]}
    record("training_step", row)
    told = ", ".join(f"{name} {value:.2f} times as long" for name, value in ratios.items())
    print(f"{sizes}, batch {batch}: {told}; memory {100 * row['memory_share']:.0f} %")


class Textbook:
    """The textbook's compiled step, called batch by batch."""

    def __init__(
        self,
        model: Any,
        optimizer: Any,
        phases: Any,
        x: jax.Array,
        y: jax.Array,
        *,
        masks: bool = True,
        as_written: bool = False,
    ) -> None:
        self.params = textbook.parameters(model, masks)
        self.memory, self.key = optimizer.init(self.params), jax.random.key(2)
        self.step = jax.jit(textbook.make_step(model, optimizer, phases, as_written))
        self.batches = list(zip(x, y, strict=True))

    def __call__(self) -> Any:
        """One pass over the batches; goes on from where the last one ended."""
        for x, y in self.batches:
            self.params, self.memory, self.key = self.step(self.params, self.memory, x, y, self.key)
        return self.params

    def compiled(self) -> Any:
        """The program, for its memory."""
        x, y = self.batches[0]
        return self.step.lower(self.params, self.memory, x, y, self.key).compile()


def check_same(epoch: networks.Epoch, other: Textbook) -> None:
    """Fails unless both have learned the same after one pass."""
    jax.block_until_ready((epoch(), other()))
    for edge, leaf in (((1, 0), "W"), ((1, 1), "J"), ((2, 1), "W")):
        ours = getattr(epoch.state.model.lmap[edge], leaf)
        np.testing.assert_allclose(ours, other.params[edge[0]][edge[1]][leaf], atol=1e-4)


TEXTBOOKS: dict[str, dict[str, bool]] = {
    "textbook, as written": {"as_written": True},
    "textbook, compiled": {},
    "textbook, compiled, no masks": {"masks": False},
}


def settled(rounds: int) -> None:
    """What the early stop saves on three tasks, after some epochs of training."""
    tasks = {
        "prototypes-local": zoo.get("prototypes-local"),
        "classification-local, digits": zoo.get("classification-local"),
        "prototypes-local, self-coupling 2": zoo.get("prototypes-local").replace(j_d=2.0),
    }
    for name, recipe in tasks.items():
        problem, method = recipe.problem(seed=0), recipe.build_method()
        batches = problem.train
        order = batches.plan(jax.random.key(0))
        drawn = [batches.batch(order, i) for i in range(60)]
        x, y = (jnp.stack(part) for part in zip(*drawn, strict=True))
        arms, told = {}, {}
        for early in (True, False):
            timed = TwoPhase(
                method.state,
                optimizer=method.optimizer,
                warmup=method.warmup,
                clamped=method.clamped,
                free=method.free,
                edge_rates=method.scales.rates,
                early_stop=early,
            )
            arms[str(early)] = networks.Epoch(timed, problem.model, x, y)
            for _ in range(5):
                told[early] = arms[str(early)]()[1]
        if not method.scales.rates:  # the textbook has one rate for all edges
            phases = (method.warmup, method.clamped, method.free)
            arms["textbook"] = Textbook(problem.model, method.optimizer, phases, x, y)
            for _ in range(5):
                arms["textbook"]()
        found = medians(in_turns(arms, rounds))
        means = {key: float(value.mean()) for key, value in told[True].items()}
        limit = method.warmup + method.clamped + method.free
        taken = sum(value for key, value in means.items() if key.endswith("_steps"))
        row = {"case": "settled", "task": name, "steps_at_most": limit, "steps_taken": taken}
        row |= means | {"time_share": found["True"] / found["False"]}
        beside = ""
        if "textbook" in found:
            row |= {"textbook_ratio": found["textbook"] / found["True"]}
            beside = f", textbook {row['textbook_ratio']:.2f} times as long"
        record("training_step", row)
        print(
            f"{name}: {taken:.1f} of {limit} steps; settled with the label "
            f"{100 * means['clamped_settled']:.0f} %, without {100 * means['free_settled']:.0f} %; "
            f"{100 * row['time_share']:.0f} % of the time of all steps{beside}"
        )


def compilation(layers: int) -> None:
    """Seconds to trace and to compile one training step."""
    state = SequentialState((64, *(64,) * layers, 10))
    method = TwoPhase(state, optimizer=optax.adam(1e-3), warmup=1, clamped=5, free=5)
    train_state = method.init(networks.dense(64, (64,) * layers, 10), jax.random.key(0))
    x, y = networks.batches(1, 16, 64, 10)
    step = eqx.filter_jit(lambda m, s, b, k: m.step(s, b, k))
    began = time.perf_counter()
    step.lower(method, train_state, (x[0], y[0]), jax.random.key(0)).compile()
    took = time.perf_counter() - began
    record("training_step", {"case": "compile", "layers": layers, "seconds": took})
    print(f"{layers} layers: {took:.2f} s to trace and compile a training step")


def main() -> None:
    """Runs the parts that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help="rate, textbook, settled, compile")
    parts = parser.parse_args().parts or ["compile", "rate", "textbook", "settled"]
    if "compile" in parts:
        for layers in (1, 3, 20):
            compilation(layers)
    if "rate" in parts:
        rate(1024, rounds=11)
        rate(4096, rounds=5)
    if "textbook" in parts:
        against_textbook((100, 256, 10), steps=100, rounds=9, eager=True)
        against_textbook((784, 2000, 10), steps=5, rounds=7, eager=False)
    if "settled" in parts:
        settled(rounds=7)


if __name__ == "__main__":
    main()
