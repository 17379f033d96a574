"""What the pages have in common: the frame, the style, and text that is safe in HTML."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from rekindle._printable import printable

# The first bytes of each page. A file that begins otherwise is not replaced.
MARK = "<!DOCTYPE html>\n<!-- A page of rekindle, which may replace it. -->\n"

# Each color twice, for a light screen and a dark one. Blue and orange differ for every kind of eye.
_STYLE = """
:root { color-scheme: light dark; --ground: #ffffff; --sheet: #f6f7f9; --ink: #1b1f24;
  --faint: #5b6470; --line: #d9dde3; --one: #0068b3; --two: #c2500a; --good: #1a7f37;
  --bad: #b42318; --band: #5b64702e; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171b; --sheet: #1d2127; --ink: #e8eaed;
  --faint: #a2abb6; --line: #363c45; --one: #5cb3f0; --two: #f09a4a; --good: #56c271;
  --bad: #ff8a7a; --band: #a2abb63d; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); line-height: 1.5;
  font-family: system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 24px 20px 48px; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 36px 0 12px; }
p { margin: 8px 0; max-width: 75ch; }
.faint { color: var(--faint); overflow-wrap: anywhere; }
.good { color: var(--good); } .bad { color: var(--bad); }
.tiles { display: grid; gap: 12px; margin: 20px 0; padding: 0;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 148px), 1fr)); }
.tiles div { background: var(--sheet); border-radius: 8px; padding: 10px 14px; min-width: 0; }
.tiles dt { color: var(--faint); font-size: .85rem; overflow-wrap: anywhere; }
.tiles dd { margin: 0; font-size: 1.15rem; font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere; }
.tiles small { display: block; color: var(--faint); font-size: .8rem; }
.bar { height: 12px; border-radius: 6px; background: var(--line); overflow: hidden;
  margin: 16px 0; }
.bar div { height: 100%; background: var(--one); }
.charts { display: grid; gap: 20px;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); }
figure { margin: 0; min-width: 0; max-width: 720px; }
figcaption { font-weight: 600; overflow-wrap: anywhere; }
.key { display: flex; flex-wrap: wrap; gap: 4px 20px; color: var(--faint); font-size: .9rem;
  margin: 0 0 12px; padding: 0; list-style: none; }
.key svg { width: 26px; height: 12px; vertical-align: -1px; margin-right: 6px; }
svg { display: block; width: 100%; height: auto; }
.key svg { display: inline-block; }
svg text { fill: var(--faint); font: 12px system-ui, "Segoe UI", Roboto, Arial, sans-serif; }
svg.narrow { display: none; }
@media (max-width: 560px) { svg.wide { display: none; } svg.narrow { display: block; }
  main { padding: 16px 14px 32px; } }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 6px 14px 6px 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { color: var(--faint); font-weight: 500; }
.numbers th, .numbers td { white-space: nowrap; }
th.text, td.text { text-align: left; }
.settings td, .settings th { text-align: left; overflow-wrap: anywhere; }
.settings td + td { font-family: ui-monospace, Consolas, monospace; font-size: .88em; }
@media print { main { max-width: none; } }
"""


def safe(text: object) -> str:
    """The text as HTML shows it: a name in a folder may hold any characters."""
    return html.escape(printable(str(text)))


def page(title: str, body: Iterable[str], *, again: float | None = None) -> str:
    """A whole page.

    Args:
        title: The title, as plain text.
        body: Parts of HTML.
        again: After so many seconds, the browser loads the page again; ``None``: never.
    """
    refresh = (
        "" if again is None else f'<meta http-equiv="refresh" content="{max(1, round(again))}">'
    )
    return (
        f'{MARK}<html lang="en">\n<head>\n<meta charset="utf-8">\n{refresh}'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # A browser may run no script and load nothing, whatever a name in the folder may try.
        '<meta http-equiv="Content-Security-Policy"'
        " content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{safe(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(body)
        + "\n</main>\n</body>\n</html>\n"
    )


def tiles(rows: Iterable[tuple[str, str, str]]) -> str:
    """Facts side by side. Each is a name, a value and a remark, as plain text."""
    found = [
        f"<div><dt>{safe(name)}</dt><dd>{safe(value)}"
        + (f"<small>{safe(remark)}</small>" if remark else "")
        + "</dd></div>"
        for name, value, remark in rows
    ]
    return '<dl class="tiles">' + "".join(found) + "</dl>"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], texts: Iterable[int] = ()) -> str:
    """A table of plain text. The columns in `texts` are on the left, numbers on the right."""
    left = set(texts)

    def line(cells: Sequence[str], tag: str) -> str:
        return (
            "<tr>"
            + "".join(
                f"<{tag}{' class=text' if index in left else ''}>{safe(cell)}</{tag}>"
                for index, cell in enumerate(cells)
            )
            + "</tr>"
        )

    body = "\n".join(line(row, "td") for row in rows)
    return (
        f'<div class="scroll"><table class="numbers"><thead>{line(header, "th")}</thead>'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )
