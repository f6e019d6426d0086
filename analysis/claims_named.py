"""Rows on what the text names and the kit does not run: said, so that nothing seems tested. Pure."""

from __future__ import annotations

from collections.abc import Callable

from claim import MORE, Claim, Effect, Missing, Runs

NAMED = "Named in the text, not run by the kit"


def unmeasured(why: str) -> Callable[[Runs], Effect]:
    """The row can never be told, whatever was run."""
    def measure(_: Runs) -> Effect:
        raise Missing(why)
    return measure


NAMED_ROWS = [
    (Claim("wrappers", NAMED, "pandas, SciPy, scikit-learn, PyTorch and TensorFlow compute in "
           "compiled code, as NumPy does", "nothing", "rate of the library / rate of a loop", MORE,
           lesson="Whether one uses several cores, and when it releases the lock, differs from "
                  "call to call: measure the call that you use."),
     unmeasured("of such libraries the kit runs NumPy only")),
    (Claim("http", NAMED, "An asynchronous HTTP client overlaps its requests", "nothing",
           "requests of N coroutines / (N x requests of one)", MORE,
           lesson="The rows on waiting tell what overlaps; a server's own limits do not show "
                  "there."),
     unmeasured("no network is used; --wait stands for a request")),
    *[(Claim(f"framework-{name}", NAMED, f"{name} spreads work over many machines", "nothing",
             "rate with it / rate without", MORE),
       unmeasured(f"drivers/python has no way {name}")) for name in ("ray", "pyspark")],
    (Claim("profile-first", NAMED, "Profile before you parallelise", "nothing",
           "time saved where a profile pointed / elsewhere", MORE,
           lesson="It is advice on the order of work. The page's \"Where did the rest go?\" is the "
                  "profile of a parallel run."),
     unmeasured("advice, not an effect: the kit has no experiment for it")),
]
