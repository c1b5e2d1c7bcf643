"""Models that MLflow has written with ``code_paths``: their own code is theirs to load with."""

from __future__ import annotations

import pytest

from . import archives as a
from .conftest import Bench, contents, unpack_with_tarfile

# As MLflow 2 and 3 write it: YAML in blocks, keys in order (``Model.to_yaml``).
MLMODEL = b"""\
artifact_path: model
flavors:
  python_function:
    code: code
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: mlflow.sklearn
    model_path: model.pkl
    python_version: 3.11.7
  sklearn:
    code: code
    pickled_model: model.pkl
    serialization_format: cloudpickle
mlflow_version: 2.20.1
run_id: 5c37ed12cb5a4cd68ddeec596482db6f
signature:
  inputs: '[{"type": "double", "name": "code", "required": true}]'
"""
WITHOUT_CODE = MLMODEL.replace(b"code: code", b"code: null")


def mlflow_model(mlmodel: bytes = MLMODEL, *, own: str = "code") -> bytes:
    """Its own code first, and last what says so: the packager must not rely on the order."""
    return a.tar(
        a.folder("./"),
        a.folder(f"./{own}/"),
        a.file(f"./{own}/features.py", b"def scaled(x): return x / 2\n"),
        a.file("./model.pkl"),
        a.file("./MLmodel", mlmodel),
    )


REFUSED = (
    "the model's MLmodel says that its own code is in 'code', and what ships would replace it "
    "('code/features.py'): the model would not load; choose --existing-code overlay to keep it "
    "beside the scripts, or replace to do without"
)


@pytest.mark.parametrize("mode", ["auto", "stream"])
def test_its_own_code_is_not_replaced_where_nobody_chose(bench: Bench, run, mode: str):
    bench.put_model(a.gz(mlflow_model()))
    result = run("--mode", mode)
    assert (result.exit_code, result.message) == (3, REFUSED)


def test_loose_files_are_no_different(bench: Bench, run):
    bench.put_model(MLMODEL, "MLmodel")
    bench.put_model(b"weights", "model.pkl")
    bench.put_model(b"def scaled(x): return x / 2\n", "code/features.py")
    result = run()
    assert (result.exit_code, result.message) == (3, REFUSED)


def test_overlay_keeps_it_beside_the_scripts(bench: Bench, run, tmp_path):
    bench.put_model(a.gz(mlflow_model()))
    assert run("--existing-code", "overlay").exit_code == 0
    unpack_with_tarfile(bench.archive, tmp_path / "unpacked")
    assert set(contents(tmp_path / "unpacked")) == {
        *("code", "code/features.py", "code/inference.py"),
        *("model.pkl", "MLmodel"),
    }


def test_replace_is_a_choice(bench: Bench, run):
    bench.put_model(a.gz(mlflow_model()))
    assert run("--existing-code", "replace").exit_code == 0
    assert bench.report["model"]["replaced_files"] == ["code/features.py"]


@pytest.mark.parametrize(
    "mlmodel",
    [
        b'{"flavors": {"python_function": {"code":"code", "data": "m"}}}',
        b"flavors:\n  python_function: {loader_module: x, code: ./code/}\n",
        b"flavors:\r\n  python_function:\r\n    'code' : \"code/lib\"  # ours\r\n",
    ],
    ids=["JSON", "YAML in braces", "quotes, a comment, Windows"],
)
def test_the_file_may_be_written_in_other_ways(bench: Bench, run, mlmodel: bytes):
    bench.put_model(a.gz(mlflow_model(mlmodel)))
    assert "MLmodel says" in run().message


@pytest.mark.parametrize(
    "mlmodel",
    [
        WITHOUT_CODE,
        b"flavors:\n  python_function:\n    code:\n    data: m\n",
        b"# code: code\nflavors:\n  python_function:\n    my_code: code\n",
    ],
    ids=["null", "nothing", "a comment and another key"],
)
def test_where_the_model_names_no_code_it_is_replaced_with_a_warning(
    bench: Bench, run, mlmodel: bytes
):
    bench.put_model(a.gz(mlflow_model(mlmodel)))
    assert run().exit_code == 0
    assert "'code/features.py'" in bench.report["warnings"][0]


def test_code_in_a_folder_that_stays_is_no_reason_to_refuse(bench: Bench, run):
    own = MLMODEL.replace(b"code: code", b"code: src")
    bench.put_model(a.gz(mlflow_model(own, own="src")))
    assert run().exit_code == 0
    assert bench.report["mode"] == "splice"


def test_an_extra_input_does_not_replace_it_either(bench: Bench, run):
    own = MLMODEL.replace(b"code: code", b"code: src")
    bench.put_model(a.gz(mlflow_model(own, own="src")))
    bench.put_extra("src/tables.json", "{}")
    assert "own code is in 'src'" in run().message


def test_only_the_description_at_the_root_counts(bench: Bench, run):
    nested = a.tar(a.file("code/old.py"), a.file("inner/MLmodel", MLMODEL), a.file("m"))
    bench.put_model(a.gz(nested))
    assert run().exit_code == 0


def test_new_scripts_for_a_package_of_such_a_model_keep_its_code_too(bench: Bench, run):
    """The first package was made by overlay: code/ at its front is ours, behind it the model's."""
    bench.put_model(a.gz(mlflow_model()))
    assert run("--existing-code", "overlay").exit_code == 0
    bench.use_package_as_model()
    assert "MLmodel says that its own code is in 'code'" in run().message
    assert run("--existing-code", "overlay").exit_code == 0
    assert "./code/features.py" in bench.names()
