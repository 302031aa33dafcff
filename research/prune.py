"""Tells which committed lines the code of today no longer stands behind, and removes them.

    python research/prune.py            per file: its lines, and by name the stale and the missing
    python research/prune.py PATH ...   these files or folders alone
    python research/prune.py --remove   the same, and stale lines are taken out

A line is stale if the code computes another hash for its arm, seed and stage than it has, or if
nothing asks for it any more. A trial that is asked for and has no line is missing. No network is
built: configurations are enough. Lines without a hash are held against their settings.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from bionet._core.files import write_whole
from bionet.studies.design.configuration import final_trials
from bionet.studies.design.loading import load_study
from bionet.studies.design.protocol import Study
from bionet.studies.run.tuning import choose_best, tuning_lines, tuning_trial
from bionet.zoo.setup import short_hash

HERE = Path(__file__).parent
Line = dict[str, Any]


@dataclass(frozen=True)
class Checked:
    """A file of lines, held against the code.

    Attributes:
        path: the file.
        lines: how many it has.
        stale: what each stale line is, by its number in the file, from 1.
        missing: what has no line.
    """

    path: Path
    lines: int
    stale: Mapping[int, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    def __str__(self) -> str:
        """A line for the file, and one for each that is stale or missing."""
        head = f"{_name(self.path)}: {self.lines} lines"
        told = [f"{head}, {len(self.stale)} stale, {len(self.missing)} missing"]
        told += [f"  stale, line {number}: {what}" for number, what in self.stale.items()]
        return "\n".join([*told, *(f"  missing: {what}" for what in self.missing)])


def check_all() -> Iterator[Checked]:
    """Every file of lines under `research/` that the code asks for by a configuration."""
    for path in sorted(HERE.glob("studies/**/study.py")):
        yield check_study(path.parent)
    for path in sorted(HERE.glob("studies/**/settling.jsonl")):
        yield check_settling(path)
    for path in sorted(HERE.glob("studies/*/run.py")):
        yield check_script(path)
    yield from check_evidence()


def check_study(folder: Path) -> Checked:
    """The lines of a study file, by the hashes of its trials."""
    study, path = load_study(folder).study, folder / "results.jsonl"
    lines = read(path)
    now = {hash for arm in study.arms for hash in _hashes(study, arm, lines)}
    known = {line["trial"] for line in lines}
    missing = [
        f"{arm}, {what}"
        for arm in study.arms
        for what, hash in _asked(study, arm, lines)
        if hash not in known
    ]
    return Checked(path, len(lines), _strangers(lines, now), tuple(missing))


def check_settling(path: Path) -> Checked:
    """What was measured of a study's trained networks, by the same hashes."""
    study = load_study(path.parent).study
    asked = {
        trial.hash: str(trial)
        for arm, declared in study.arms.items()
        if not declared.control
        for trial in final_trials(study, arm)
    }
    lines = read(path)
    known = {line["trial"] for line in lines}
    missing = tuple(what for hash, what in asked.items() if hash not in known)
    return Checked(path, len(lines), _strangers(lines, set(asked)), missing)


def check_script(script: Path) -> Checked:
    """The lines of a study with a script of its own, by what `wanted.py` says of it."""
    wanted = _module(HERE / "wanted.py").WANTED[script.parent.name]
    return check_keys(script.with_name("results.jsonl"), *wanted(_module(script)))


def check_keys(path: Path, key_of: Callable[[Line], Any], every: Iterable[Any]) -> Checked:
    """Lines with a key each, and the keys that are asked for."""
    lines, asked = read(path), list(every)
    keys = [key_of(line) for line in lines]
    seen: set[Any] = set()
    stale = {}
    for number, key in enumerate(keys, 1):
        if key not in asked or key in seen:
            stale[number] = str(key)
        seen.add(key)
    return Checked(path, len(lines), stale, tuple(str(key) for key in asked if key not in seen))


def check_evidence() -> Iterator[Checked]:
    """The evidence of each recipe, on its own data set and on others that have lines."""
    from bionet import zoo

    evidence = _module(HERE / "evidence" / "lines.py")
    for id, spec in zoo.REGISTRY.items():
        for dataset in spec.datasets:
            path = evidence.path_of(id, dataset)
            if path.exists() or dataset == spec.datasets[0]:
                yield _check_recipe(path, evidence, zoo.get(id).on(dataset))


def _check_recipe(path: Path, evidence: ModuleType, recipe: Any) -> Checked:
    """The lines of a recipe, by the hash of its config and the revisions of the parts beside it."""
    now, stale = evidence.config_hash(recipe), {}
    missing = {seed: f"{recipe.id}, seed {seed}" for seed in range(evidence.LEAST_SEEDS)}
    for number, line in enumerate(lines := read(path), 1):
        what = f"{recipe.id}, seed {line['seed']}"
        missing.pop(line["seed"], None)
        if line["config_hash"] != now:
            stale[number] = f"{what}, another config"
            missing[line["seed"]] = what
        elif parts := evidence.outdated(recipe, line):
            missing[line["seed"]] = f"{what}: {', '.join(parts)}, of an older revision"
    return Checked(path, len(lines), stale, tuple(missing.values()))


def remove(checked: Checked) -> int:
    """Takes the stale lines out of their file; the others keep every byte."""
    kept = [
        line for number, line in enumerate(_raw(checked.path), 1) if number not in checked.stale
    ]
    if checked.stale:
        write_whole(checked.path, "".join(f"{line}\n" for line in kept))
    return len(checked.stale)


def read(path: Path) -> list[Line]:
    """The lines of a file; none where it is not there."""
    return [json.loads(line) for line in _raw(path)]


def _name(path: Path) -> str:
    return str(path.relative_to(HERE) if path.is_relative_to(HERE) else path)


def _raw(path: Path) -> list[str]:
    text = path.read_text("utf-8") if path.exists() else ""
    return [line for line in text.split("\n") if line]


def _hashes(study: Study, arm: str, lines: list[Line]) -> Iterator[str]:
    """What the trials of an arm are called today, as far as its tuning has come."""
    return (hash for _, hash in _asked(study, arm, lines) if hash)


def _asked(study: Study, arm: str, lines: list[Line]) -> Iterator[tuple[str, str]]:
    """(what it is, its hash today): tuning trials, then the final ones that follow from them."""
    change = None
    if study.tuning is not None and arm in study.tuned:
        tuned = tuning_lines(study, arm, lines)
        tried = {line["number"]: line["config"]["tuning"]["tried"] for line in tuned}
        for number in range(study.tuning.trials):
            if number in tried:
                yield str(number), tuning_trial(study, arm, number, tried[number]).hash
            else:
                yield f"tuning trial {number}", ""
        if len(tuned) < study.tuning.trials:
            yield f"{len(study.seeds)} final trials, for the arm is not tuned", ""
            return
        change = choose_best(tuned)
    for trial in final_trials(study, arm, change):
        yield f"seed {trial.seed}", trial.hash


def _strangers(lines: list[Line], now: set[str]) -> dict[int, str]:
    """The lines whose trial the code does not ask for, or that are there twice."""
    found, seen = {}, set()
    for number, line in enumerate(lines, 1):
        if line["trial"] not in now or line["trial"] in seen:
            found[number] = f"{line['arm']}, {line['stage']}, seed {line['seed']}, {line['trial']}"
        elif "config" in line and not _true_to_its_name(line):
            found[number] = f"{line['arm']}, seed {line['seed']}: its config has another hash"
        seen.add(line["trial"])
    return found


def _true_to_its_name(line: Line) -> bool:
    """Returns whether a line's own configuration has the hash that the line is called by."""
    named = {name: line[name] for name in ("study", "arm", "seed", "stage", "config")}
    return short_hash(named) == line["trial"]


def _module(path: Path) -> ModuleType:
    """A script beside the lines, under a name of its own; it may import what lies beside it."""
    name = f"research_{path.parent.name}_{path.stem}".replace("-", "_")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Tells, and removes where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="*", type=Path, help="files or folders; all without any")
    parser.add_argument("--remove", action="store_true", help="take the stale lines out")
    options = parser.parse_args()
    under = [path.resolve() for path in options.paths]
    for checked in check_all():
        if under and not any(checked.path.resolve().is_relative_to(each) for each in under):
            continue
        print(checked)
        if options.remove and remove(checked):
            print(f"  removed: {len(checked.stale)}")


if __name__ == "__main__":
    main()
