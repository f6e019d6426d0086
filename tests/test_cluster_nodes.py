"""On a real cluster, each node measured alone: a slowed one is named, and nobody else.

Its nodes share the cores of this machine with everything else that runs there. Pace of undisturbed
bins survives that, lost time hardly: so faults are large, and what load can hide is tried again.
"""

import alone
import nodes_text
import verdicts

ROUNDS, TRIES = 5, 6


def tried(cluster, folder, faults, is_right):
    """The right verdict comes at once, or when the machine is quieter."""
    told = []
    for number in range(TRIES):
        seen = alone.study(cluster, folder / str(number), ROUNDS, faults)
        found = verdicts.judge(seen, verdicts.Wishes(allow_invalid=True))
        told.append(" ".join(nodes_text.text(found).split()))
        if is_right(alone.accused(found), told[-1]):
            return
    raise AssertionError(told)


def test_the_drivers_slow_node_is_named(cluster, tmp_path):
    tried(cluster, tmp_path, {"node2": "slow=20%@node0"}, lambda who, text: (
        list(who) == ["node2"] and ("binning", "rate") in who["node2"]
        and text.endswith("--exclude=node2")))


def test_a_node_that_the_system_stops_is_named(cluster, tmp_path):
    """As one that loses time, also where it is stopped at the start of most of its launches."""
    cluster.tell("slow", "node3", 90)
    try:
        tried(cluster, tmp_path, {}, lambda who, text: (
            who == {"node3": {("binning", "lost")}} and "time is taken from it" in text
            and text.endswith("--exclude=node3")))
    finally:
        cluster.tell("slow", "node3", 0)


def test_a_clean_cluster_accuses_nobody(cluster, tmp_path):
    tried(cluster, tmp_path, {}, lambda who, text: (
        not who and "no evidence against any node" in text and "--exclude" not in text))
