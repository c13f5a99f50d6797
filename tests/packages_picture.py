"""Writes the imports between packages as docs/images/packages.dot, from which `make pictures` draws the picture.

An arrow that follows from others is left out: where `web` imports `use_cases`
and `use_cases` imports `records`, none is drawn from `web` to `records`. A comment lists all imports of each package.
"""

from collections.abc import Mapping

from tests.test_architecture import DOMAIN_LAYERS, LAYERS, ROOT, Tree, layer

PICTURES = ROOT / "docs" / "images"
LEFT_OUT = ("dev", "tests", "bench")
"""The command that only starts `development`, and what is no part of the product."""
LEVELS = (
    *DOMAIN_LAYERS,
    *(
        tuple(package for package in packages if package not in LEFT_OUT)
        for packages in LAYERS
        if packages not in DOMAIN_LAYERS
    ),
)
"""The packages that are drawn, by level from the bottom up; those of the domain each have one of their own."""
HEAD = """\
// The imports between packages. Made by `make pictures`; do not edit.
digraph packages {
  graph [bgcolor=transparent, rankdir=TB, ranksep=0.35, nodesep=0.35, fontname="Helvetica,Arial,sans-serif"];
  node [shape=box, style="filled,rounded", fillcolor="#ddf4ff", color="#54aeff", fontcolor="#1f2328",
        fontname="Helvetica,Arial,sans-serif", fontsize=14, height=0.4];
  edge [color="#818b98", arrowsize=0.7];
"""


def package_imports(tree: Tree) -> dict[str, set[str]]:
    """The packages that each package imports from."""
    found: dict[str, set[str]] = {package: set() for level in LEVELS for package in level}
    for module in tree.paths:
        for imported in tree.imports(module):
            importer, other = layer(module, LEVELS), layer(imported, LEVELS)
            if importer and other and importer != other:
                found[importer[1]].add(other[1])
    return found


def without_implied(imports: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The imports that do not follow from a chain of others. There must be no circle."""

    def reachable(package: str) -> set[str]:
        return imports[package].union(*map(reachable, imports[package]))

    return {
        package: others - set().union(*map(reachable, others))
        for package, others in imports.items()
    }


def source(tree: Tree) -> str:
    """The picture as text in Graphviz's language."""
    imports = package_imports(tree)
    lines = [HEAD]
    for level in reversed([each for each in LEVELS if each]):
        lines.append(f"  {{ rank=same; {' '.join(map(quoted, level))} }}")
    lines.append("")
    for package, others in without_implied(imports).items():
        lines.append(f"  // {package} imports {', '.join(sorted(imports[package])) or 'no other'}")
        lines += [f"  {quoted(package)} -> {quoted(other)};" for other in sorted(others)]
    return "\n".join([*lines, "}"]) + "\n"


def quoted(package: str) -> str:
    """A package's name as Graphviz takes it; it has a dot in it for those of the domain."""
    return f'"{package}"'


if __name__ == "__main__":
    (PICTURES / "packages.dot").write_text(source(Tree(ROOT)), encoding="utf-8")
