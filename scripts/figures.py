"""Prints the figures of operations, as the metrics have them: `python scripts/figures.py [PART OF A NAME]`."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from records.database import Database
from records.failures import is_away
from settings import Settings, SettingsError
from telemetry.figures import Family
from use_cases.operating_figures import OperatingMetrics


async def _read(settings: Settings) -> Sequence[Family]:
    database = Database(settings.database_url)
    try:
        return await OperatingMetrics(database).read()
    finally:
        await database.close()


def lines(families: Sequence[Family], part: str) -> list[str]:
    """A line for each sample of the metrics whose names contain a text."""
    found = []
    for family in families:
        if part in family.name:
            for values, number in sorted(family.samples.items()):
                pairs = zip(family.labels, values, strict=True)
                labels = ",".join(f'{name}="{value}"' for name, value in pairs)
                found.append(
                    f"{family.name}{{{labels}}} {number:g}"
                    if labels
                    else f"{family.name} {number:g}"
                )
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code: 1 if the database is away, 2 for wrong settings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", default="", help="only metrics whose names contain this")
    options = parser.parse_args(arguments)
    try:
        families = asyncio.run(_read(Settings.from_env()))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    except Exception as error:
        if not is_away(error):
            raise
        print(f"the database is away: {type(error).__name__}", file=sys.stderr)
        return 1
    print(*lines(families, options.part), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
