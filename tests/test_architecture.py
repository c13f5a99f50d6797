"""Imports point one way: which parts of the product may import which others, checked in the source."""

import ast
import copy
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOT_OURS = {".venv", ".git", "var", "build", "node_modules", "__pycache__"}
LONGEST_FILE = 350
# Tables of cases may be longer.
LONGER = ("tests",)


class Parsed(NamedTuple):
    """What these tests need of a module's source."""

    has_docstring: bool
    imports: tuple[ast.Import | ast.ImportFrom, ...]


@cache
def parsed(source: str) -> Parsed:
    """A module's source, parsed once for all tests."""
    tree = ast.parse(source)
    imports = [each for each in statements(tree) if isinstance(each, ast.Import | ast.ImportFrom)]
    return Parsed(ast.get_docstring(tree, clean=False) is not None, tuple(imports))


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """All statements in a module, however deep. An expression has none, and is not looked through."""
    for field in ("body", "orelse", "finalbody", "handlers", "cases"):
        inner = getattr(node, field, None)
        if isinstance(inner, list):
            for each in inner:
                yield each
                yield from statements(each)


class Tree:
    """The modules of a source tree by their dotted names."""

    def __init__(self, root: Path) -> None:
        self.paths = {
            name(path.relative_to(root)): path
            for path in sorted(root.rglob("*.py"))
            if not NOT_OURS & set(path.relative_to(root).parts)
        }
        self.sources = {module: path.read_text() for module, path in self.paths.items()}
        self._imports: dict[str, set[str]] = {}

    def changed(self, module: str, source: str) -> "Tree":
        """The tree with another text for one module."""
        tree = copy.copy(self)
        tree.sources = {**self.sources, module: source}
        tree._imports = {m: found for m, found in self._imports.items() if m != module}
        return tree

    def of(self, *packages: str) -> list[str]:
        """The modules in these packages, or of these names."""
        return [m for m in self.paths if within(m, packages)]

    def imports(self, module: str) -> set[str]:
        """The dotted names that a module imports anywhere in it, each as far as it names a module of ours."""
        if module not in self._imports:
            self._imports[module] = self._read_imports(module)
        return self._imports[module]

    def _read_imports(self, module: str) -> set[str]:
        is_package = self.paths[module].name == "__init__.py"
        found: set[str] = set()
        for node in parsed(self.sources[module]).imports:
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            else:
                base = node.module or ""
                if node.level:
                    up = module.split(".")[: len(module.split(".")) - node.level + is_package]
                    base = ".".join([*up, *filter(None, [node.module])])
                inner = {f"{base}.{alias.name}" for alias in node.names}
                modules = inner & set(self.paths)
                found |= modules
                if len(modules) < len(inner):
                    found.add(base)
        return found

    def reachable(self, modules: Iterable[str]) -> set[str]:
        """These modules, and all of ours that come with them, packages above them included."""
        seen: set[str] = set()
        waiting = list(modules)
        while waiting:
            module = waiting.pop()
            if module in seen or module not in self.paths:
                continue
            seen.add(module)
            waiting += self.imports(module)
            waiting += [module.rpartition(".")[0]]
        return seen


def name(path: Path) -> str:
    """The dotted name of a module at a path."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def within(module: str, packages: tuple[str, ...]) -> bool:
    """Whether a module is one of these, or in one of these."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)


# The layers of the product, from the bottom up. A module imports from its own package and from layers below; packages
# of one layer do not know each other.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("domain",),
    ("files",),
    ("words",),
    ("contracts",),
    ("settings", "telemetry"),
    ("records", "documents", "workflows"),
    ("statements", "temporal"),
    ("invoices", "mail"),
    ("use_cases",),
    ("activities", "web"),
    ("worker", "starter", "scripts"),
    ("development",),
    ("dev",),
    ("tests",),
    ("bench",),
)
# The layers within the domain: what both lives share, orders, settlements.
DOMAIN_LAYERS: tuple[tuple[str, ...], ...] = (
    ("domain",),
    ("domain.orders",),
    ("domain.settlements",),
)
# The libraries that a package is limited to, besides the standard library.
LIBRARIES: dict[str, tuple[str, ...]] = {
    "domain": ("pydantic", "pydantic_core"),
    "domain.cantons": ("pydantic", "holidays"),
    "files": (),
    "words": ("babel", "jinja2", "pydantic"),
    "workflows": ("temporalio",),
}
# Libraries that only some may import.
ONLY_FROM: dict[str, tuple[str, ...]] = {
    "holidays": ("domain.cantons",),
    "sqlalchemy": ("records", "tests", "bench"),
    "alembic": ("records", "tests"),
    "prometheus_client": ("telemetry", "tests"),
    "opentelemetry": ("telemetry", "tests"),
}
# What these may import of it all the same: the names of the database's failures.
ALSO: dict[str, tuple[str, ...]] = {
    "use_cases": ("sqlalchemy.exc",),
    "starter": ("sqlalchemy.exc",),
}
# No module that comes with these may be one of those: the sandbox refuses the `holidays` package.
NOT_WITH: dict[str, tuple[str, ...]] = {
    "workflows": ("domain.cantons", "records", "web", "use_cases")
}


@cache
def layer(module: str, layers: tuple[tuple[str, ...], ...]) -> tuple[int, str] | None:
    """The number of a module's layer and its package there, the longest name that fits; None if it is in none."""
    found = [
        (len(package), number, package)
        for number, packages in enumerate(layers)
        for package in packages
        if within(module, (package,))
    ]
    return max(found)[1:] if found else None


def points_up(module: str, imported: str, layers: tuple[tuple[str, ...], ...]) -> bool:
    """Whether an import goes to a higher layer, or to another package of the same one."""
    own, other = layer(module, layers), layer(imported, layers)
    if own is None or other is None or own[1] == other[1]:
        return False
    return other[0] >= own[0]


def violations(tree: Tree) -> Iterator[str]:
    """Each import that points the wrong way, as a line."""
    for module in tree.paths:
        if layer(module, LAYERS) is None:
            yield f"{module} is in no layer"
        limited = max((p for p in LIBRARIES if within(module, (p,))), key=len, default=None)
        also = [each for user, names in ALSO.items() if within(module, (user,)) for each in names]
        for imported in sorted(tree.imports(module)):
            if points_up(module, imported, LAYERS) or points_up(module, imported, DOMAIN_LAYERS):
                yield f"{module} imports {imported}"
            top = imported.partition(".")[0]
            ours_or_standard = top in sys.stdlib_module_names or layer(imported, LAYERS) is not None
            if limited and not ours_or_standard and not within(imported, LIBRARIES[limited]):
                yield f"{module} imports {imported}"
            for library, allowed in ONLY_FROM.items():
                if (
                    within(imported, (library,))
                    and not within(module, allowed)
                    and not within(imported, tuple(also))
                ):
                    yield f"{module} imports {imported}"
    for package, forbidden in NOT_WITH.items():
        for module in sorted(tree.reachable(tree.of(package))):
            if within(module, forbidden):
                yield f"{package} comes with {module}"


def oddities(tree: Tree) -> Iterator[str]:
    """Each file that does not say what it is for in its first line, or is too long, as a line."""
    for module, source in tree.sources.items():
        path = tree.paths[module]
        lines = source.splitlines()
        comment = bool(lines) and lines[0].startswith(("# ", "#!"))
        opens = bool(lines) and lines[0].startswith(('"""', 'r"""'))
        if lines and not comment and not (opens and parsed(source).has_docstring):
            yield f"{path}: its first line does not say what it is for"
        if len(lines) > LONGEST_FILE and not within(module, LONGER):
            yield f"{path}: {len(lines)} lines"


@pytest.fixture(scope="module")
def product() -> Tree:
    """This source tree."""
    return Tree(ROOT)


def test_imports_point_one_way(product: Tree) -> None:
    assert {"workflows.service_order", "domain.orders.lifecycle", "records.orders"} <= set(
        product.paths
    )
    assert list(violations(product)) == []


def test_files_say_what_they_are_for_and_are_no_longer_than_one_can_read(product: Tree) -> None:
    assert list(oddities(product)) == []


@pytest.mark.parametrize(
    ("module", "line", "complaint"),
    [
        ("workflows.service_order", "import httpx", "imports httpx"),
        ("workflows.background", "from records.orders import Orders", "imports records.orders"),
        ("workflows.service_order", "from activities import mail", "imports activities.mail"),
        ("workflows.service_order", "from temporal import orders", "imports temporal.orders"),
        ("contracts.names", "from domain import cantons", "workflows comes with domain.cantons"),
        (
            "domain.orders.order",
            "from domain import cantons",
            "workflows comes with domain.cantons",
        ),
        ("domain.orders.order", "import sqlalchemy", "domain.orders.order imports sqlalchemy"),
        ("domain.orders.lifecycle", "from contracts import names", "imports contracts.names"),
        ("domain.orders.lifecycle", "    from temporalio import workflow", "imports temporalio"),
        (
            "domain.orders.order",
            "from domain.settlements import ids",
            "imports domain.settlements.ids",
        ),
        ("domain.policy", "from domain.orders import order", "imports domain.orders.order"),
        ("domain.calendar", "import holidays", "imports holidays"),
        (
            "contracts.activities",
            "from activities.mail import MailActivities",
            "imports activities.mail",
        ),
        ("records.orders", "from mail.texts import MailTexts", "records.orders imports mail.texts"),
        (
            "use_cases.orders",
            "from activities import mail",
            "use_cases.orders imports activities.mail",
        ),
        (
            "use_cases.orders",
            "from sqlalchemy import select",
            "use_cases.orders imports sqlalchemy",
        ),
        ("activities.mail", "import web.app", "activities.mail imports web.app"),
        ("worker", "import dev", "worker imports dev"),
        (
            "use_cases.orders",
            "from tests.support.builders import intake",
            "imports tests.support.builders",
        ),
    ],
)
def test_an_import_that_points_the_wrong_way_is_found(
    product: Tree, module: str, line: str, complaint: str
) -> None:
    indented = f"if True:\n{line}" if line.startswith(" ") else line
    changed = product.changed(module, f"{product.sources[module]}\n{indented}\n")
    assert any(complaint in found for found in violations(changed))


def test_a_file_without_a_purpose_or_too_long_is_found(product: Tree) -> None:
    changed = product.changed("worker", "import os\n")
    changed = changed.changed("dev", product.sources["dev"] + "\n" * LONGEST_FILE)
    assert [line.partition(": ")[0] for line in oddities(changed)] == [
        str(ROOT / "dev.py"),
        str(ROOT / "worker.py"),
    ]
