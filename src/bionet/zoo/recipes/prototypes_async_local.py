"""Does a network learn by its local rule if its layers have no common clock, and delays?

It is the network of `prototypes-local`: ten random patterns of 100 bits, 30 % of them flipped,
and 256 binary units with asymmetric recurrent couplings that learn from two phases (Badalotti et
al., 2025 [badalotti2025dynamical]). But here the input sends at 50 Hz, the hidden units are updated
at 40 Hz, and the output, which is the supervisor, at 20 Hz. An update takes some time, and each
message travels for some more; both vary from tick to tick. A row learns from the messages that have
reached it, not from what its senders hold by now.

What to expect: the network learns as well as with one clock, up to delays of 100 ms, four periods
of the hidden units. At 200 ms it falls seven points behind, since few rounds of the couplings fit
into the half second of a phase (`research/studies/async-delays`, five seeds). Test schedules are
others than those of training. The frozen control's readout is solved on features that settled
with one clock; it answers in asynchronous time, as the network does.

The loss is the mean margin hinge of the readout, at the readout's own threshold.
"""

from __future__ import annotations

from bionet.workloads.prototypes_async import WORKLOAD
from bionet.zoo.fields import Budget
from bionet.zoo.recipe import Recipe

RECIPE = Recipe(
    id="prototypes-async-local",
    workload=WORKLOAD,
    method="async-two-phase",
    budget=Budget(batch_size=16, epochs=10),
    options={"learning_rate": 2e-3},
)
