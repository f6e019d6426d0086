"""One self-contained page: elements, escaping, and the style. Knows nothing of traces."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

import words

CSS = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1c2126; --muted: #5b6570;
  --line: #c9cfd6; --soft: #f3f5f7; --good: #1a7f4f; --warn: #9a6300; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --paper: #15181c; --ink: #e4e7ea;
  --muted: #a0a9b3; --line: #414a54; --soft: #1e2329; --good: #52c088; --warn: #e6ac4a;
  --bad: #f2837b; } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 66rem; padding: 2rem 1.25rem 4rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; margin: 0 } h2 { font-size: 1.3rem; margin: 2.6rem 0 .6rem }
h3 { font-size: 1.05rem; margin: 1.8rem 0 .4rem } p { margin: .4rem 0 .8rem }
.muted, figcaption, caption { color: var(--muted) }
.verdict { border-left: .35rem solid; padding: .6rem 1rem; background: var(--soft) }
.verdict.good { border-color: var(--good) } .verdict.warn { border-color: var(--warn) }
.verdict.bad { border-color: var(--bad) } td.bad { color: var(--bad); font-weight: 600 }
.wide { overflow-x: auto } table { border-collapse: collapse; font-size: .92rem; width: 100% }
caption { text-align: left; padding: .3rem 0 }
th, td { padding: .3rem 1rem .3rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line) }
th { font-weight: 600; color: var(--muted) } td.n, th.n { text-align: right }
.numbers td { font-variant-numeric: tabular-nums; white-space: nowrap }
.numbers small { display: block; color: var(--muted) }
tr.differs td { background: var(--soft) } tr.differs td:first-child {
  box-shadow: inset .25rem 0 var(--warn); padding-left: .6rem }
td, li { overflow-wrap: anywhere }
figure { margin: 1rem 0 1.6rem } figcaption { font-size: .95rem; margin-bottom: .3rem }
svg { display: block; width: 100%; height: auto; max-width: 52rem }
svg text { font-family: system-ui, sans-serif !important }
ul { padding-left: 1.2rem; margin: .4rem 0 } li { margin: .2rem 0 }
code { font-size: .88em } dt { font-weight: 600 } dd { margin: 0 0 .4rem }
summary { cursor: pointer; color: var(--muted) }
"""


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


def plot(svg: str, sentence: str) -> Markup:
    """A plot below the sentence that says what to see in it."""
    picture = Markup(svg.replace("<svg", f'<svg role="img" aria-label="{escape(sentence)}"', 1))
    return tag("figure", tag("figcaption", sentence), picture)


def table(head: Sequence[str], rows: Sequence[Sequence[object]], left: int = 1,
          caption: str = "") -> Markup:
    """Columns from `left` on hold numbers. A cell that says INVALID is marked."""
    kind = ["" if i < left else "n" for i in range(len(head))]
    top = tag("tr", *(tag("th", text, cls=k) for text, k in zip(head, kind)))
    kinds = [[k + " bad" * (text == "INVALID") for text, k in zip(row, kind)] for row in rows]
    body = [tag("tr", *(tag("td", text, cls=k) for text, k in zip(row, ks)))
            for row, ks in zip(rows, kinds)]
    named = tag("caption", caption) if caption else Markup("")
    whole_ = tag("table", named, tag("thead", top), tag("tbody", *body))
    return tag("div", whole_, cls="wide numbers")


def whole(title: str, *parts: object) -> str:
    """The page. Nothing in it points outside."""
    head = tag("head", Markup('<meta charset="utf-8"/>'),
               Markup('<meta name="viewport" content="width=device-width, initial-scale=1"/>'),
               tag("title", title), tag("style", Markup(CSS)))
    body = tag("body", *parts)
    return f'<!DOCTYPE html>\n<html lang="en">{head}{body}</html>\n'
