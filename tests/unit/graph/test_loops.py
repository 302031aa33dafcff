"""Steps that wait for one another, in recordings that say so."""

import numpy as np
import pytest

from bionet.graph import ComputationGraph, Edge, Vertex, stack_graphs
from bionet.graph.schedule.loops import describe_loop, find_loop


def recorded(back, starts=(0, 10, 20)):
    """Two nodes of three steps; `b` hears `a` at once, and `back` says what `a` hears of `b`."""
    starts = np.array(starts)
    a, b = (Vertex(np.arange(3), starts + at, starts + at) for at in (0, 1))
    return ComputationGraph(
        {"a": a, "b": b},
        {
            ("b", "a"): Edge([0, 1, 2], [0, 1, 2], starts + 1),
            ("a", "b"): Edge([0, 1, 2], back, starts + 1),
        },
    )


def test_a_recording_without_loops():
    assert find_loop(recorded([1, 2, -1])) is None


@pytest.mark.parametrize(
    ("back", "steps"),
    [
        ([1, 1, -1], (("a", 1), ("b", 1))),
        # What b[1] made is seen before, by a[0]: the way back leads through a[1].
        ([0, 0, -1], (("a", 0), ("a", 1), ("b", 1))),
    ],
)
def test_a_message_from_the_future_closes_a_loop(back, steps):
    episodes = stack_graphs([recorded([1, 2, -1]), recorded(back)])
    loop = find_loop(episodes)
    assert loop is not None
    assert loop[0] == 1
    assert set(loop[1]) <= {*steps, ("b", 0)}
    told = describe_loop("Graph", loop, episodes)
    assert told.startswith("Graph: steps wait for one another in episode 1, at ")
    assert told.count(f"{loop[1][0][0]}[{loop[1][0][1]}]") == 2


def test_every_loop_that_is_said_is_one():
    graphs = recorded([0, 0, -1])
    episode, steps = find_loop(graphs)
    waits = {(("b", n), ("a", n)) for n in range(3)} | {(("a", 0), ("b", n)) for n in (0, 1)}
    waits |= {((name, n), (name, n - 1)) for name in "ab" for n in (1, 2)}
    assert episode == 0
    for before, after in zip(steps, steps[1:] + steps[:1], strict=True):
        assert (after, before) in waits
