"""One self-contained page: elements, escaping, style and script. Knows nothing of traces."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import words

HERE = Path(__file__).parent
WRONG = ("INVALID", "bad")  # verdicts that a table marks


class Markup(str):
    """Text that is already HTML. Everything else is escaped."""


def tag(name: str, *children: object, **attributes: str) -> Markup:
    """An element; `cls` stands for class. Closed as XML, so that any parser can read the page."""
    inner = "".join(escape(child) for child in children)
    named = "".join(f' {key.replace("cls", "class")}="{escape(value)}"'
                    for key, value in attributes.items() if value)
    return Markup(f"<{name}{named}>{inner}</{name}>")


def escape(child: object) -> str:
    """What came from a file is text, never markup; control characters are not even text."""
    return child if isinstance(child, Markup) else html.escape(words.shown(str(child), "utf-8"))


def joined(parts: Iterable[str]) -> Markup:
    return Markup("\n".join(parts))


def bullets(items: Sequence[object]) -> Markup:
    return tag("ul", *(tag("li", item) for item in items)) if items else Markup("")


def plot(svg: str, sentence: str, maps: Sequence[dict] = ()) -> Markup:
    """A plot below the sentence that says what to see in it.

    maps: what its first images show, for page.js to tell of the cell under the pointer.
    """
    picture = Markup(svg.replace("<svg", f'<svg role="img" aria-label="{escape(sentence)}"', 1))
    data = {"data-maps": json.dumps(words.plain(list(maps)), separators=(",", ":"))} if maps else {}
    return tag("figure", tag("figcaption", sentence), tag("div", picture, cls="drawn"), **data)


def table(head: Sequence[str], rows: Sequence[Sequence[object]], left: int = 1, caption: str = "",
          text: str = "") -> Markup:
    """Columns from `left` on hold numbers, but for the one called `text`. caption: below it."""
    kind = ["text" if name == text else "" if i < left else "n" for i, name in enumerate(head)]
    top = tag("tr", *(tag("th", name, cls=k) for name, k in zip(head, kind)))
    body = [tag("tr", *(tag("td", cell, cls=(k + " bad" * (cell in WRONG)).strip())
                        for cell, k in zip(row, kind))) for row in rows]
    whole_ = tag("div", tag("table", tag("thead", top), tag("tbody", *body)), cls="wide")
    return tag("div", whole_, tag("p", caption, cls="muted") if caption else "", cls="numbers")


def folded(title: str, *parts: object, opened: bool = False) -> Markup:
    """What a reader opens who wants to know; on paper it is open."""
    return tag("details", tag("summary", title), *parts, open="open" if opened else "")


def whole(title: str, *parts: object) -> str:
    """The page. Nothing in it points outside, and it may load and run nothing but itself."""
    style, script = (HERE.joinpath(f"page.{kind}").read_text(encoding="utf-8")
                     for kind in ("css", "js"))
    script = f"//<![CDATA[\n{script}//]]>"
    known = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = ("default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
              f"script-src 'sha256-{known}'; base-uri 'none'; form-action 'none'")
    head = tag("head", Markup('<meta charset="utf-8"/>'),
               Markup(f'<meta http-equiv="Content-Security-Policy" content="{policy}"/>'),
               Markup('<meta name="viewport" content="width=device-width, initial-scale=1"/>'),
               tag("title", title), tag("style", Markup(style)))
    body = tag("body", *parts, tag("script", Markup(script)))
    return f'<!DOCTYPE html>\n<html lang="en">{head}{body}</html>\n'
