"""Reads a page as a browser does: its tags, and the text outside of them."""

from __future__ import annotations

from html.parser import HTMLParser

# Text that would do harm if it were not text.
EVIL = "<script>alert(1)</script>\"'&\x1b[2J\u202e"


class Tags(HTMLParser):
    """The names of tags and attributes, and the text outside of them."""

    def __init__(self, page):
        super().__init__()
        self.names, self.attributes, self.text, self.open = set(), set(), "", []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in ("meta", "line", "rect", "circle", "polyline"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in ("line", "rect", "circle"):
            assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.names.add(tag)

    def handle_data(self, data):
        self.text += data
