"""Read an HTML page back as data: what a reader sees, by the place where it stands."""

import dataclasses
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

SVG = "{http://www.w3.org/2000/svg}"


@dataclasses.dataclass
class Page:
    """What a page shows.

    Attributes:
      headings: texts of h1 and h2.
      paragraphs: texts of all p.
      commands: texts of all pre.
      tiles: the number of each tile by its title.
      tables: for each table, its rows as cells by the column's title; a foot is a row.
      figures: (source of the picture, its alternative text, bold text, other text).
      drawings: each SVG as text.
      outside: addresses that the page would load, other than data.
    """

    headings: list[str] = dataclasses.field(default_factory=list)
    paragraphs: list[str] = dataclasses.field(default_factory=list)
    commands: list[str] = dataclasses.field(default_factory=list)
    tiles: dict[str, str] = dataclasses.field(default_factory=dict)
    tables: list[list[dict[str, str]]] = dataclasses.field(default_factory=list)
    figures: list[tuple[str, str, str, str]] = dataclasses.field(default_factory=list)
    drawings: list[str] = dataclasses.field(default_factory=list)
    outside: list[str] = dataclasses.field(default_factory=list)


def read(html: str) -> Page:
    """Return what the page shows."""
    reader = _Reader()
    reader.page.drawings = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    reader.feed(re.sub(r"(?s)<svg.*?</svg>|<style.*?</style>", "", html))
    return reader.page


def texts(drawing: str) -> list[tuple[str, float, float]]:
    """Return (text, x, y) of every text of an SVG by Matplotlib, formulas left out."""
    found = []
    root = ElementTree.fromstring(re.sub(r"\sxlink:href", " href", drawing))
    for element in root.iter(f"{SVG}text"):
        moved = re.search(r"translate\(([-\d.]+)[ ,]+([-\d.]+)\)", element.get("transform", ""))
        place = moved.groups() if moved else (element.get("x"), element.get("y"))
        if None not in place:
            found.append(("".join(element.itertext()), *map(float, place)))
    return found


def lines(drawing: str) -> list[list[tuple[float, float]]]:
    """Return the points of every plotted line, in pixels from the upper left."""
    paths = re.findall(r'<path d="([^"]*)" clip-path="[^"]*" style="fill: none', drawing)
    points = [re.findall(r"[ML] ([-\d.]+) ([-\d.]+)", path) for path in paths]
    return [[(float(x), float(y)) for x, y in path] for path in points]


def marks(drawing: str, colour: str) -> list[tuple[float, float]]:
    """Return the points that are marked in a colour (but the legend's), from the upper left."""
    drawing = drawing.partition('<g id="legend_')[0]
    uses = rf'<use xlink:href="#\w+" x="([\d.]+)" y="([\d.]+)" style="fill: {colour}'
    return [(float(x), float(y)) for x, y in re.findall(uses, drawing)]


def matrix(drawing: str, labels: list[str]) -> dict[tuple[str, str], int]:
    """Return the counts of a drawn confusion matrix by (row's label, column's label)."""
    placed = texts(drawing)
    columns, rows = {}, {}
    for label in labels:
        ends = [(x, y) for text, x, y in placed if text == label]
        columns[label] = max(ends, key=lambda place: place[1])[0]  # the lower one
        rows[label] = min(ends, key=lambda place: place[0])[1]  # the left one
    return {
        (
            min(labels, key=lambda label: abs(rows[label] - y)),
            min(labels, key=lambda label: abs(columns[label] - x)),
        ): int(text)
        for text, x, y in placed
        if text.isdigit()
    }


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self._text: list[str] = []
        self._titles: list[str] = []
        self._cells: list[str] = []
        self._bold = ""
        self._tile = False
        self._picture = ("", "")

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        address = values.get("src") or values.get("href") or ""
        if address and not address.startswith(("data:", "#")):
            self.page.outside.append(address)
        if tag == "script":
            self.page.outside.append("script")
        if tag == "img":
            self._picture = (values["src"], values["alt"])
        if tag == "table":
            self.page.tables.append([])
            self._titles = []
        if tag == "div":
            self._tile = values.get("class") == "tile"
        if tag in ("h1", "h2", "p", "pre", "b", "th", "td", "span", "figcaption"):
            self._text = []

    def handle_data(self, data):
        self._text.append(data)

    def handle_endtag(self, tag):
        text = " ".join("".join(self._text).split())
        places = {"h1": self.page.headings, "h2": self.page.headings, "p": self.page.paragraphs}
        places |= {"pre": self.page.commands, "th": self._titles, "td": self._cells}
        if tag in places:
            places[tag].append(text)
        elif tag == "b":
            self._bold, self._text = text, []
        elif tag == "span" and self._tile:
            self.page.tiles[text] = self._bold
        elif tag == "figcaption":
            self.page.figures.append((*self._picture, self._bold, text))
        elif tag == "tr" and self._cells:
            self.page.tables[-1].append(dict(zip(self._titles, self._cells, strict=True)))
            self._cells.clear()
