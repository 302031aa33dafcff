"""Workloads: an application on an architecture, one file each, without any method.

A workload says what is to be learned and by which network: data, network, loss and metric, the
rules of one line that stand beside it, and its frozen control. `bionet.zoo` puts methods on them.
"""

from bionet.workloads.workload import Workload

__all__ = ["Workload"]
