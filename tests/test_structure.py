"""The house: imports point one way, in no circle, and no file is a house of its own."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
ENGINE = PROJECT / "scripts" / "packager" / "mims_engine"

# Where a file's absolute imports are looked for.
ROOTS = (PROJECT, PROJECT / "constructs", PROJECT / "scripts" / "packager")

# A room may import from itself and from what stands below it.
ROOMS = (
    "operations",
    "app",
    "stacks",
    "model_packaging",
    "model_packaging.step",
)


def sources() -> list[Path]:
    """The project's own files, but for tests and for what make has installed or made."""
    folders = [
        folder
        for folder in PROJECT.iterdir()
        if folder.is_dir()
        and not folder.name.startswith(".")
        and folder.name not in ("tests", "node_modules", "cdk.out")
    ]
    return [*PROJECT.glob("*.py"), *(file for f in folders for file in f.rglob("*.py"))]


def module_name(file: Path) -> str:
    root = max((root for root in ROOTS if file.is_relative_to(root)), key=lambda r: len(r.parts))
    parts = file.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def at_run_time(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a module but for what type checkers alone read."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from at_run_time(node)


def imports(file: Path, known: set[str]) -> set[str]:
    """The modules of this project that a file imports, in functions too."""
    name = module_name(file)
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in at_run_time(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join(above * bool(node.level) + [node.module] * bool(node.module))
            # A name may be a module of the package, or something in it.
            modules = {f"{base}.{alias.name}" for alias in node.names} & known
            found |= modules
            if len(modules) < len(node.names):
                found.add(base)
    return (found & known) - {name}


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    files = {module_name(file): file for file in sources()}
    return {name: imports(file, set(files)) for name, file in files.items()}


def room_of(module: str) -> str | None:
    inside = [room for room in ROOMS if module == room or module.startswith(f"{room}.")]
    return max(inside, key=len, default=None)


def test_the_graph_is_read_from_the_files(graph: dict[str, set[str]]) -> None:
    assert "mims_engine.splice" in graph["mims_engine.run"]
    assert "model_packaging.step.contract" in graph["model_packaging.step.packaging"]
    assert "stacks.model_packaging_stack" in graph["app"]


def test_no_imports_go_in_a_circle(graph: dict[str, set[str]]) -> None:
    reached: dict[str, set[str]] = {}

    def reach(module: str) -> set[str]:
        if module not in reached:
            reached[module] = set()  # ends the search in a circle, which shows below
            for other in graph[module]:
                reached[module] |= {other} | reach(other)
        return reached[module]

    assert [module for module in graph if module in reach(module)] == []


def test_no_import_climbs_from_a_room_to_one_above(graph: dict[str, set[str]]) -> None:
    climbs = [
        f"{module} imports {other}"
        for module, others in graph.items()
        for other in others
        if (here := room_of(module)) is not None
        and (there := room_of(other)) is not None
        and ROOMS.index(there) < ROOMS.index(here)
    ]
    assert climbs == []


def test_the_local_aws_knows_nothing_of_the_product(graph: dict[str, set[str]]) -> None:
    known = {
        f"{module} imports {other}"
        for module, others in graph.items()
        for other in others
        if module.startswith("local_aws") and not other.startswith("local_aws")
    }
    assert known == set()


def test_the_packager_imports_the_standard_library_and_itself_only(
    graph: dict[str, set[str]],
) -> None:
    files = [*ENGINE.glob("*.py"), *ENGINE.parent.glob("*.py")]
    assert len(files) > 20
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            for name in names:
                root = name.partition(".")[0]
                own = {"mims_engine", "mims_package"} if file.parent != ENGINE else set()
                assert root in sys.stdlib_module_names | own, f"{file.name} imports {name}"


def test_the_engines_floors_are_as_its_docstring_has_them(graph: dict[str, set[str]]) -> None:
    text = ast.get_docstring(ast.parse((ENGINE / "__init__.py").read_text())) or ""
    floors = [line.split("``")[1::2] for line in text.splitlines() if line[:1].isdigit()]
    floor = {name: number for number, names in enumerate(floors) for name in names}
    assert set(floor) == {file.stem for file in ENGINE.glob("*.py")} - {"__init__"}
    for name, number in floor.items():
        for other in graph[f"mims_engine.{name}"] - {"mims_engine"}:
            assert floor[other.removeprefix("mims_engine.")] <= number, f"{name} imports {other}"


def test_no_file_is_longer_than_a_twentieth_of_the_source() -> None:
    lengths = {file: len(file.read_text().splitlines()) for file in sources()}
    limit = sum(lengths.values()) / 20
    longest = {str(file.relative_to(PROJECT)): n for file, n in lengths.items() if n > limit}
    assert longest == {}
