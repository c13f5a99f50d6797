"""Imports point one way: which parts of the product may import which others, checked in the source."""

import ast
import copy
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOT_OURS = {".venv", ".git", "var", "build", "node_modules", "__pycache__"}
LONGEST_FILE = 500
# Tables of cases may be longer, and for now these, which nothing shall join.
LONGER = ("tests", "domain.lifecycle", "desk.accounts")


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
        for node in ast.walk(ast.parse(self.sources[module])):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
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


def within(module: str, packages: Iterable[str]) -> bool:
    """Whether a module is one of these, or in one of these."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)


# Who may import what, besides the standard library. A later line holds for its modules alone.
MAY_IMPORT: dict[tuple[str, ...], tuple[str, ...]] = {
    ("workflows",): ("temporalio", "domain", "words", "workflows", "activities.names"),
    ("words",): ("babel", "jinja2", "pydantic", "domain", "words"),
    ("domain",): ("pydantic", "pydantic_core", "domain"),
    ("domain.cantons",): ("pydantic", "domain", "holidays"),
    ("activities.names",): ("domain",),
}
# What only some may import; who is not listed may not.
ONLY_FROM: dict[str, tuple[str, ...]] = {
    "holidays": ("domain.cantons",),
    "sqlalchemy": ("records", "tests", "bench"),
    "alembic": ("records", "tests"),
    "web": ("web", "dev", "tests", "bench"),
    "tests": ("tests", "bench"),
    "bench": ("bench", "tests"),
}
# Nothing of the database but what its failures are called: who calls the records may outlive their absence.
ONLY_THESE: dict[str, tuple[str, ...]] = {
    "desk": ("sqlalchemy.exc",),
    "starter": ("sqlalchemy.exc",),
}
# No module that comes with these may be one of those: the sandbox refuses the `holidays` package.
NOT_WITH: dict[str, tuple[str, ...]] = {"workflows": ("domain.cantons", "records", "web", "desk")}


def violations(tree: Tree) -> Iterator[str]:
    """Each import that points the wrong way, as a line."""
    for module in tree.paths:
        rules = [packages for packages in MAY_IMPORT if within(module, packages)]
        for imported in sorted(tree.imports(module)):
            top = imported.partition(".")[0]
            known = top in sys.stdlib_module_names
            if rules and not known and not within(imported, MAY_IMPORT[rules[-1]]):
                yield f"{module} imports {imported}"
            for package, allowed in ONLY_FROM.items():
                excepted = [
                    exception
                    for user, exceptions in ONLY_THESE.items()
                    if within(module, [user])
                    for exception in exceptions
                ]
                if (
                    within(imported, [package])
                    and not within(module, allowed)
                    and not within(imported, excepted)
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
        words = ast.get_docstring(ast.parse(source), clean=False)
        lines = source.splitlines()
        comment = bool(lines) and lines[0].startswith(("# ", "#!"))
        if lines and not comment and (words is None or not lines[0].startswith(('"""', 'r"""'))):
            yield f"{path}: its first line does not say what it is for"
        if len(lines) > LONGEST_FILE and not within(module, LONGER):
            yield f"{path}: {len(lines)} lines"


@pytest.fixture(scope="module")
def product() -> Tree:
    """This source tree."""
    return Tree(ROOT)


def test_imports_point_one_way(product: Tree) -> None:
    assert {"workflows.service_order", "domain.lifecycle", "records.orders"} <= set(product.paths)
    assert list(violations(product)) == []


def test_files_say_what_they_are_for_and_are_no_longer_than_one_can_read(product: Tree) -> None:
    assert list(oddities(product)) == []


@pytest.mark.parametrize(
    ("module", "line", "complaint"),
    [
        ("workflows.service_order", "import httpx", "imports httpx"),
        ("workflows.client", "from records.orders import Orders", "imports records.orders"),
        ("workflows.service_order", "from activities import mail", "imports activities.mail"),
        ("workflows.names", "from domain import cantons", "workflows comes with domain.cantons"),
        ("domain.order", "from domain import cantons", "workflows comes with domain.cantons"),
        ("domain.order", "import sqlalchemy", "domain.order imports sqlalchemy"),
        ("domain.lifecycle", "from workflows import names", "imports workflows.names"),
        ("domain.lifecycle", "    from temporalio import workflow", "imports temporalio"),
        ("domain.calendar", "import holidays", "imports holidays"),
        (
            "activities.names",
            "from activities.mail import MailActivities",
            "imports activities.mail",
        ),
        ("desk.orders", "from sqlalchemy import select", "desk.orders imports sqlalchemy"),
        ("worker", "import web.app", "worker imports web.app"),
        ("desk.orders", "from tests.builders import intake", "imports tests.builders"),
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
