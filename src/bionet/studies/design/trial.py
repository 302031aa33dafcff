"""One trial of a study: an arm on a seed, identified by the hash of its full configuration.

The configuration is plain JSON: the recipe, its data set, method and options, every field of its
config, and the budget. Its hash, with arm, seed and stage, is the trial's name in the results. A
trial whose hash has a line is finished; whatever is changed in an arm gives another hash, and so
a new trial. This file needs the standard library: a worker reads trials before it loads JAX.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, final

from bionet.zoo.setup import short_hash

Config = dict[str, Any]


@final
@dataclass(frozen=True)
class Trial:
    """An arm on a seed.

    Attributes:
        study: the name of the study.
        arm: the name of the arm.
        seed: of everything that is random.
        stage: "tuning" or "final".
        config: all that the numbers depend on, as plain JSON.
        number: which tuning trial of its arm it is, from 0; not part of the hash.
    """

    study: str
    arm: str
    seed: int
    stage: str
    config: Config
    number: int | None = None

    @functools.cached_property
    def hash(self) -> str:
        """16 digits of the sha256 of the trial's canonical JSON."""
        named = {"study": self.study, "arm": self.arm, "seed": self.seed, "stage": self.stage}
        return short_hash({**named, "config": self.config})

    def __str__(self) -> str:
        if self.stage == "tuning":
            return f"{self.arm}, tuning trial {self.number}"
        return f"{self.arm}, seed {self.seed}"
