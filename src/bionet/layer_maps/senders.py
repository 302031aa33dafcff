"""The senders that a row listens to in one phase of the dynamics.

    all           every sender
    forward       j <= i: nothing leaks back from the output or from later layers
    backward      j >= i: only what comes back, and the layer itself
    unsupervised  all but the last row: hidden layers still talk back, the label does not

With one hidden layer `forward` and `unsupervised` are the same; with two they are not.
"""

from __future__ import annotations

from typing import Literal, cast, get_args

from bionet._core.names import unknown

Senders = Literal["all", "forward", "backward", "unsupervised"]
SENDERS: tuple[str, ...] = get_args(Senders)


def check_senders(senders: str) -> Senders:
    """`senders`, if it is one of the four words.

    Raises:
        ValueError: it is none of them; the nearest is named.
    """
    if senders not in SENDERS:
        raise ValueError(f"senders: {unknown('group of senders', senders, SENDERS)}")
    return cast(Senders, senders)


def is_selected(senders: Senders, receiver: int, sender: int, last: int) -> bool:
    """Returns whether the row `receiver` of a map whose last row is `last` listens to `sender`.

    The last row always hears itself, also when it is `unsupervised`: its own message is
    a matter of its layer, not of supervision.

    Raises:
        ValueError: `senders` is none of the four words.
    """
    if senders == "forward":
        return sender <= receiver
    if senders == "backward":
        return sender >= receiver
    if senders == "unsupervised":
        return sender != last or receiver == last
    return check_senders(senders) == "all"
