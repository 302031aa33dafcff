"""Open_ES against low-rank ES as weights and population grow: time, memory, cosine.

    python research/studies/es-scaling/run.py           runs what has no line yet
    python research/studies/es-scaling/run.py --table   the tables of the README, from the lines
    python research/studies/es-scaling/run.py --figure  figure.svg, from the lines

A trial is one of two kinds. "memory" is one configuration in a process of its own: what its
compiled step needs by its own account, and how far the process grows over one step. "steps" is one
width and one population in this process: all methods in turns, a step for each of the seeds, which
say both what a step takes and what it has found. Both run the same compiled step of the method,
with raw losses and plain descent at a rate of 1, so that the step is the estimate.
"""

from __future__ import annotations

import argparse
import functools
import gc
import math
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from evosax.core.fitness_shaping import identity_fitness_shaping_fn

from bionet.datasets import load
from bionet.studies.report.statistics import mean
from bionet.studies.run.meters import Memory, compile_clock, surroundings
from bionet.studies.run.provenance import commit
from bionet.studies.run.store import Lines, read_results
from bionet.training import Evolution, LowRankES, Objective
from bionet.training.zeroth_order.low_rank_noise import NoiseOfModel
from bionet.training.zeroth_order.trained_vector import trained_vector, with_trained
from bionet.zoo.setup import short_hash

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from stopwatch import in_turns, medians, program_memory

HERE = Path(__file__).parent
RESULTS = HERE / "results.jsonl"
STUDY = "es-scaling"
RANKS = {"es": 0, "lowrank-es rank 1": 1, "lowrank-es rank 4": 4}  # 0: full noise
WIDTHS = (12, 40, 126, 398, 1258)
POPULATIONS = (16, 64, 256, 1024, 4096)
SEEDS = (0, 1, 2, 3, 4)
SIGMA, IMAGES, CHUNK = 0.01, 64, 64
SHORT = 1e7
"""Up to so many weights times members each seed's step is timed three times."""
LIMIT = 8 * 2**30
"""Bytes that a step may need."""
MIB = 2**20
# Not evosax.algorithms: it starts JAX, which must not be forked.
LIBRARIES = [
    "bionet.training",
    "bionet.studies.run.meters",
    "evosax.core.fitness_shaping",
    "sklearn.datasets",
]
PATIENCE = 300
"""Seconds after which a process is given up."""

OBJECTIVE = Objective(
    lambda model, x, key: jax.vmap(model)(x),
    lambda outputs, y: optax.softmax_cross_entropy_with_integer_labels(outputs, y).mean(),
)
Config = dict[str, Any]


def weights_of(width: int) -> int:
    """How many numbers 784-h-10 has."""
    return 784 * width + width + 10 * width + 10


def configurations() -> Iterator[Config]:
    """All trials: memory first, since it says beforehand what is refused."""
    fixed = {"sigma": SIGMA, "images": IMAGES, "chunk": CHUNK}
    sizes = [{"width": w, "population": n} for w in WIDTHS for n in POPULATIONS]
    for size in sizes:
        yield from ({"stage": "memory", "method": name} | size | fixed for name in RANKS)
    for size in sizes:
        times = 3 if weights_of(size["width"]) * size["population"] <= SHORT else 1
        steps = {"stage": "steps", "methods": list(RANKS), "seeds": list(SEEDS), "times": times}
        yield steps | size | fixed


# One step.


def on_cpu() -> None:
    """Keeps this process to the CPU, whatever it has, and to what it compiles itself."""
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_enable_compilation_cache", False)
    compile_clock()


@functools.cache
def batch() -> tuple[jax.Array, jax.Array]:
    """Digits of 8 x 8, each pixel three by three, within a margin of two: 28 x 28 as in MNIST."""
    images = load("digits").train
    large = np.kron(images.x[:IMAGES].reshape(-1, 8, 8), np.ones((1, 3, 3)))
    x = np.pad(large, ((0, 0), (2, 2), (2, 2))).reshape(IMAGES, -1)
    return jnp.asarray(x, jnp.float32), jnp.asarray(images.y[:IMAGES])


def network(width: int, seed: int) -> eqx.nn.MLP:
    """The network at its random start."""
    return eqx.nn.MLP(784, 10, width, 1, key=jax.random.key(seed))


def method_of(name: str, population: int) -> Evolution | LowRankES:
    """The method, whose step is its estimate, turned round."""
    chunk, descent = min(CHUNK, population), optax.sgd(1.0)
    if rank := RANKS[name]:
        return LowRankES(
            OBJECTIVE,
            rank=rank,
            population=population,
            sigma=SIGMA,
            shaping="raw",
            chunk=chunk,
            optimizer=descent,
        )
    return Evolution(
        OBJECTIVE,
        "Open_ES",
        population=population,
        sigma=SIGMA,
        chunk=chunk,
        optimizer=descent,
        fitness_shaping_fn=identity_fitness_shaping_fn,
    )


class Step:
    """The compiled step of a method at one size; it cannot be compiled anew."""

    def __init__(self, name: str, width: int, population: int) -> None:
        self._method, self._width = method_of(name, population), width
        _, self._static = eqx.partition(self._start(0), eqx.is_array)
        self.program = jax.jit(self._run).lower(*self.given(0)).compile()
        self.bytes = program_memory(self.program)

    @property
    def refused(self) -> str:
        """Why it does not run; empty if it does."""
        too_large = self.bytes > LIMIT
        return f"needs {self.bytes / 2**30:.1f} GiB, over {LIMIT / 2**30:g}" if too_large else ""

    def given(self, seed: int) -> tuple[Any, ...]:
        """What the program takes: state, batch and key of a seed."""
        return eqx.filter(self._start(seed), eqx.is_array), batch(), jax.random.key(1_000 + seed)

    def estimate(self, given: tuple[Any, ...], after: Any) -> np.ndarray:
        """The estimate that a step has followed."""
        ends = (eqx.combine(each, self._static).model for each in (given[0], after))
        before, now = (np.asarray(trained_vector(end), np.float64) for end in ends)
        return before - now

    def _start(self, seed: int) -> Any:
        return self._method.init(network(self._width, seed), jax.random.key(0))

    def _run(self, arrays: Any, batch: tuple[jax.Array, ...], key: jax.Array) -> Any:
        after, told = self._method.step(eqx.combine(arrays, self._static), batch, key)
        return eqx.filter(after, eqx.is_array), told["training_loss"]


# Memory: a process per configuration.


def memory_alone(config: Config) -> Config:
    """The memory of one step, in a process that does nothing else."""
    step = Step(config["method"], config["width"], config["population"])
    found: Config = {"program_mib": round(step.bytes / MIB, 2)}
    if step.refused:
        return found | {"refused": step.refused}
    given = jax.block_until_ready(step.given(0))
    gc.collect()
    memory = Memory()
    baseline = memory.peak()
    jax.block_until_ready(step.program(*given))
    return found | {"baseline_mib": baseline, "growth_mib": round(memory.peak() - baseline, 1)}


def in_own_process(config: Config) -> Config:
    """What a new process says of a configuration.

    It is forked from a server that has imported the libraries and started nothing of JAX.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LIBRARIES)
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_tell, args=(theirs, config))
    process.start()
    theirs.close()
    try:
        if ours.poll(PATIENCE):
            return ours.recv()
        process.kill()
        fault = f"said nothing for {PATIENCE} s"
    except EOFError:
        process.join()
        fault = f"ended with {process.exitcode} and said nothing"
    finally:
        process.join()
    raise RuntimeError(
        f"The process of {config} {fault}, so it has no line; the same command tries it again."
    )


def _tell(connection: Connection, config: Config) -> None:
    on_cpu()
    connection.send(memory_alone(config))


def memories(configs: list[Config]) -> Iterator[tuple[Config, Config]]:
    """Two at a time, in an order in which large ones do not meet."""
    pool = ThreadPoolExecutor(2)
    waiting = {pool.submit(in_own_process, config): config for config in configs}
    try:
        for future in as_completed(waiting):
            yield waiting[future], future.result()
    finally:
        pool.shutdown(cancel_futures=True)


# Time and cosine: all methods in turns.


def law(pairs: int, weights: int, beyond: float = 0.0) -> float:
    """The cosine to expect of so many pairs, for a loss that is nearly quadratic within sigma."""
    return math.sqrt(pairs / (pairs + weights + 1 + beyond))


def beyond_full_noise(rank: int, model: eqx.nn.MLP, gradient: np.ndarray) -> float:
    """What low rank adds to the dimensions of the law.

    For E = A B' / sqrt(r), with A (m, r) and B (n, r) of standard normal numbers, the mean of
    <G, E>^2 |E|^2 is |G|^2 (m n + 2 + 2 (m + n + 1) / r), and m n + 2 of it is that of full noise.
    """
    if not rank:
        return 0.0
    kinds = NoiseOfModel(model, rank).kinds
    ends = np.cumsum([math.prod(kind.shape) for kind in kinds])[:-1]
    parts = zip(kinds, np.split(gradient, ends), strict=True)
    more = [part @ part * 2 * (sum(k.sides) + 1) / rank for k, part in parts if k.sides is not None]
    return float(sum(more) / (gradient @ gradient))


@eqx.filter_jit
def _gradient(model: eqx.nn.MLP) -> jax.Array:
    def loss(vector: jax.Array) -> jax.Array:
        return OBJECTIVE(with_trained(model, vector), batch(), jax.random.key(0))

    return jax.grad(loss)(trained_vector(model))


class Arm:
    """Steps from one seed after the other; the first call is a warm-up."""

    def __init__(self, step: Step, seeds: Iterable[int]) -> None:
        self.step = step
        self.given = jax.block_until_ready([step.given(seed) for seed in seeds])
        self.after: list[Any] = []
        self._calls = 0

    def __call__(self) -> Any:
        """One step. It keeps where the first step of each seed has led to."""
        after = self.step.program(*self.given[max(self._calls - 1, 0) % len(self.given)])
        if 0 < self._calls <= len(self.given):
            self.after.append(after[0])
        self._calls += 1
        return after


def steps(config: Config) -> Config:
    """Seconds and cosines of all methods at one size."""
    width, population, seeds = (config[name] for name in ("width", "population", "seeds"))
    every = {name: Step(name, width, population) for name in config["methods"]}
    found: dict[str, Config] = {n: {"refused": s.refused} for n, s in every.items() if s.refused}
    arms = {name: Arm(step, seeds) for name, step in every.items() if name not in found}
    gc.collect()
    began = time.perf_counter()
    turns: dict[str, Callable[[], Any]] = dict(arms)
    seconds = in_turns(turns, config["times"] * len(seeds), warm_up=1)
    compiled = compile_clock().between(began, time.perf_counter())
    if compiled:
        raise RuntimeError(f"Something was compiled within the timed steps, for {compiled:.3f} s.")
    models = [network(width, seed) for seed in seeds]
    gradients = [np.asarray(_gradient(model), np.float64) for model in models]
    middle = medians(seconds)
    for name, arm in arms.items():
        found[name] = {"median_seconds": middle[name], "seconds": seconds[name]}
        found[name] |= directions(arm, models, gradients, RANKS[name], population // 2)
    return {name: found[name] for name in every}


def directions(
    arm: Arm, models: list[eqx.nn.MLP], gradients: list[np.ndarray], rank: int, pairs: int
) -> Config:
    """How each seed's estimate lies to the gradient, and how the laws say it should."""
    found: Config = {"cosine": [], "length": [], "law_of_this_noise": []}
    for model, true, given, after in zip(models, gradients, arm.given, arm.after, strict=True):
        estimate = arm.step.estimate(given, after)
        lengths = np.linalg.norm(estimate), np.linalg.norm(true)
        found["cosine"].append(float(estimate @ true / (lengths[0] * lengths[1])))
        found["length"].append(float(lengths[0] / lengths[1]))
        expected = law(pairs, true.size, beyond_full_noise(rank, model, true))
        found["law_of_this_noise"].append(expected)
    return found | {"law": law(pairs, gradients[0].size)}


# Lines.


def run() -> None:
    """Runs what has no line."""
    with Lines(RESULTS) as file:
        if file.mended:
            print(file.mended)
        done = {line["trial"] for line in lines()}
        missing = [config for config in configurations() if short_hash(config) not in done]
        alone = [config for config in missing if config["stage"] == "memory"]
        together = (config for config in missing if config["stage"] == "steps")
        began = time.perf_counter()
        results = [memories(alone), ((config, steps(config)) for config in together)]
        number = 0
        for part in results:
            for config, metrics in part:
                file.append(as_line(config, metrics))
                number, took = number + 1, time.perf_counter() - began
                what = f"{config['stage']} {config.get('method', '')}".strip()
                size = f"width {config['width']}, population {config['population']}"
                print(f"[{number}/{len(missing)}, {took:.0f} s] {what}, {size}", flush=True)
                gc.collect()


def as_line(config: Config, metrics: Config) -> Config:
    """A line of results.jsonl."""
    return {
        "study": STUDY,
        "arm": config.get("method", "all in turns"),
        "seed": SEEDS[0],
        "trial": short_hash(config),
        "stage": config["stage"],
        "config": config | {"weights": weights_of(config["width"])},
        "metrics": metrics,
        **surroundings(),
        "commit": commit(HERE),
    }


def lines() -> list[Config]:
    """The lines that are there; what cannot be read is told."""
    read = read_results(RESULTS, STUDY)
    if read.corrupted:
        print(read.told(), file=sys.stderr)
    return read.lines


def by_size() -> dict[tuple[int, int], dict[str, Config]]:
    """What each method came to at each size, of trials that are still asked for."""
    wanted = {short_hash(config) for config in configurations()}
    found: dict[tuple[int, int], dict[str, Config]] = {}
    for line in (line for line in lines() if line["trial"] in wanted):
        config, metrics = line["config"], line["metrics"]
        told = metrics if line["stage"] == "steps" else {config["method"]: metrics}
        here = found.setdefault((config["weights"], config["population"]), {})
        for name, values in told.items():
            here[name] = here.get(name, {}) | values
    return dict(sorted(found.items()))


# Tables and figure.


def table_of(head: list[str], cells: Callable[[dict[str, Config], int], list[str]]) -> str:
    """A table with a row per size."""
    head = ["weights d", "population N", *head]
    rows = [head, ["---"] * len(head)]
    for (weights, population), found in by_size().items():
        rows.append([f"{weights:,}", f"{population:,}", *cells(found, population)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def cell(found: dict[str, Config], name: str, key: str, told: Callable[[Any], str]) -> str:
    """One value, or why there is none."""
    values = found.get(name, {})
    return told(values[key]) if key in values else ("refused" if "refused" in values else "")


def time_cells(found: dict[str, Config], _: int) -> list[str]:
    """Milliseconds, and how many times as long full noise takes."""
    key = "median_seconds"
    cells = [cell(found, name, key, lambda s: f"{1e3 * s:,.3g}" if s < 1 else f"{1e3 * s:,.0f}")
             for name in RANKS]  # fmt: skip
    full, *low = (found.get(name, {}).get(key) for name in RANKS)
    return cells + [f"{full / each:.1f}" if full and each else "" for each in low]


def memory_cells(found: dict[str, Config], _: int) -> list[str]:
    """MiB by the program's own account, and those by which the process has grown."""
    told = [("program_mib", lambda mib: f"{mib:,.4g}" if mib < 1e3 else f"{mib:,.0f}"),
            ("growth_mib", lambda mib: f"{mib:,.0f}")]  # fmt: skip
    return [cell(found, name, key, words) for key, words in told for name in RANKS]


def cosine_cells(found: dict[str, Config], population: int) -> list[str]:
    """Pairs, the law, the cosines and what the law says of noise of that rank."""

    def told(values: list[float]) -> str:
        ends = mean(values)
        return f"{ends.value:.4f} [{ends.low:.4f}, {ends.high:.4f}]"

    laws = [found[name]["law"] for name in RANKS if "law" in found.get(name, {})]
    cells = [f"{population // 2:,}", f"{laws[0]:.4f}" if laws else ""]
    for name, rank in RANKS.items():
        cells.append(cell(found, name, "cosine", told))
        if rank:
            cells.append(cell(found, name, "law_of_this_noise", lambda v: f"{np.mean(v):.4f}"))
    return cells


def tables() -> str:
    """The tables of the README."""
    short = ["es", "rank 1", "rank 4"]
    over = ["es / rank 1", "es / rank 4"]
    sizes = [f"{name}, {what}" for what in ("program", "process") for name in short]
    angles = ["pairs K", "law", "es", "rank 1", "its law", "rank 4", "its law"]
    return "\n\n".join(
        [
            "Milliseconds of a step, median:\n\n" + table_of([*short, *over], time_cells),
            "Peak memory of a step in MiB:\n\n" + table_of(sizes, memory_cells),
            "Cosine with the gradient:\n\n" + table_of(angles, cosine_cells),
        ]
    )


def figure(population: int = 256) -> Path:
    """Time, memory and cosine over weights, at one population."""
    from bionet.plotting.curve_figures import COLOURS, MARKERS
    from bionet.plotting.learning_curve import blank_figure, finish, plain_axes

    panels: list[tuple[str, Callable[[Config], float]]] = [
        ("seconds of a step", lambda found: found["median_seconds"]),
        ("MiB that a step needs", lambda found: found["program_mib"]),
        ("cosine with the gradient", lambda found: statistics.fmean(found["cosine"])),
    ]
    drawn = blank_figure(9.0, 3.1)
    here = [(d, found) for (d, n), found in by_size().items() if n == population]
    axes = drawn.subplots(1, len(panels))
    for ax, (label, value) in zip(axes, panels, strict=True):
        plain_axes(ax, "both")
        for place, name in enumerate(RANKS):
            known = [(d, found[name]) for d, found in here if "refused" not in found[name]]
            x, y = [d for d, _ in known], [value(found) for _, found in known]
            ax.loglog(x, y, color=COLOURS[place], marker=MARKERS[place], markersize=4, label=name)
        ax.set_xlabel("weights", fontsize=9)
        ax.set_title(label, fontsize=9, loc="left")
    x = [d for d, _ in here]
    axes[-1].loglog(x, [law(population // 2, d) for d in x], "k:", linewidth=1, label="law")
    axes[-1].legend(frameon=False, fontsize=8)
    finish(drawn, f"One step with a population of {population}", HERE / "figure.svg")
    return HERE / "figure.svg"


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", action="store_true", help="print what is there")
    parser.add_argument("--figure", action="store_true", help="draw what is there")
    options = parser.parse_args()
    if options.table:
        print(tables())
    elif options.figure:
        print(f"Written: {figure().name}")
    else:
        on_cpu()
        run()


if __name__ == "__main__":
    main()
