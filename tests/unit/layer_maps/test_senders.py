"""Whom a row listens to: the four groups, written down for a map with two hidden layers."""

import pytest

from bionet.layer_maps.senders import SENDERS, is_selected

# Rows 1 and 2 are hidden, 3 is the output: the senders out of 0 to 3 that each row hears.
HEARD = {
    "all": {1: "0123", 2: "0123", 3: "0123"},
    "forward": {1: "01", 2: "012", 3: "0123"},
    "backward": {1: "123", 2: "23", 3: "3"},
    "unsupervised": {1: "012", 2: "012", 3: "0123"},
}


@pytest.mark.parametrize("senders", SENDERS)
def test_two_hidden_layers(senders):
    for receiver, expected in HEARD[senders].items():
        heard = [j for j in range(4) if is_selected(senders, receiver, j, last=3)]
        assert "".join(map(str, heard)) == expected


def test_the_table_is_complete():
    assert set(SENDERS) == set(HEARD)


def test_with_one_hidden_layer_two_of_them_are_the_same():
    for sender in range(3):
        assert is_selected("forward", 1, sender, 2) == is_selected("unsupervised", 1, sender, 2)


def test_an_unknown_group_is_named_with_the_nearest(says):
    sentence = "senders: No group of senders is named 'forwards'. Did you mean 'forward'"
    with says(ValueError, sentence):
        is_selected("forwards", 1, 0, 2)
    with says(ValueError, "There are: all, backward, forward, unsupervised."):
        is_selected("x", 1, 0, 2)
