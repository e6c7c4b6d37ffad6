"""The example plug-ins of CONTRIBUTING.md, as a pytest plug-in.

`-p support.examples` puts them into the registry, so that the contract suites run on them as on
every other plug-in."""

import re
import sys
import tempfile
from pathlib import Path

from biasloop.plugins.registry import Kind, register

PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"
BLOCK = re.compile(
    r"<!-- example: (?P<kind>\w+) -->\n```python\n(?P<source>.*?)```\n.*?"
    r"_row\(Kind\.\w+, (?P<arguments>[^)]*)\),",
    re.DOTALL,
)
MODULES = "documented_plugins"


def examples() -> dict[Kind, tuple[list[str], str]]:
    """By kind: what its line in the table says (name, target, options), and the module."""
    blocks = BLOCK.finditer(PAGE.read_text("utf-8"))
    return {
        Kind(block["kind"]): (re.findall(r'"([^"]+)"', block["arguments"]), block["source"])
        for block in blocks
    }


def pytest_configure() -> None:
    """Writes the modules to a folder and registers them."""
    folder = Path(tempfile.mkdtemp()) / MODULES
    folder.mkdir()
    sys.path.insert(0, str(folder.parent))
    for kind, ((name, *targets), source) in examples().items():
        (folder / f"{name}.py").write_text(source, "utf-8")
        register(kind, name, *(f"{MODULES}.{target}" for target in targets))
