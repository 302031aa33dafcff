"""When steps take place and who sees which message: against a simulation event by event."""

import time

import jax
import numpy as np
import pytest

from bionet.graph import (
    ClippedNormal,
    ComputationGraph,
    Uniform,
    Vertex,
    augment_graphs,
    generate_graphs,
)


def one(nodes, seconds, **options):
    return generate_graphs(nodes, seconds, **options)[0]


def test_a_message_takes_its_time(quiet):
    eye, hand = quiet("eye", 50, delay=0.004), quiet("hand", 10, phase=0.05)
    hand.connect(eye, delay=0.006)
    found = one([eye, hand], 0.2)
    assert found.vertices["eye"].ts_start.tolist() == list(range(0, 200_000, 20_000))
    assert found.vertices["eye"].ts_end[1] == 24_000
    assert found.vertices["hand"].ts_start.tolist() == [50_000, 150_000]
    edge = found.edges["hand", "eye"]
    assert edge.seq_out.tolist() == list(range(10))
    assert edge.ts_recv[:3].tolist() == [10_000, 30_000, 50_000]
    # The third arrives exactly when the hand starts; the last two are seen by nobody.
    assert edge.seq_in.tolist() == [0, 0, 0, 1, 1, 1, 1, 1, -1, -1]


def test_skip_moves_what_arrives_exactly_at_a_tick(quiet):
    eye, hand = quiet("eye", 50, delay=0.004), quiet("hand", 10, phase=0.05)
    hand.connect(eye, delay=0.006, skip=True)
    assert one([eye, hand], 0.2).edges["hand", "eye"].seq_in.tolist() == [
        *[0, 0, 1, 1, 1, 1, 1],
        *[-1, -1, -1],
    ]


def test_over_a_long_time_every_message_that_coincides_is_in_its_tick(quiet):
    for rate in (50, 30, 70):
        fast, slow = quiet("fast", rate), quiet("slow", 10)
        slow.connect(fast)
        seq_in = one([fast, slow], 1000.0).edges["slow", "fast"].seq_in
        each = rate // 10
        ticks = np.arange(10_000)
        assert np.array_equal(seq_in[::each], ticks)
        assert np.array_equal(seq_in[1::each], np.append(ticks[1:], -1))


def test_a_step_waits_for_the_one_before(quiet):
    slow = quiet("slow", 10, delay=0.25)
    vertex = one([slow], 1.0).vertices["slow"]
    assert vertex.ts_start.tolist() == [0, 250_000, 500_000, 750_000]
    assert vertex.ts_end.tolist() == [250_000, 500_000, 750_000, 1_000_000]


def test_messages_of_a_connection_stay_in_order(quiet):
    eye, hand = quiet("eye", 50), quiet("hand", 50)
    hand.connect(eye, delay=Uniform(0.0, 0.2))
    edge = one([eye, hand], 4.0, rng=3).edges["hand", "eye"]
    assert (np.diff(edge.ts_recv) >= 0).all()
    assert (np.diff(edge.ts_recv) == 0).any()


def by_events(starts, arrives, skip):
    """Which step of a receiver first sees each message, by walking through time."""
    seen = []
    for arrival in arrives:
        later = [n for n, start in enumerate(starts) if start > arrival - (not skip)]
        seen.append(later[0] if later else -1)
    return seen


def test_jittered_delays_agree_with_a_walk_through_time(quiet):
    eye = quiet("eye", 40, delay=ClippedNormal(0.02, 0.02))
    hand = quiet("hand", 15, delay=Uniform(0.0, 0.15), phase=0.013)
    hand.connect(eye, delay=Uniform(0.0, 0.05))
    hand.connect(eye, delay=Uniform(0.0, 0.05), name="again", skip=True)
    eye.connect(hand, delay=0.001)
    for graph in generate_graphs([eye, hand], 2.0, rng=1, num_episodes=3):
        for node in (eye, hand):
            vertex, free = graph.vertices[node.name], 0
            for n, (start, end) in enumerate(zip(vertex.ts_start, vertex.ts_end, strict=True)):
                tick = int(node.phase * 1e6) + n * 1_000_000 // int(node.rate)
                assert start == max(tick, free)
                free = end
        for (receiver, name), edge in graph.edges.items():
            to = graph.vertices[receiver]
            found = by_events(to.ts_start, edge.ts_recv, name == "again")
            assert edge.seq_in.tolist() == found


def test_a_name_has_random_numbers_of_its_own(quiet, same_bits):
    def nodes(*names):
        found = [quiet(name, 20, delay=Uniform(0.0, 0.05)) for name in names]
        found[1].connect(found[0], delay=Uniform(0.0, 0.05))
        return found

    few = generate_graphs(nodes("a", "b"), 1.0, rng=5, num_episodes=2)
    more = generate_graphs(nodes("a", "b", "c")[::-1], 1.0, rng=5, num_episodes=4)
    same_bits(more[1].vertices["b"], few[1].vertices["b"])
    same_bits(more[1].edges["b", "a"], few[1].edges["b", "a"])
    assert not np.array_equal(few[0].vertices["a"].ts_end, few[1].vertices["a"].ts_end)
    assert not np.array_equal(few[0].vertices["a"].ts_end, few[0].vertices["b"].ts_end)
    keyed = generate_graphs(nodes("a", "b"), 1.0, rng=jax.random.key(5))
    same_bits(generate_graphs(nodes("a", "b"), 1.0, rng=jax.random.PRNGKey(5)), keyed)


def test_it_takes_milliseconds(pipeline):
    best = np.inf
    for _ in range(5):
        start = time.perf_counter()
        generate_graphs(pipeline(), 10.0, rng=0, num_episodes=10)
        best = min(best, time.perf_counter() - start)
    assert best < 0.2  # a hundredth of a second on a quiet machine


def test_what_is_missing_from_a_recording_is_added(quiet, same_bits):
    eye, hand = quiet("eye", 50, delay=0.004), quiet("hand", 10)
    hand.connect(eye, delay=0.006)
    eye.connect(hand, delay=0.006)
    recorded = ComputationGraph(
        {"eye": Vertex([0, 1, 2], [5, 25_000, 90_000], [9, 26_000, 95_000])}
    )
    whole = augment_graphs(recorded, [eye, hand])[0]
    same_bits(whole.vertices["eye"], recorded.vertices["eye"])
    assert whole.vertices["hand"].ts_start.tolist() == [0]
    assert whole.edges["hand", "eye"].seq_in.tolist() == [-1, -1, -1]
    assert whole.edges["eye", "hand"].seq_in.tolist() == [1]
    again = augment_graphs(whole, [eye, hand])
    same_bits(again[0], whole)


def test_a_recording_of_something_else_is_told(quiet, says):
    eye, hand = quiet("eye", 50), quiet("hand", 10)
    with says(
        ValueError, "augment_graphs: node 'eye' was recorded, but is not among the nodes hand"
    ):
        augment_graphs(generate_graphs([eye], 1.0), [hand])
    deaf = [quiet("eye", 50), quiet("hand", 10)]
    hand.connect(eye)
    with says(ValueError, "augment_graphs: edge ('hand', 'eye') from 'eye' was recorded, but node"):
        augment_graphs(generate_graphs([eye, hand], 1.0), deaf)


@pytest.mark.parametrize(
    ("seconds", "episodes", "sentence"),
    [
        (0.0, 1, "generate_graphs: ts_max needs finite seconds above 0, got 0.0."),
        (float("inf"), 1, "generate_graphs: ts_max needs finite seconds above 0, got inf."),
        (1.0, 0, "generate_graphs: num_episodes needs 1 or more, got 0."),
        (
            0.2,
            1,
            "node 'late' does not tick once in an episode of 0.2 s; its first tick is at 0.3 s",
        ),
    ],
)
def test_an_episode_that_is_none_is_told(quiet, says, seconds, episodes, sentence):
    with says(ValueError, sentence):
        generate_graphs([quiet("late", 10, phase=0.3)], seconds, num_episodes=episodes)


def test_a_loop_without_delay_is_named_once(quiet):
    a, b, c = (quiet(name, rate) for name, rate in (("a", 10), ("b", 20), ("c", 10)))
    b.connect(a)
    c.connect(b)
    a.connect(c)
    with pytest.raises(ValueError, match="wait for one another") as told:
        generate_graphs([c, b, a], 1.0, num_episodes=3)
    assert str(told.value) == (
        "generate_graphs: steps wait for one another in episode 0, at 0 s: "
        "a[0] -> b[0] -> c[0] -> a[0]. Give one of these connections a delay, or skip=True."
    )


def test_a_node_that_hears_itself_at_once_is_a_loop(quiet, says):
    a = quiet("a", 10)
    a.connect(a)
    with says(ValueError, "at 0 s: a[0] -> a[0]. Give one of these connections a delay"):
        generate_graphs([a], 1.0)


@pytest.mark.parametrize("options", [{"delay": 1e-6}, {"skip": True}])
def test_one_delay_or_one_skip_opens_a_loop(quiet, options):
    a, b = quiet("a", 10), quiet("b", 10)
    a.connect(b, **options)
    b.connect(a)
    b.connect(b, **options)
    seq_in = one([a, b], 0.5).edges["a", "b"].seq_in
    assert seq_in.tolist() == [1, 2, 3, 4, -1]


def test_nodes_that_never_meet_may_be_in_a_loop(quiet):
    a, b = quiet("a", 10), quiet("b", 10, phase=0.05)
    a.connect(b)
    b.connect(a)
    assert one([a, b], 0.3).edges["b", "a"].seq_in.tolist() == [0, 1, 2]
