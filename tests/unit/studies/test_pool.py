from bionet.studies.design.trial import Trial
from bionet.studies.run.pool import TRIES, Pool
from bionet.studies.run.worker import Answer, WorkerSetup, share


def trial(arm, seed=0):
    return Trial("s", arm, seed, "final", {})


class Scripted:
    """An engine whose workers answer one at a time; `deaths` says who dies, how often."""

    name = "scripted"

    def __init__(self, jobs, deaths=None):
        self.jobs, self.deaths = jobs, dict(deaths or {})
        self.given, self.hired, self.ended, self.closed = [], 0, [], False

    def hire(self, number):
        self.hired += 1
        return {"number": number, "id": self.hired}

    def give(self, worker, trial):
        worker["trial"] = trial
        self.given.append((worker["number"], str(trial)))

    def answers(self, workers, timeout):
        worker = workers[0]
        told = worker["trial"]
        left = self.deaths.get(told.arm, 0)
        if left:
            self.deaths[told.arm] = left - 1
            return [(worker, Answer(told, error={"type": "WorkerDied"}, died=True))]
        return [(worker, Answer(told, {"trial": told.hash}))]

    def dismiss(self, worker):
        self.ended.append(worker["id"])

    def close(self):
        self.closed = True


def done(engine, trials):
    found = []
    with Pool(engine) as pool:
        pool.add(trials)
        while pool.busy:
            found += pool.answers()
            assert len(pool.running) <= engine.jobs
    assert engine.closed
    return found


def test_every_trial_is_answered_once_and_workers_stay():
    engine = Scripted(2)
    trials = [trial(arm, seed) for arm in ("a", "b") for seed in range(3)]
    found = done(engine, trials)
    assert sorted(str(each.trial) for each in found) == sorted(map(str, trials))
    assert engine.hired == 2
    assert sorted(engine.ended) == [1, 2]


def test_no_more_workers_are_hired_than_there_are_trials():
    engine = Scripted(8)
    done(engine, [trial("a"), trial("b")])
    assert engine.hired == 2


def test_a_worker_stays_with_the_arm_that_it_has_compiled():
    engine = Scripted(2)
    done(engine, [trial(arm, seed) for arm in ("a", "b") for seed in range(4)])
    first = {told.split(",")[0] for number, told in engine.given[:2]}
    assert first == {"a", "b"}  # nobody begins with the arm of another
    assert [told for number, told in engine.given if number == 0][:4] == [
        f"a, seed {seed}" for seed in range(4)
    ]


def test_a_trial_whose_worker_dies_is_neither_lost_nor_doubled():
    engine = Scripted(1, {"b": TRIES - 1})
    found = done(engine, [trial("a"), trial("b"), trial("c")])
    assert sorted(each.trial.arm for each in found) == ["a", "b", "c"]
    assert all(each.line for each in found)
    assert engine.hired == TRIES
    assert len(engine.given) == 3 + TRIES - 1


def test_a_trial_that_kills_every_worker_fails_and_the_others_go_on():
    engine = Scripted(1, {"b": 99})
    found = {each.trial.arm: each for each in done(engine, [trial("b"), trial("a")])}
    assert found["b"].died
    assert found["b"].line is None
    assert found["a"].line
    assert [told for _, told in engine.given].count("b, seed 0") == TRIES


def test_cores_are_shared_out_evenly():
    assert [share(range(5), each, 2) for each in range(2)] == [[0, 1], [2, 3, 4]]
    assert [share([3, 7], each, 3) for each in range(3)] == [[3], [7], [3]]
    assert [core for each in range(5) for core in share(range(16), each, 5)] == [*range(16)]


def test_an_opening_says_what_jax_is_to_use(monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/mine")
    chosen = WorkerSetup(platforms="cuda").environment(3)
    assert chosen["JAX_COMPILATION_CACHE_DIR"] == "/mine"
    assert chosen["JAX_PLATFORMS"] == "cuda"
    assert chosen["OMP_NUM_THREADS"] == "3"
    assert "JAX_PLATFORMS" not in WorkerSetup().environment(1)
