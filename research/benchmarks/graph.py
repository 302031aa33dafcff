"""What a compiled asynchronous network costs, against the same work without a schedule.

    python research/benchmarks/graph.py             about three minutes on two cores
    python research/benchmarks/graph.py one         one environment; also: many, build, large

Four nodes of 32 units hear one another in a ring: sensor 50 Hz, hidden 20 Hz, agent 10 Hz (the
supervisor), actuator 50 Hz. Steps take a fifth of a period and messages a tenth, both with 25 %
jitter; 10 episodes of 10 s. `by hand` is a `lax.scan` over the same 13 steps in a fixed order,
with no schedule at all. Many: 256 environments with the same weights, once at one step of one
episode (`SHARED` but for the weights), once each in an episode of its own. Build: a process that
imports bionet, draws the episodes and makes the `Graph`. Large: 30 nodes, 20 episodes of 20 s.
Arms take turns inside one run. A line per case is added to `results/graph.jsonl`.
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from stopwatch import Arm, in_turns, medians, record

from bionet.graph import BaseNode, ClippedNormal, Graph, GraphState, Supergraph, generate_graphs

UNITS, BATCH, ROUNDS = 32, 256, 15
RATES = {"sensor": 50, "hidden": 20, "agent": 10, "actuator": 50}
HEARS = {"sensor": "actuator", "hidden": "sensor", "agent": "hidden", "actuator": "agent"}
BY_HAND = (*["sensor", "actuator"] * 2, "hidden", *["sensor", "actuator"] * 2, "hidden")
BY_HAND = (*BY_HAND, "sensor", "actuator", "agent")


class Units(BaseNode):
    """Tanh units that hear themselves and the newest message of each input."""

    def init_params(self, rng: Any = None, graph_state: Any = None) -> dict[str, jax.Array]:
        """Random weights."""
        draw = np.random.default_rng(len(self.name)).normal
        return {name: jnp.asarray(draw(size=(UNITS, UNITS)) / 8, jnp.float32) for name in "wr"}

    def init_state(self, rng: Any = None, graph_state: Any = None) -> jax.Array:
        """A tenth everywhere."""
        return jnp.full(UNITS, 0.1)

    def init_output(self, rng: Any = None, graph_state: Any = None) -> jax.Array:
        """Silence."""
        return jnp.zeros(UNITS)

    def step(self, step_state: Any) -> Any:
        """One step."""
        heard = sum(seen[-1].data for seen in step_state.inputs.values())
        state = cell(step_state.params, heard, step_state.state)
        return step_state.replace(state=state), state


def cell(params: dict[str, jax.Array], heard: Any, state: jax.Array) -> jax.Array:
    """What a step computes."""
    return jnp.tanh(heard @ params["w"] + state @ params["r"])


def ring() -> list[Units]:
    """The four nodes."""
    nodes = {n: Units(n, r, delay=ClippedNormal(0.2 / r, 0.05 / r)) for n, r in RATES.items()}
    for name, sender in HEARS.items():
        rate = RATES[sender]
        nodes[name].connect(nodes[sender], delay=ClippedNormal(0.1 / rate, 0.025 / rate))
    return list(nodes.values())


def graphs() -> dict[str, Graph]:
    """The same network in the three modes."""
    nodes = ring()
    episodes = generate_graphs(nodes, 10.0, rng=0, num_episodes=10)
    return {mode.name: Graph(nodes, "agent", episodes, supergraph=mode) for mode in Supergraph}


def scanned(params: Any, state: Any, steps: int) -> Any:
    """The same steps in a fixed order, where everybody hears what is newest."""

    def body(state: dict[str, jax.Array], _: None) -> tuple[dict[str, jax.Array], None]:
        for name in BY_HAND:
            state = state | {name: cell(params[name], state[HEARS[name]], state[name])}
        return state, None

    return jax.lax.scan(body, state, length=steps)[0]


def one() -> dict[str, Any]:
    """One environment: supervisor steps per second."""
    arms: dict[str, Arm] = {}
    for name, graph in graphs().items():
        state, steps = graph.init(), graph.max_steps
        compiled = jax.jit(graph.rollout).lower(state).compile()
        arms[name] = lambda run=compiled, state=state: run(state)
    by_hand = jax.jit(scanned, static_argnums=2).lower(state.params, state.state, steps).compile()
    arms["by hand"] = lambda: by_hand(state.params, state.state)
    return _rates(arms, steps)


def axes(**same: Any) -> GraphState:
    """Axes of a batch, with these fields in common."""
    names = ("eps", "step", "rng", "params", "state", "inputs", "buffer", "aux")
    return GraphState(**(dict.fromkeys(names, 0) | {"params": None} | same))


def many() -> dict[str, Any]:
    """256 environments: supervisor steps per second, of all together."""
    arms: dict[str, Arm] = {}
    keys = jax.random.split(jax.random.key(0), BATCH)
    shared, own = axes(eps=None, step=None), axes()
    for name, graph in graphs().items():
        steps = graph.max_steps
        for how, axis in (("shared", shared), ("own", own)):
            eps = jnp.arange(BATCH) % 10 if how == "own" else jnp.zeros(BATCH, int)
            begun = jax.vmap(lambda key, e, g=graph: g.init(key, starting_eps=e))(keys, eps)
            begun = begun.replace(params=graph.init().params)
            begun = (
                begun.replace(eps=begun.eps[0], step=begun.step[0]) if how == "shared" else begun
            )
            run = jax.jit(jax.vmap(graph.rollout, in_axes=(axis,), out_axes=axis))
            compiled = run.lower(begun).compile()
            arms[f"{name} {how}"] = lambda run=compiled, state=begun: run(state)
    batch = jax.vmap(scanned, in_axes=(None, 0, None))
    by_hand = jax.jit(batch, static_argnums=2).lower(begun.params, begun.state, steps).compile()
    arms["by hand"] = lambda: by_hand(begun.params, begun.state)
    return _rates(arms, steps * BATCH)


def _rates(arms: dict[str, Arm], steps: int) -> dict[str, Any]:
    seconds = medians(in_turns(arms, ROUNDS))
    return {name: round(steps / value) for name, value in seconds.items()}


COLD = """
import time; began = time.perf_counter()
from graph import graphs, ring
from bionet.graph import Graph, generate_graphs
imported = time.perf_counter()
nodes = ring()
graph = Graph(nodes, "agent", generate_graphs(nodes, 10.0, rng=0, num_episodes=10))
print(len(graph.S), imported - began, time.perf_counter() - imported)
"""


def build() -> dict[str, Any]:
    """A cold process: slots, seconds to import, seconds to draw the episodes and make a `Graph`."""
    rows = []
    for _ in range(3):
        began = time.perf_counter()
        command = [sys.executable, "-c", COLD]
        told = subprocess.run(
            command, capture_output=True, text=True, check=True, cwd=sys.path[0]
        ).stdout.split()
        rows.append([float(word) for word in told] + [time.perf_counter() - began])
    slots, imports, builds, all_in = np.median(rows, axis=0).round(2).tolist()
    return {"slots": int(slots), "import": imports, "build": builds, "process": all_in}


def large() -> dict[str, Any]:
    """30 nodes, 20 episodes of 20 s: seconds to build, and to compile a rollout."""
    rng = np.random.default_rng(0)
    rates = rng.choice([5, 10, 20, 25, 40, 50], 30)
    nodes = [
        Units(f"node{at:02d}", rate, delay=ClippedNormal(0.2 / rate, 0.05 / rate))
        for at, rate in enumerate(rates.tolist())
    ]
    for at, node in enumerate(nodes):
        for other in {(at - 1) % 30, int(rng.integers(30))} - {at}:
            rate = float(nodes[other].rate)
            node.connect(nodes[other], delay=ClippedNormal(0.1 / rate, 0.025 / rate))
    boss = nodes[int(np.argmin(rates))].name
    began = time.perf_counter()
    graph = Graph(nodes, boss, generate_graphs(nodes, 20.0, rng=0, num_episodes=20))
    built = time.perf_counter()
    state = graph.init()
    begun = time.perf_counter()
    lowered = jax.jit(graph.rollout).lower(state)
    traced = time.perf_counter()
    lowered.compile()
    found = {
        "slots": len(graph.S),
        "build": built - began,
        "init": begun - built,
        "trace": traced - begun,
        "compile": time.perf_counter() - traced,
    }
    return {name: round(value, 2) for name, value in found.items()}


CASES = {"one": one, "many": many, "build": build, "large": large}


def main(names: list[str]) -> None:
    """Runs the cases that are named, or all."""
    for name in names or CASES:
        found = {"case": name} | CASES[name]()
        print(found)
        record("graph", found)


if __name__ == "__main__":
    main(sys.argv[1:])
