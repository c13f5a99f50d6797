"""Makes the fonts of our documents, `templates/fonts/`, from Noto Sans and Liberation Sans (both OFL 1.1).

They are kept in the repository, since a document's bytes depend on them: this script is only for making others.

    apt-get download fonts-noto-core fonts-liberation2
    for package in fonts-*.deb; do dpkg-deb -x $package from; done
    .venv/bin/python scripts/make_fonts.py from/usr/share/fonts/truetype
"""

import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont
from fontTools.ttLib.tables._g_l_y_f import Glyph

# Names of their own, so that no installed font is ever taken for them (and Liberation's is reserved).
SOURCES = {
    "CMI Sans": "noto/NotoSans",
    "CMI Bill": "liberation2/LiberationSans",  # one of the fonts that a QR-bill may be set in
}
TARGET = Path(__file__).resolve().parent.parent / "templates" / "fonts"
SPACES = range(0x2000, 0x200B)
CHARACTERS = [
    *range(0x20, 0x7F),
    *range(0xA0, 0x180),  # Latin-1, Latin Extended-A
    *(0x192, 0x218, 0x219, 0x21A, 0x21B, 0x2C6, 0x2C7, *range(0x2D8, 0x2DE)),
    *(0x300, 0x301, 0x302, 0x303, 0x304, 0x306, 0x307, 0x308, 0x30A, 0x30B, 0x30C, 0x327, 0x328),
    *(0x394, 0x3A9, 0x3BC, 0x3C0),
    *range(0x1E80, 0x1E86),
    *(0x1E9E, *range(0x1EA0, 0x1EFA)),  # Vietnamese
    *(
        0x2006,
        0x2007,
        0x2009,
        0x200A,
        0x2010,
        0x2011,
        0x2012,
        0x2013,
        0x2014,
        0x2018,
        0x2019,
        0x201A,
    ),
    *(0x201C, 0x201D, 0x201E, 0x2020, 0x2021, 0x2022, 0x2026, 0x202F, 0x2030, 0x2032, 0x2033),
    *(0x2039, 0x203A, 0x2044, 0x20AC, 0x2116, 0x2122),
    0xFFFD,
]


def make(source: Path, family: str, style: str) -> None:
    """One font: our characters of it, without hints, kerning and ligatures."""
    # Nothing of today in the file: the same source gives the same bytes.
    font = TTFont(source, recalcTimestamp=False)
    options = subset.Options(
        hinting=False, layout_features=["ccmp", "mark", "mkmk"], name_IDs=[0, 13, 14]
    )
    options.notdef_outline = True
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=CHARACTERS)
    subsetter.subset(font)
    names = {1: family, 2: style, 3: f"{family} {style} 1", 4: f"{family} {style}"}
    for name, text in {**names, 5: "Version 1", 6: f"{family.replace(' ', '')}-{style}"}.items():
        font["name"].setName(text, name, 3, 1, 0x409)
    # The spaces that documents/table.py sets columns with: each twice as wide as the one before.
    font.setGlyphOrder(font.getGlyphOrder() + [f"blank{power}" for power in range(len(SPACES))])
    for power, space in enumerate(SPACES):
        font["glyf"].glyphs[f"blank{power}"] = Glyph()
        font["hmtx"].metrics[f"blank{power}"] = (16 << power, 0)
        for table in font["cmap"].tables:
            table.cmap[space] = f"blank{power}"
    target = TARGET / f"{family.replace(' ', '')}-{style}.ttf"
    font.save(target)
    print(f"{target.name}: {target.stat().st_size} bytes")


def main(arguments: list[str]) -> int:
    """Make them all from the folder of the system's fonts."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    TARGET.mkdir(parents=True, exist_ok=True)
    for family, source in SOURCES.items():
        for style in ("Regular", "Bold"):
            make(Path(arguments[0]) / f"{source}-{style}.ttf", family, style)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
