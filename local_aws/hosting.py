"""A hosting container's part: unpack a package, load its inference script, predict.

Run as a program, it loads and predicts in a process of its own, as the container does:
``python -m local_aws.hosting MODEL_DIR ENTRY_POINT [ROWS.json]`` prints the predictions as JSON.
"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_RANDOM_ROWS = 50


class HostingError(Exception):
    """The package can't be unpacked, or its script can't serve it."""


def unpack(archive: Path, directory: Path) -> None:
    """Extract an archive, as hosting does with ``ModelDataUrl``.

    Raises:
        HostingError: ``tar`` can't read it.
    """
    directory.mkdir(parents=True)
    extracted = subprocess.run(
        ["tar", "-xzf", str(archive), "-C", str(directory)],
        capture_output=True,
        text=True,
        check=False,
    )
    if extracted.returncode:
        raise HostingError(f"{archive.name} can't be unpacked: {extracted.stderr.strip()}")


def predict(
    model_dir: Path, entry_point: str = "inference.py", rows: Path | None = None
) -> list[Any]:
    """Let an unpacked package answer.

    Args:
        model_dir: The unpacked package.
        entry_point: Script below ``code/`` that has ``model_fn`` and, optionally, ``predict_fn``.
        rows: JSON file of input rows. Default: random rows as wide as the model says it takes.

    Returns:
        A prediction for each row.

    Raises:
        HostingError: The script can't be loaded or can't serve the model.
    """
    command = [sys.executable, "-m", __name__, str(model_dir), entry_point]
    served = subprocess.run(
        [*command, *([str(rows)] if rows else [])],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    if served.returncode:
        lines = served.stderr.strip().splitlines() or ["it printed nothing"]
        raise HostingError(f"code/{entry_point} can't serve the model: {lines[-1]}")
    predictions: list[Any] = json.loads(served.stdout.splitlines()[-1])
    return predictions


def _serve(model_dir: Path, entry_point: str, rows: Path | None) -> list[Any]:
    code = model_dir / "code"
    sys.path.insert(0, str(code))  # as the container does: scripts import their neighbours
    spec = importlib.util.spec_from_file_location("inference", code / entry_point)
    if spec is None or spec.loader is None:
        raise HostingError(f"code/{entry_point} is not a Python script")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    model = script.model_fn(str(model_dir))
    answers = _predict_fn(script)(_rows(rows, model), model)
    listed: list[Any] = answers.tolist() if hasattr(answers, "tolist") else list(answers)
    return listed


def _predict_fn(script: Any) -> Any:
    return getattr(script, "predict_fn", lambda rows, model: model.predict(rows))


def _rows(rows: Path | None, model: Any) -> Any:
    import numpy

    if rows is not None:
        return numpy.array(json.loads(rows.read_text()))
    width = getattr(model, "n_features_in_", None)
    if width is None:
        raise HostingError("the model doesn't tell how many features it takes")
    return numpy.random.default_rng(0).normal(size=(_RANDOM_ROWS, width))


if __name__ == "__main__":
    directory, script_name, *rows_file = sys.argv[1:]
    print(json.dumps(_serve(Path(directory), script_name, Path(*rows_file) if rows_file else None)))
