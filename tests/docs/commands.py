"""What is checked of a command on a page. One that no rule here knows is a fault.

What runs anywhere is run. What needs credentials or takes long is held to what it names: the
Makefile's tasks and variables, flags, files, tests, stages, the parameters of an AWS API.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import botocore.session
from botocore import xform_name

import operations.__main__
from model_packaging.rendering_store import DEFINITION_STORE
from operations import local
from stacks.stage import Trigger
from tests.docs.pages import PROJECT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# The folder that commands run in, or None where they are not to be run.
Folder = Path | None
Rule = Callable[[list[str], Folder], None]

MAKEFILE = (PROJECT / "Makefile").read_text()
STAGES = json.loads((PROJECT / "cdk.json").read_text())["context"]["stages"]
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())


def commands(text: str) -> list[list[str]]:
    """The words of each command of a block, without comments."""
    found, begun = [], ""
    for line in text.replace("\\\n", " ").splitlines():
        begun += f"{line}\n"
        try:
            words = shlex.split(begun, comments=True)
        except ValueError:
            continue  # a quotation goes on in the next line
        found, begun = [*found, words], ""
    require(not begun, f"a quotation has no end: {begun}")
    return [words for words in found if words]


def check(words: list[str], folder: Folder = None) -> None:
    """Check a command by the rule of its program.

    Raises:
        AssertionError: The command can't work, or no rule knows its program.
    """
    require(not set(words) & {"|", "&&", "||", ";", ">", "<"}, "write one command a line")
    program = words[0].removeprefix(".venv/bin/")
    require(program in RULES, f"no rule checks {program}: add one to {__name__}")
    RULES[program](words[1:], folder)


def require(is_true: object, otherwise: str) -> None:
    if not is_true:
        raise AssertionError(otherwise)


def require_stage(name: str | None) -> None:
    require(name is None or name in STAGES, f"cdk.json has no stage {name}")


def is_command(code: str) -> bool:
    """Whether inline code is a command that a rule can check."""
    program, *rest = code.split()
    return bool(rest) and program.removeprefix(".venv/bin/") in RULES and "…" not in code


def make(words: list[str], folder: Folder) -> None:
    given = dict(word.split("=", 1) for word in words if "=" in word)
    tasks = [word for word in words if "=" not in word] or ["help"]
    unknown = set(tasks) - set(re.findall(r"^([a-z-]+):.*##", MAKEFILE, re.MULTILINE))
    require(not unknown, f"make help lists no {unknown}")
    require_stage(given.get("STAGE"))
    if "test" in tasks:
        pytest_(shlex.split(given.get("ARGS", "")), folder)
    # A program's own flags and words, which its rule checks below.
    its_own = ("ARGS", "FORMAT", "FAIL_ON")
    values = {
        name: text if name in its_own else f"9{text}" if text.isdigit() else f"given-{name}"
        for name, text in given.items()
    }
    planned = recipes(tasks, values)
    programs = re.findall(r"python (benchmarks/\S+)", planned)
    for name in given:
        is_read = recipes(tasks, values | {name: ""}) != planned or any(
            f'environ.get("{name}"' in (PROJECT / program).read_text() for program in programs
        )
        require(is_read, f"make {' '.join(tasks)} does not read {name}")
    for line in re.findall(r"^python -m operations.*$", planned, re.MULTILINE):
        check(shlex.split(line.partition(" || ")[0]))  # what follows judges its exit code


def recipes(tasks: list[str], variables: dict[str, str]) -> str:
    """What make would run, set-up included."""
    of_the_make_that_runs_this = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", *variables}
    return subprocess.run(
        ["make", "-nB", *tasks, *(f"{name}={value}" for name, value in variables.items())],
        cwd=PROJECT,
        env={name: os.environ[name] for name in os.environ.keys() - of_the_make_that_runs_this},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def python(words: list[str], folder: Folder) -> None:
    match words:
        case ["-m", "operations"] | ["-m", "operations", "--help"]:
            pass
        case ["-m", "operations", command, *_]:
            module = operations.__main__.COMMANDS.get(command)
            require(module is not None, f"operations has no {command}")
            with mock.patch.object(module, "run", return_value=0):
                operations.__main__.main(words[2:])  # exits at a flag that it does not know
        case ["-m", "hatchling", "build", *options, "-d", place]:
            ignored = (PROJECT / ".gitignore").read_text().split()
            require(f"{place.split('/')[0]}/" in ignored, f"git does not ignore {place}")
            if folder:
                _run(["-m", "hatchling", "build", *options, "-d", str(folder)], PROJECT)
        case ["-m", module, *_] if module != "zipapp":
            raise AssertionError(f"no rule checks -m {module}: add one to {__name__}")
        case [program, *_]:
            if folder:
                _run(words, folder)
            else:
                require(program == "-m" or (PROJECT / program).exists(), f"there is no {program}")


def _run(words: list[str], folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, check=False
    )
    require(done.returncode == 0, done.stdout + done.stderr)


def pytest_(words: list[str], folder: Folder) -> None:
    words, tests = [*words], ""
    while words:
        word = words.pop(0)
        if word == "-m":
            marks = " ".join(PYPROJECT["tool"]["pytest"]["ini_options"]["markers"])
            for name in _names(words.pop(0)):
                require(f"{name}:" in marks, f"there is no mark {name}")
        elif word == "-k":
            for name in _names(words.pop(0)):
                require(name in tests, f"no test is called {name}")
        elif word != "--snapshot-update":
            place = PROJECT / word
            require(place.exists(), f"there is no {word}")
            for file in place.rglob("test_*.py") if place.is_dir() else [place]:
                tests += f"{file.stem}\n" + "".join(
                    re.findall(r"^ *def (test_\w+\n?)", file.read_text(), re.MULTILINE)
                )


def _names(expression: str) -> set[str]:
    return set(re.findall(r"\w+", expression)) - {"and", "or", "not"}


def pip(words: list[str], folder: Folder) -> None:
    match words:
        case ["install", "-r", file]:
            require((PROJECT / file).is_file(), f"there is no {file}")
        case ["install", "-e"] | ["wheel", "--no-deps", "path/to/this/folder"]:
            pass  # tests/test_wheel.py builds both
        case ["install", target]:
            name, _, extra = target.rstrip("]").partition("[")
            known = ("path/to/this/folder", PYPROJECT["project"]["name"])
            require(name in known, f"{name} is not this project")
            extras = PYPROJECT["project"]["optional-dependencies"]
            require(not extra or extra in extras, f"there is no extra {extra}")
        case _:
            raise AssertionError(f"no rule checks pip {' '.join(words)}: add one to {__name__}")


def cdk(words: list[str], folder: Folder) -> None:
    command, *options = words
    require(f"\t@cdk {command} " in MAKEFILE, f"the Makefile has no cdk {command}")
    for option, setting in zip(options[::2], options[1::2], strict=True):
        require(option == "-c", f"no rule checks {option}")
        name, _, value = setting.partition("=")
        is_read = f'get_context("{name}")' in (PROJECT / "app.py").read_text()
        require(is_read or name == DEFINITION_STORE, f"app.py does not read {name}")
        if name == "stage":
            require_stage(value)


def source(words: list[str], folder: Folder) -> None:
    """What `make local` writes, where it writes it by default."""
    parser = argparse.ArgumentParser()
    operations.__main__.COMMANDS["local"].add_arguments(parser)
    written = parser.get_default("directory") / local.EXPORTS
    require(words == [str(written.relative_to(PROJECT))], f"nothing writes {words}")


def aws(words: list[str], folder: Folder) -> None:
    service, operation, *options = words
    if (service, operation) == ("s3", "ls"):
        require(options[:-1] == ["--recursive"], "no rule checks these options")
        return
    if (service, operation) == ("s3", "cp"):
        uploads = Trigger()
        announced = rf"s3://BUCKET/{uploads.prefix}.+{re.escape(uploads.suffix)}"
        require(re.fullmatch(announced, options[-1]), f"{options[-1]} starts no pipeline")
        return
    service = {"s3api": "s3"}.get(service, service)
    model = botocore.session.get_session().get_service_model(service)
    names = {xform_name(name, "-"): name for name in model.operation_names}
    require(operation in names, f"{service} has no {operation}")
    shape = model.operation_model(names[operation]).input_shape
    known = {f"--{xform_name(name, '-')}" for name in shape.members} | {"--query", "--output"}
    needed = {
        f"--{xform_name(name, '-')}"
        for name in shape.required_members
        # The CLI makes one up.
        if not shape.members[name].metadata.get("idempotencyToken")
    }
    given = {option for option in options if option.startswith("--")}
    require(needed <= given <= known, f"{operation} takes {needed}, and perhaps {known - needed}")


def export(words: list[str], folder: Folder) -> None:
    for word in words:
        name, _, value = word.partition("=")
        require(name == "STAGE", f"no rule checks export {name}")
        require_stage(value)


def git(words: list[str], folder: Folder) -> None:
    known = (["switch", "--detach", "REVISION"], ["switch", "-"], ["log", "--oneline"], ["diff"])
    require(words in known, f"no rule checks git {' '.join(words)}: add one to {__name__}")


def npm(words: list[str], folder: Folder) -> None:
    [command, *options, package] = words
    require((command, options) == ("install", ["--save-exact"]), "no rule checks these options")
    name, _, version = package.partition("@")
    require(f'"{name}"' in (PROJECT / "package.json").read_text(), f"package.json has no {name}")
    require(version, "name a version: the registry's latest may be another major one")


RULES: dict[str, Rule] = {
    "aws": aws,
    "cdk": cdk,
    "export": export,
    "git": git,
    "make": make,
    "npm": npm,
    "pip": pip,
    "pytest": pytest_,
    "python": python,
    "source": source,
}
