"""The package's parts import one way, and no module is too long to be read at once."""

import ast
from pathlib import Path

import pra

PACKAGE = Path(pra.__file__).parent
#: The parts of the package, the lowest first; ``pra/__init__.py`` says what each is for.
LAYERS = (
    "base",
    "disk",
    "sql",
    "lineage",
    "points",
    "journal",
    "state",
    "pitr",
    "data",
    "protect",
    "recovery",
    "offsite",
    "postgres",
    "events",
    "web",
    "commands",
    "__main__",
)
LINES = 300
#: What the server may know of the rest, so that another database changes nothing in it.
IMPLEMENTATIONS = {"events.sqlite", "events.postgres"}
KNOWN_TO_WEB = {
    "base.errors",
    "base.metrics",
    "base.settings",
    "base.tasks",
    "events.choice",
    "events.interface",
}
#: What is for PostgreSQL alone, and what that may know of the rest.
OF_POSTGRES, SHARED = (
    ("postgres.", "events.postgres"),
    (
        "base.",
        "events.interface",
        "events.figures",
    ),
)


def imports_of(source: str, modules: set[str]) -> set[str]:
    """Which of the package's modules a source imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "pra":
            for alias in node.names:
                full = f"{node.module}.{alias.name}".removeprefix("pra.")
                found.add(full if full in modules else full.rpartition(".")[0])
        elif isinstance(node, ast.Import):
            found |= {one.name.removeprefix("pra.") for one in node.names} & modules
    return found & modules


def graph_of(package: Path) -> dict[str, set[str]]:
    """The modules of a package, each with those that it imports."""
    sources = {
        ".".join(path.relative_to(package).with_suffix("").parts): path.read_text("utf-8")
        for path in package.rglob("*.py")
        if path.name != "__init__.py"
    }
    return {name: imports_of(source, set(sources)) for name, source in sources.items()}


def circle_in(graph: dict[str, set[str]]) -> list[str] | None:
    """Modules that import each other in a circle, from one back to itself; None without."""
    done: set[str] = set()

    def from_here(name: str, path: list[str]) -> list[str] | None:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return None
        for other in sorted(graph[name]):
            found = from_here(other, [*path, name])
            if found:
                return found
        done.add(name)
        return None

    return next(filter(None, (from_here(name, []) for name in sorted(graph))), None)


def upward_in(graph: dict[str, set[str]]) -> list[str]:
    """Imports of a layer above one's own."""
    layer = {name: LAYERS.index(name.partition(".")[0]) for name in graph}
    return [
        f"{name} imports {other}"
        for name, others in sorted(graph.items())
        for other in sorted(others)
        if layer[other] > layer[name]
    ]


def bound_to_a_database(graph: dict[str, set[str]]) -> list[str]:
    """Imports that bind the server, or what it is not for, to one database of the events."""
    return [
        f"{name} imports {other}"
        for name, others in sorted(graph.items())
        for other in sorted(others)
        if (name.startswith("web.") and not (other.startswith("web.") or other in KNOWN_TO_WEB))
        or (other in IMPLEMENTATIONS and name != "events.choice")
    ]


def test_no_module_imports_itself_in_a_circle():
    graph = graph_of(PACKAGE)
    assert len(graph) > 50
    assert circle_in(graph) is None


def test_no_part_knows_one_above_it():
    assert upward_in(graph_of(PACKAGE)) == []


def test_the_server_knows_the_events_by_their_interface_alone():
    graph = graph_of(PACKAGE)
    assert "events.choice" in graph["web.serve"]
    assert "events.interface" in graph["web.routes"]
    assert bound_to_a_database(graph) == []


def mixed(graph: dict[str, set[str]]) -> list[str]:
    """Imports by which one database of the events would need what is for the other."""
    return [
        f"{name} imports {other}"
        for name, others in sorted(graph.items())
        for other in sorted(others)
        if name.startswith(OF_POSTGRES) and not other.startswith((*OF_POSTGRES, *SHARED))
    ]


def test_one_database_needs_nothing_of_the_other():
    graph = graph_of(PACKAGE)
    assert "postgres.database" in graph["events.postgres"]
    assert mixed(graph) == []
    graph["postgres.pool"] = graph["postgres.pool"] | {"disk.files"}
    assert mixed(graph) == ["postgres.pool imports disk.files"]


def test_a_route_or_a_verb_that_names_a_database_is_told():
    graph = {"web.routes": {"data.database"}, "commands.verbs": {"events.sqlite"}}
    assert bound_to_a_database(graph) == [
        "commands.verbs imports events.sqlite",
        "web.routes imports data.database",
    ]


def test_a_planted_circle_is_told_with_its_way():
    graph = graph_of(PACKAGE)
    graph["disk.locks"] = graph["disk.locks"] | {"recovery.plan"}
    assert circle_in(graph)[0] == circle_in(graph)[-1]
    assert "disk.locks" in circle_in(graph)
    assert "disk.locks imports recovery.plan" in upward_in(graph)


def test_an_import_inside_a_function_counts():
    source = (
        "def later():\n    from pra.web import serve\n    from pra.base.errors import Damaged\n"
    )
    assert imports_of(source, {"web.serve", "base.errors"}) == {"web.serve", "base.errors"}


def test_no_module_is_too_long():
    lengths = {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts): len(
            path.read_text("utf-8").splitlines()
        )
        for path in PACKAGE.rglob("*.py")
    }
    assert {name: length for name, length in lengths.items() if length > LINES} == {}
