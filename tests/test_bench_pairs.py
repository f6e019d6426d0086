"""Benchmarks compare what was measured in the same round and the same placement state."""

import math
import sys

import numpy as np
import pytest

import kit

sys.path.insert(0, str(kit.SOURCE / "tests" / "bench"))
import pairs  # noqa: E402
from pairs import Sample  # noqa: E402


def test_speeds_are_paired_by_round():
    """A machine that halves its speed from round to round does not move the ratio."""
    rounds = [{"kit": Sample(1.0 * 2**i, "near"), "blas": Sample(1.5 * 2**i, "near")}
              for i in range(7)]  # fmt: skip
    found = pairs.ratios(rounds, "kit", "blas")
    assert found == {"near": pairs.Ratio(1.5, 1.5, 1.5, 7)}


def test_states_are_never_pooled():
    """A pair counts in the state that both were in, and nowhere if it changed between or in them."""
    states = [("near", "near"), ("far", "far"), ("near", "far"), ("", "near"), ("far", "far")]
    rounds = [{"kit": Sample(1.0, a), "blas": Sample(2.0 if a == "near" else 3.0, b)}
              for a, b in states]  # fmt: skip
    found = pairs.ratios(rounds, "kit", "blas")
    assert {state: (ratio.median, ratio.n) for state, ratio in found.items()} == {
        "near": (2.0, 1), "far": (3.0, 2)}  # fmt: skip
    assert math.isnan(found["far"].low)  # two pairs have no interval
    np.testing.assert_array_equal(pairs.seconds(rounds, "blas", "far"), [3.0, 2.0, 3.0])


def test_a_state_seen_too_rarely_does_not_decide():
    """Beside one with an interval; where none has one, all count."""
    near, far = pairs.Ratio(1.0, 0.99, 1.01, 8), pairs.Ratio(0.5, math.nan, math.nan, 2)
    assert pairs.settled({"near": near, "far": far}) == [near]
    assert pairs.settled({"far": far}) == [far]


@pytest.mark.parametrize("value,high,word", [(0.98, math.nan, "met"), (0.97, 0.99, "open"),
                                             (0.97, 0.975, "MISSED"), (0.97, math.nan, "MISSED")])
def test_what_its_interval_includes_is_open(capsys, value, high, word):
    """Open is not met."""
    assert pairs.verdict("it", value, 0.98, high) == (word == "met")
    assert capsys.readouterr().out.split()[0] == word


def test_each_peer_begins_as_often(monkeypatch):
    """Whoever is asked first meets another machine than the last: the order rotates."""
    monkeypatch.setattr(pairs, "probe", lambda: "near")
    asked = []
    names = ("a", "b", "c")
    pairs.run({name: lambda name=name: asked.append(name) or 1.0 for name in names}, 3)
    assert asked == ["a", "b", "c", "b", "c", "a", "c", "a", "b"]


def test_a_peer_that_ends_is_not_waited_for():
    """A peer that dies ends the benchmark with its status, not with a wait."""
    with pytest.raises(SystemExit, match="ended with status 3"):
        pairs.Peer(["sh", "-c", "exit 3"]).ask(1)


def test_the_probe_tells_a_state():
    """The real probe, on the real machine."""
    assert pairs.probe() in ("near", "far")
