"""R8: imports run one way, and the command line starts without anything heavy."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import biasloop

PACKAGE = Path(biasloop.__file__).parent
PLUGINS = {"strategies", "classifiers", "expanders", "exporters"}
ADAPTERS = {"store", "labelstudio"}

ORDER = (
    {"errors"},
    {"domain"},
    {"ports"},
    {"settings"},
    {"config", "files", "language", "llm", "near_duplicates", "process", "registry", "segment"}
    | {"workspace"},
    {"rows"},
    ADAPTERS | PLUGINS,
    {"campaign", "cascade", "estimate", "language_model", "steps", "synthesis"},
    {"evaluation", "expansion", "prelabel", "training"},
    {"classify", "ingest", "init", "jobs", "loop", "poll", "positions", "simulate", "validate"},
    {"reconcile"},
    {"scheduler"},
    {"lookups"},
    {"wiring"},
    {"bootstrap"},
    {"guideline", "people", "prototyping", "scenarios"},
    {"backup", "export", "status", "verdicts"},
    {"demo", "doctor"},
    {"web"},
    {"cli"},
)
"""From below to above: what stands in a set imports from the sets before it, or from itself."""

LEVEL = {unit: level for level, units in enumerate(ORDER) for unit in units}


def modules() -> dict[str, Path]:
    """Every module below `biasloop.`, by its dotted name within the package."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    del found[""]  # holds the version
    return found


MODULES = modules()


def imported(path: Path) -> Iterator[str]:
    """Full names of what a file imports anywhere, in functions and for type checkers as well."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own(path: Path) -> set[str]:
    """Our own modules among them."""
    found = set()
    for name in imported(path):
        inside = name.removeprefix("biasloop.")
        if inside != name:
            module = inside if inside in MODULES else inside.rpartition(".")[0]
            found |= {module} & set(MODULES)
    return found


def unit(module: str) -> str:
    return module.partition(".")[0]


GRAPH = {name: own(path) for name, path in MODULES.items()}


def test_the_walk_sees_something() -> None:
    assert "domain.round" in GRAPH["loop"]
    assert "bootstrap" in GRAPH["cli.context"]  # imported in a function
    assert sum(map(len, GRAPH.values())) > 150


def test_no_module_imports_itself_round_about() -> None:
    assert list(TopologicalSorter(GRAPH).static_order())


@pytest.mark.parametrize("name", MODULES)
def test_imports_run_one_way(name: str) -> None:
    assert unit(name) in LEVEL, f"say in ORDER where biasloop.{name} stands"
    wrong = {
        other
        for other in GRAPH[name]
        if unit(other) != unit(name) and LEVEL.get(unit(other), 0) >= LEVEL[unit(name)]
    }
    assert not wrong


def within(allowed: set[str], names: set[str]) -> dict[str, set[str]]:
    """What the modules of these units import beyond what they may."""
    beyond = {
        name: {
            other for other in GRAPH[name] if unit(other) not in allowed | {unit(name), "errors"}
        }
        for name in MODULES
        if unit(name) in names
    }
    return {name: others for name, others in beyond.items() if others}


def test_the_domain_is_pure() -> None:
    assert within(set(), {"domain"}) == {}
    foreign = {
        name.partition(".")[0]
        for module, path in MODULES.items()
        if unit(module) == "domain"
        for name in imported(path)
    } - {"biasloop"}
    assert foreign - set(sys.stdlib_module_names) == {"numpy"}
    assert not foreign & {"os", "pathlib", "time", "socket", "random", "subprocess", "sqlite3"}


def test_steps_see_the_outside_only_through_ports() -> None:
    assert within({"domain", "ports", "process"}, {"steps"}) == {}


def test_plug_ins_know_nothing_of_the_loop() -> None:
    for kind in PLUGINS:
        assert within({"domain", "ports", "registry", "language", "llm"}, {kind}) == {}
    assert within(set(), {"language"}) == {}  # what they share reads sentences, no more


def test_plug_ins_ask_no_language_model() -> None:
    asking = {"llm.client", "llm.server", "llm.cache", "llm.guard", "llm.judge"}
    assert not {name for name in MODULES if unit(name) in PLUGINS and GRAPH[name] & asking}


def test_adapters_know_nothing_of_each_other() -> None:
    for adapter in (*ADAPTERS, "llm"):
        assert within({"domain", "ports"}, {adapter}) == {}


# --- weight ---------------------------------------------------------------------------------------

HEAVY = {
    "torch", "transformers", "sklearn", "scipy", "pandas", "pyarrow", "datasets", "sqlalchemy",
    "alembic", "label_studio_sdk", "small_text", "pydantic", "fastapi", "httpx", "apscheduler",
    "matplotlib", "openai", "plotly", "rensa", "simplemma",
}  # fmt: skip


def loaded_by(statement: str) -> set[str]:
    """Top-level packages that a fresh interpreter has loaded after the statement."""
    show = "; import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", statement + show], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_command_line_starts_light() -> None:
    loaded = loaded_by("import biasloop.cli.main")
    assert "typer" in loaded
    assert not loaded & HEAVY


def test_a_workspace_opens_without_torch() -> None:
    loaded = loaded_by("import biasloop.bootstrap, biasloop.status")
    assert "sqlalchemy" in loaded
    assert not loaded & {"torch", "transformers", "sklearn", "small_text", "openai", "rensa"}


def test_who_reads_the_settings_of_a_classifier_loads_no_torch() -> None:
    loaded = loaded_by(
        "import biasloop.classifiers; from biasloop.registry import Kind, names, plugin; "
        "[plugin(Kind.CLASSIFIER, name).options_model() for name in names(Kind.CLASSIFIER)]"
    )
    assert "pydantic" in loaded
    assert not loaded & {"torch", "transformers", "peft", "sklearn", "skops"}


def test_a_child_process_loads_a_classifier_only_if_its_job_has_one() -> None:
    loaded = loaded_by("import biasloop.jobs")
    assert "pandas" in loaded
    assert not loaded & {"torch", "transformers", "sklearn", "skops", "small_text"}


def test_help_works() -> None:
    command = Path(sys.executable).with_name("biasloop")
    done = subprocess.run([command, "--help"], capture_output=True, text=True, check=True)
    for name in ("init", "up", "import", "status", "train", "classify", "export", "doctor"):
        assert f"\n  {name} " in done.stdout
    assert done.stderr == ""
