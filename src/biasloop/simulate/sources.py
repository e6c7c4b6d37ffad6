"""The files of this package that a module depends on, by its imports."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path


def reached_files(start: Iterable[Path], package: Path) -> set[Path]:
    """`start`, and all files in the folder `package` that these import, directly or not.

    Imports within functions and for type checkers count as well.
    """
    reached: set[Path] = set()
    waiting = list(start)
    while waiting:
        path = waiting.pop()
        if path not in reached:
            reached.add(path)
            files = (module_file(name, package) for name in _imported_names(path))
            waiting += [file for file in files if file]
    return reached


def module_file(name: str, package: Path) -> Path | None:
    """The file of the module with this full name; None if it is not a module in `package`."""
    top, *parts = name.split(".")
    if top != package.name:
        return None
    path = package.joinpath(*parts)
    files = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in files if file.is_file()), None)


def _imported_names(path: Path) -> Iterator[str]:
    """Full names of the modules that a file imports, and of what it imports from them."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
