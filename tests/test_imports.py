"""R8: imports run one way, and the command line starts without anything heavy.

The rules are those of docs/architecture.md, "Imports".
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import biasloop

PACKAGE = Path(biasloop.__file__).parent
MAX_LINES = 300

ORDER = (
    {"errors"},
    {"foreign"},
    {"domain"},
    {"ports"},
    {"intake", "store", "labelstudio", "llm"},
    {"plugins", "tuning", "workspace", "access"},
    {"rounds"},
    {"service"},
    {"reports"},
    {"simulate", "web"},
    {"gateway"},
    {"cli"},
)
"""From below to above: a room imports from the sets before its own, or from itself."""

LEVEL = {room: level for level, rooms in enumerate(ORDER) for room in rooms}

PLUMBING = {"foreign", "store.atomic"}
"""Rule 3: any room but the domain may import these two."""

ADAPTERS = ("intake", "store", "labelstudio", "llm")


def modules() -> dict[str, Path]:
    """Every module below `biasloop.`, by its dotted name within the package."""
    paths = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        paths[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    del paths[""]  # holds the version
    return paths


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
    modules_imported = set()
    for name in imported(path):
        inside = name.removeprefix("biasloop.")
        if inside != name:
            module = inside if inside in MODULES else inside.rpartition(".")[0]
            modules_imported |= {module} & set(MODULES)
    return modules_imported


def room(module: str) -> str:
    return module.partition(".")[0]


GRAPH = {name: own(path) for name, path in MODULES.items()}


def reached_from(module: str) -> set[str]:
    """Every module that is loaded, sooner or later, because of this one."""
    reached: set[str] = set()
    waiting = [module]
    while waiting:
        new = GRAPH[waiting.pop()] - reached
        reached |= new
        waiting.extend(new)
    return reached


def imports_beyond(allowed: set[str], rooms: set[str]) -> dict[str, set[str]]:
    """What the modules of these rooms import beyond their own room and the allowed ones."""
    beyond = {
        name: {
            other
            for other in GRAPH[name] - PLUMBING
            if room(other) not in allowed | {room(name), "errors"}
        }
        for name in MODULES
        if room(name) in rooms
    }
    return {name: others for name, others in beyond.items() if others}


def importers_of(*packages: str) -> set[str]:
    """The modules that import one of these foreign packages."""
    return {
        name
        for name, path in MODULES.items()
        if {other.partition(".")[0] for other in imported(path)} & set(packages)
    }


def test_the_walk_sees_something() -> None:
    assert "domain.round" in GRAPH["rounds.loop"]
    assert "service.service" in GRAPH["cli.context"]  # imported in a function
    assert sum(map(len, GRAPH.values())) > 150


def test_no_module_imports_itself_in_a_circle() -> None:
    assert list(TopologicalSorter(GRAPH).static_order())


@pytest.mark.parametrize("name", MODULES)
def test_rule_1_imports_run_one_way(name: str) -> None:
    assert room(name) in LEVEL, f"say in ORDER where biasloop.{name} stands"
    wrong = {
        other
        for other in GRAPH[name] - PLUMBING
        if room(other) != room(name) and LEVEL[room(other)] >= LEVEL[room(name)]
    }
    assert not wrong


def test_rule_2_the_domain_is_pure() -> None:
    assert imports_beyond(set(), {"domain"}) == {}
    foreign = {
        name.partition(".")[0]
        for module, path in MODULES.items()
        if room(module) == "domain"
        for name in imported(path)
    } - {"biasloop"}
    assert foreign - set(sys.stdlib_module_names) == {"numpy"}
    assert not foreign & {"os", "pathlib", "time", "socket", "random", "subprocess", "sqlite3"}


@pytest.mark.parametrize("below", ["domain.measure", "domain.writing"])
def test_rule_2_figures_and_writing_know_no_votes(below: str) -> None:
    wrong = {
        (name, other)
        for name in MODULES
        if name.startswith(f"{below}.")
        for other in GRAPH[name]
        if other.startswith("domain.votes")
    }
    assert not wrong


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_rule_3_adapters_know_nothing_of_each_other(adapter: str) -> None:
    assert imports_beyond({"domain", "ports"}, {adapter}) == {}


@pytest.mark.parametrize("name", sorted(PLUMBING & set(MODULES)))
def test_rule_3_plumbing_depends_on_nothing(name: str) -> None:
    assert GRAPH[name] <= {"errors"}
    foreign = {other.partition(".")[0] for other in imported(MODULES[name])} - {"biasloop"}
    assert foreign <= set(sys.stdlib_module_names)


def test_rule_4_plug_ins_know_nothing_of_the_loop() -> None:
    allowed = {"domain", "ports", "llm", "intake"}
    assert imports_beyond(allowed, {"plugins"}) == {}
    others = {other for name in MODULES if room(name) == "plugins" for other in GRAPH[name]}
    of_adapters = {other for other in others if room(other) in ADAPTERS} - PLUMBING
    assert of_adapters <= {"llm.prompting", "intake.objects"}


STEPS = [
    name
    for name in MODULES
    if name.startswith("rounds.steps.")
    and (name.endswith(".step") or name.count(".") == 2)
    and MODULES[name].name != "__init__.py"
]


@pytest.mark.parametrize("name", STEPS)
def test_rule_5_a_step_reaches_the_outside_only_through_ports(name: str) -> None:
    children = {"rounds", "rounds.child", "rounds.results", "rounds.spare"}
    reached = reached_from(name) - PLUMBING - children
    within = {"domain", "ports", "errors"}
    wrong = {
        other
        for other in reached
        if room(other) not in within and not other.startswith("rounds.steps")
    }
    assert not wrong
    assert not {other for other in reached if other.endswith(".job")}


def test_rule_6_in_rounds_only_jobs_and_lookups_know_plug_ins() -> None:
    may = {"rounds.jobs", "rounds.lookups", "rounds.steps.score.cascade"}
    wrong = {
        name
        for name in MODULES
        if room(name) == "rounds"
        and not name.endswith(".job")
        and any(room(other) == "plugins" for other in GRAPH[name])
    }
    assert wrong <= may


def test_rule_7_each_framework_has_its_room() -> None:
    assert {room(name) for name in importers_of("fastapi")} == {"web"}
    assert {room(name) for name in importers_of("starlette")} == {"web", "gateway"}
    assert {room(name) for name in importers_of("typer", "rich")} == {"cli"}
    assert {room(name) for name in importers_of("sqlalchemy", "alembic")} == {"store"}
    assert {room(name) for name in importers_of("label_studio_sdk")} == {"labelstudio"}
    assert {room(name) for name in importers_of("openai")} == {"llm"}


def test_rule_8_files_are_short() -> None:
    long = {
        name: lines
        for name, path in MODULES.items()
        if not name.startswith("store.migrations")
        and (lines := len(path.read_text("utf-8").splitlines())) > MAX_LINES
    }
    assert not long


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


def test_rule_8_a_workspace_opens_with_its_ledger_alone() -> None:
    loaded = loaded_by("import biasloop.service.service")
    assert "sqlalchemy" in loaded
    assert not loaded & HEAVY - {"sqlalchemy", "alembic", "pydantic"}


def test_a_trial_is_written_as_a_file_without_a_web_server() -> None:
    loaded = loaded_by("import biasloop.web.rendering")
    assert "jinja2" in loaded
    assert not loaded & {"fastapi", "starlette", "uvicorn", "torch", "sklearn"}


def test_who_reads_the_settings_of_a_classifier_loads_no_torch() -> None:
    loaded = loaded_by(
        "from biasloop.plugins.registry import Kind, names, plugin;"
        "[plugin(Kind.CLASSIFIER, name).options_model() for name in names(Kind.CLASSIFIER)]"
    )
    assert "pydantic" in loaded
    assert not loaded & {"torch", "transformers", "peft", "sklearn", "skops"}


def test_rule_8_a_child_process_loads_what_its_job_needs() -> None:
    loaded = loaded_by("import biasloop.rounds.jobs")
    assert not loaded & HEAVY - {"pydantic", "pandas", "pyarrow"}
    loaded = loaded_by(
        "from biasloop.rounds.jobs import JOBS, job_function; [job_function(job) for job in JOBS]"
    )
    assert "pandas" in loaded
    assert not loaded & {"torch", "transformers", "sklearn", "skops", "small_text"}


def test_tfidf_learns_without_torch_and_predicts_without_scikit_learn(tmp_path: Path) -> None:
    loaded = loaded_by(
        f"import sys; sys.path.append({str(Path(__file__).parent)!r});"
        "from pathlib import Path; from support.sentences import training;"
        "from biasloop.plugins.classifiers.tfidf import Tfidf;"
        f"model = Tfidf(); model.fit(training(), seed=1); model.save(Path({str(tmp_path)!r}))"
    )
    assert "sklearn" in loaded
    assert not loaded & {"torch", "skops", "small_text", "transformers"}
    loaded = loaded_by(
        "import sys; from pathlib import Path;"
        "from biasloop.plugins.registry import load_classifier;"
        f"model = load_classifier('tfidf', Path({str(tmp_path)!r}));"
        "model.score(['Una mela'], frozenset({'proba'}));"
        "model.evidence('Una mela', ['fruit']);"
        "assert not sys.modules.keys() & {'scipy.special', 'scipy.optimize', 'scipy.stats'}"
    )
    assert "scipy" in loaded
    assert not loaded & {"torch", "sklearn", "skops", "small_text", "pandas", "transformers"}


def test_help_works() -> None:
    command = Path(sys.executable).with_name("biasloop")
    done = subprocess.run([command, "--help"], capture_output=True, text=True, check=True)
    for name in ("init", "up", "import", "status", "train", "classify", "export", "doctor"):
        assert f"\n  {name} " in done.stdout
    assert done.stderr == ""
