"""The verdict on nodes as text for a person. Nothing is computed here."""

from __future__ import annotations

import math

import words
from blame import Effect
from node_cost import Cost
from verdicts import BAD, CLEARED, HEALTHY, SUSPECTED, Judged, Node, Verdict
from words import aligned, wrap

ROWS = 24  # nodes in the table; all are in --json


def text(found: Verdict) -> str:
    parts = [title(found), table(found), verdict(found), *map(accusation, accused(found)),
             racks(found), cost(found), what_to_do(found)]
    return "\n\n".join("\n".join(part) for part in parts if part)


def accused(found: Verdict) -> list[Node]:
    return [node for node in found.nodes if node.reason]


def title(found: Verdict) -> list[str]:
    models = sorted({node.cpu_model or "unknown CPU" for node in found.nodes})
    lines = wrap(f"{count(len(found.nodes), 'node')}, {' and '.join(models)}")
    for one in found.measures:
        least, most = one.launches
        launches = f"{least}" if least == most else f"{least} to {most}"
        lines += wrap(f"  {one.name}: {one.measure.kind.title}; {launches} launches of a node",
                      "    ")
    for note in found.notes:
        lines += wrap("! " + note)
    return lines


def count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def table(found: Verdict) -> list[str]:
    """One row for each node, the accused first, then those that are slowest."""
    titles = list(dict.fromkeys(one.title for one in found.measures))
    shown = found.nodes[:]
    if len(shown) > ROWS:
        rest = sorted((n for n in shown if not n.reason),
                      key=lambda n: n.worst.effect if n.worst else 0)
        shown = (*accused(found), *rest)[:ROWS]
    rows = [["node", "verdict", *(cell for t in titles for cell in (t, "interval"))]]
    for node in shown:
        mine = {e.title: e for e in node.effects}
        rows.append([node.host, node.verdict,
                     *(cell for t in titles for cell in effect_cells(mine.get(t)))])
    lines = aligned(rows, 2)
    if len(shown) < len(found.nodes):
        lines.append(f"({len(found.nodes)} nodes; shown: the accused and the slowest)")
    return lines + wrap("effect against the median of its peers, and its 95 % interval over "
                        "launches; time lost in points of a percent")


def effect_cells(effect: Effect | None) -> tuple[str, str]:
    if effect is None:
        return words.UNKNOWN, words.UNKNOWN
    return words.signed(effect.effect), bounds(effect)


def bounds(effect: Effect) -> str:
    if math.isnan(effect.low):
        return words.UNKNOWN
    return f"[{100 * effect.low:+.2f}, {100 * effect.high:+.2f}]"


# -------------------------------------------------------------------------------------- verdicts

def verdict(found: Verdict) -> list[str]:
    """The sentence that a reader came for."""
    bad, lines = accused(found), []
    if not bad and any(one.standing.judged.any() for one in found.measures):
        lines += wrap("no evidence against any node.")
    elif not bad:
        lines += wrap("cannot tell: no node could be judged.")
    return lines + wrap(smallest(found)) + wrap(found.clocks)


def smallest(found: Verdict) -> str:
    """What nothing found is worth."""
    return ("smallest effect that would have been seen (in 4 of 5 nodes, by planting it in these "
            f"data): {'; '.join(map(power, found.measures))}")


def power(one: Judged) -> str:
    if not one.standing.judged.any():
        return f"{one.name}: none, {one.why_not or 'not judged'}"
    if math.isnan(one.smallest):
        return f"{one.name}: none, these nodes differ too much ({100 * one.spread:.2g} % sd)"
    unit = "points" if one.measure.name == "lost" else "%"
    return f"{one.name} {100 * one.smallest:.1f} {unit}"


def accusation(node: Node) -> list[str]:
    lines = wrap(f"{node.host}: {node.verdict.upper()}. " + "; ".join(
        evidence(e) for e in node.effects if e.flagged))
    if node.reason is None:
        return lines
    lines += wrap(f"  why: {node.reason.why}", "    ")
    for known in node.reason.known:
        lines += wrap(f"  known: {known}", "    ")
    for unknown in node.reason.unknown:
        lines += wrap(f"  not known: {unknown}", "    ")
    return lines


def evidence(effect: Effect) -> str:
    return (f"{effect.title} {words.signed(effect.effect)} {bounds(effect)} against its peers in "
            f"{effect.launches} launches "
            f"(p = {effect.p:.1g} among healthy nodes{again(effect)})")


def again(effect: Effect) -> str:
    """What a second run said."""
    if math.isnan(effect.second):
        return ""
    unsure = "" if effect.confirmed or effect.gone else ", in too few launches to be sure"
    return f", {words.signed(effect.second)} the second time{unsure}"


def racks(found: Verdict) -> list[str]:
    lines = []
    for rack in found.racks:
        lines += wrap(f"the whole group {rack.name} ({count(len(rack.hosts), 'node')}) is slower "
                      f"than all other nodes: {rack.title} {words.signed(rack.effect)} "
                      f"(p = {rack.p:.1g}): look at what they share (switch, power, "
                      "cooling, firmware)")
    return lines


# ---------------------------------------------------------------------------------- consequences

def cost(found: Verdict) -> list[str]:
    if not found.costs:
        return []
    lines = [f"what {'it costs' if found.costs[0].slow == 1 else 'they cost'} a job on all nodes:"]
    for one in found.costs:
        lines += wrap(f"  {one.title}: {cost_words(one)}", "    ")
    return lines


def cost_words(one: Cost) -> str:
    rest = one.nodes - one.slow
    spread = ("" if math.isnan(one.low) else
              f" [{100 * (one.low - 1):+.1f}, {100 * (one.high - 1):+.1f}]")
    return (f"if its nodes wait for each other, the slowest sets the pace: "
            f"{words.signed(one.coupled_replaced - 1)}{spread} with "
            f"{'it' if one.slow == 1 else 'them'} replaced, "
            f"{words.signed(one.coupled_without - 1)} on the other {rest} alone; if they do not, "
            f"{words.signed(one.summed_replaced - 1)} and {words.signed(one.summed_without - 1)}")


def what_to_do(found: Verdict) -> list[str]:
    lines = []
    if found.exclude:
        by = f" (confirmed by {found.confirmed_by})" if found.hosts(BAD) else ""
        lines += [f"leave out{by}:", f"  --exclude={','.join(found.exclude)}"]
    suspects = found.hosts(SUSPECTED)
    if suspects:
        controls = found.hosts(HEALTHY)[:3]
        lines += wrap("suspected, run again: " + ",".join([*suspects, *controls])
                      + " (suspects and controls), then add --confirm with that folder. Until "
                        "then, to be careful:")
        lines.append(f"  --exclude={','.join([*found.exclude, *suspects])}")
    if found.hosts(CLEARED):
        lines += wrap("not again in the second run, so not to be left out: "
                      + ", ".join(found.hosts(CLEARED)))
    return lines

