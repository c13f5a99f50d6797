"""Every regular expression of the product takes linear time, or is listed with what bounds its input."""

import ast
import importlib
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = (
    "activities", "contracts", "documents", "domain", "files", "invoices", "mail", "records",
    "settings", "statements", "temporal", "use_cases", "web", "words", "workflows",
)  # fmt: skip
BOUNDED = {
    r"([A-Za-z]{2,})[._-]?\d+": "invoices/check.py: only `fullmatch`, on SP-IDs of a settlement, 64 characters",
    r"(\S.*?),?\s+(\d+\s?[A-Za-z]?)": "invoices/draft.py: only `fullmatch`, on a street of 200 characters",
    r"\s*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9-]+)?\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?": (
        "web/languages.py: only `fullmatch`, on the first 500 characters"
    ),
}
"""Patterns that take more than linear time in some use, and why that cannot happen."""
SEEDS = (
    "a", "A", "0", " ", "-", ".", "'", "\\", ",", "é", "\n", "_", "/", ":", ";", "=", '"', "(",
    "a-", "0 ", " -", "a ", "A0", "0'", "0,000", "sp ", "V2", "1.", "a.", "\t", "h ", "a,", "0.",
    "CH00 ", "-a-", " \n", "ae", "%", "a1 ", "MWST ",
)  # fmt: skip
SMALL, LARGE = 1_000, 8_000
FEW_SECONDS = 0.02
MOST = 28
"""How many times as long the larger text may take: its square would be 64."""


def patterns() -> dict[re.Pattern[str], str]:
    """All patterns of text, each with the first place where it is."""
    found: dict[re.Pattern[str], str] = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            where = path.relative_to(ROOT)
            if "migrations" in where.parts or path.stem == "__main__":
                continue
            text = path.read_text(encoding="utf-8")
            for node in ast.walk(ast.parse(text)) if "import re\n" in text else ():
                if (pattern := _called(node)) is not None:
                    found.setdefault(pattern, str(where))
            module = importlib.import_module(
                ".".join(where.with_suffix("").parts).removesuffix(".__init__")
            )
            for value in vars(module).values():
                if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
                    found.setdefault(value, str(where))
    return found


def _called(node: ast.AST) -> re.Pattern[str] | None:
    """The pattern of a call like `re.sub("…", …)`; None if it is none, or is not written out there."""
    if not (isinstance(node, ast.Call) and node.args and isinstance(node.func, ast.Attribute)):
        return None
    is_re = isinstance(node.func.value, ast.Name) and node.func.value.id == "re"
    first = node.args[0]
    if not (is_re and isinstance(first, ast.Constant) and isinstance(first.value, str)):
        return None
    flags = re.RegexFlag(0)
    for argument in (*node.args[1:], *(keyword.value for keyword in node.keywords)):
        for part in ast.walk(argument):
            if isinstance(part, ast.Attribute) and part.attr.isupper():
                flags |= getattr(re, part.attr, re.RegexFlag(0))
    return re.compile(first.value, flags)


def seconds(search: Callable[[str], object], text: str) -> float:
    """The processor time of a search, the better of two."""
    taken = []
    for _ in range(2):
        began = time.process_time()
        search(text)
        taken.append(time.process_time() - began)
        if taken[0] < FEW_SECONDS:
            break
    return min(taken)


def is_slow(pattern: re.Pattern[str]) -> str:
    """A text for which the pattern takes more than linear time; empty if none is known."""
    for seed in SEEDS:
        for start in ("", "a", "0"):
            for search in (pattern.search, pattern.fullmatch):

                def took(size: int, search: Callable[[str], object] = search) -> float:
                    return seconds(search, start + seed * (size // len(seed)) + "!")  # noqa: B023

                if took(22) > FEW_SECONDS:  # 60 would take for ever
                    return f"{seed!r}, exponential time"
                large = took(LARGE)
                if large > FEW_SECONDS and large > MOST * took(SMALL):
                    return f"{start + seed!r} repeated"
    return ""


def test_no_pattern_is_slow_but_those_that_are_bounded() -> None:
    found = patterns()
    assert len(found) > 50, "the search finds them"
    slow = {
        f"{where}: {pattern.pattern}": text
        for pattern, where in found.items()
        if pattern.pattern not in BOUNDED and (text := is_slow(pattern))
    }
    assert not slow
    assert BOUNDED.keys() <= {pattern.pattern for pattern in found}, "one of them is gone"


@pytest.mark.parametrize("slow", [r"[\s.-]*(MWST)[\s.]*$", r"(\w+\s?)*$", r"\s+$"])
def test_a_slow_one_is_found(slow: str) -> None:
    assert is_slow(re.compile(slow))
