"""Says in one line which system libraries are missing that PDF documents need. A warning: all else works without."""

import ctypes
import sys

# Debian's package, and what WeasyPrint opens by name on Linux and on macOS
LIBRARIES = [
    ("libpango-1.0-0", ["libpango-1.0.so.0", "libpango-1.0.dylib"]),
    ("libpangoft2-1.0-0", ["libpangoft2-1.0.so.0", "libpangoft2-1.0.dylib"]),
    ("libharfbuzz-subset0", ["libharfbuzz-subset.so.0", "libharfbuzz-subset.dylib"]),
]


def missing_libraries() -> list[str]:
    """Debian's names of the packages whose library is not here."""
    return [package for package, names in LIBRARIES if not any(_opens(name) for name in names)]


def _opens(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def main() -> None:
    """Print the warning, or nothing."""
    missing = missing_libraries()
    if missing:
        install = "apt-get install " + " ".join(missing)
        if sys.platform == "darwin":
            install = "brew install pango"
        print(
            f"Warning: PDF documents need system libraries that are missing: {install}",
            file=sys.stderr,
        )


if __name__ == "__main__":
    main()
