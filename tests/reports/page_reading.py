"""A written page as data: its elements, its tables and its figures, by the standard parser."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from reports import inline_scripts

VOID = {"meta", "link", "img", "br", "hr", "input"}
ACTIVE = {
    *("script", "iframe", "frame", "object", "embed", "applet", "base", "form", "input", "button"),
    *("video", "audio", "source", "track", "portal", "template", "math", "noscript"),
    *("foreignobject", "animate", "set", "image", "feimage"),
}

# A table as a file, which a click saves and nothing opens.
DOWNLOAD = re.compile(
    "data:(text/csv|text/markdown|application/x-tex);charset=utf-8;base64,[A-Za-z0-9+/=]+"
)


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    children: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(
            child if isinstance(child, str) else child.text
            for child in self.children
            if isinstance(child, str) or child.tag not in ("style", "script")
        )

    @property
    def words(self) -> str:
        return " ".join(self.text.split())

    def all(self, tag: str = "", **attributes: str) -> list[Element]:
        """Descendants by tag, and by attributes (``class_`` is one of the classes)."""
        found = []
        for child in self.children:
            if isinstance(child, Element):
                if child._is(tag, attributes):
                    found.append(child)
                found.extend(child.all(tag, **attributes))
        return found

    def _is(self, tag: str, attributes: dict[str, str]) -> bool:
        if tag and self.tag != tag:
            return False
        return all(
            value in self.attributes.get("class", "").split()
            if name == "class_"
            else self.attributes.get(name) == value
            for name, value in attributes.items()
        )


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"<{self.open[-1].tag}> is closed by </{tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parse(html: str) -> Element:
    """The document's elements; fails where one is closed by the end of another."""
    builder = _Builder()
    builder.feed(html)
    builder.close()
    assert builder.open == [builder.root], "an element is never closed"
    return builder.root


def assert_inert(page: Element) -> None:
    """No element or attribute that could run, load or send anything."""
    assert len(page.all("style")) == 1
    for element in page.all():
        if element.tag == "script":
            assert_harmless(element)
            continue
        assert element.tag not in ACTIVE, element.tag
        for name, value in element.attributes.items():
            assert not name.startswith("on"), (element.tag, name)
            if name == "src":
                assert value.startswith("data:image/jpeg;base64,")
            if name in ("href", "xlink:href"):
                assert (
                    value.startswith("#")
                    or (element.tag, value) == ("link", "data:,")
                    or ("download" in element.attributes and DOWNLOAD.fullmatch(value))
                )
            if name == "style":
                assert "url(" not in value


def assert_harmless(script: Element) -> None:
    """A script of the package to the letter, or data, in which no element could end or begin."""
    content = "".join(map(str, script.children))
    if "type" not in script.attributes:
        assert not script.attributes
        assert content in own_scripts(), content[:200]
        return
    assert script.attributes.keys() <= {"type", "id"}
    assert script.attributes["type"] in ("application/json", "application/octet-stream")
    assert not re.search("[<>&]", content)


def own_scripts() -> set[str]:
    folder = Path(inline_scripts.__file__).parent / "scripts"
    return {path.read_text(encoding="utf-8") for path in folder.glob("*.js")}
