"""Section of the report: how far does it scale, and would it without the bad node?"""

from __future__ import annotations

import page
import plot_scaling
import plot_svg
import scaling_text
from material import Material

TITLE = "How far does it scale?"
FEWEST = 3  # scales of a curve: two points are a comparison, which the table of layouts has


def section(found: Material) -> list:
    """A curve with its models' bands for each layout and regime; then without the bad nodes."""
    whole = found.scaling
    parts = []
    for i, one in enumerate(one for one in whole.studies if len(one.p) >= FEWEST):
        parts += [page.tag("h3", one.curve.title),
                  page.plot(plot_svg.svg(plot_scaling.of([one]), f"curve{i}"),
                            " ".join(scaling_text.verdict(one)))]
    return parts
