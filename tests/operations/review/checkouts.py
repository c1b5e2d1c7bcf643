"""A small project in git, whose app copies an assembly: for reviews of what is checked out."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

APP = """
import os, pathlib, shutil, sys

chosen = __import__("json").loads(os.environ["CDK_CONTEXT_JSON"])["stage"]
here = pathlib.Path(__file__).parent
if (here / "broken").exists():
    sys.exit("SettingError: stages.dev.sizes: there is no such size")
shutil.copytree(here / "assembly", os.environ["CDK_OUTDIR"])
file = pathlib.Path(os.environ["CDK_OUTDIR"], "ModelPackaging.template.json")
words = f"stage {chosen}, environment {os.environ.get('OF_ITS_OWN', 'shared')}"
file.write_text(file.read_text().replace("DESCRIPTION", words))
"""
TEMPLATE = "assembly/ModelPackaging.template.json"


class Checkout:
    """A project in git, of one commit on the branch main."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("git") is None:  # an unpacked archive of the project needs none
            pytest.skip("git is not installed, which comparing revisions needs")
        self.folder = folder
        stages = {"stage": "dev", "stages": {"dev": {}, "prod": {}}}
        self.write("cdk.json", json.dumps({"app": "python3 app.py", "context": stages}))
        self.write("app.py", APP)
        self.write("requirements-dev.txt", "one==1\n")
        self.write("scripts/inference.py", "# committed\n")
        self.template(sizes=["small"])
        self.write("assembly/ModelPackaging.assets.json", json.dumps({"files": {}}))
        artifact = {
            "type": "aws:cloudformation:stack",
            "properties": {"templateFile": "ModelPackaging.template.json"},
        }
        manifest = {"version": "1.0.0", "artifacts": {"ModelPackaging": artifact}}
        self.write("assembly/manifest.json", json.dumps(manifest))
        self.git("init", "--quiet", "--initial-branch", "main")
        self.commit("first")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text)

    def template(self, sizes: list[str], *, retained: bool = True) -> None:
        """Let the app write another template.

        Args:
            sizes: What an output tells.
            retained: Whether the bucket stays when the stack goes.
        """
        policy = "Retain" if retained else "Delete"
        bucket = {"Type": "AWS::S3::Bucket", "DeletionPolicy": policy}
        template = {
            "Description": "DESCRIPTION",
            "Outputs": {"Sizes": {"Value": ", ".join(sizes)}},
            "Resources": {"Bucket": bucket | {"UpdateReplacePolicy": policy}},
        }
        self.write(TEMPLATE, json.dumps(template))

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", "-c", "user.name=A", "-c", "user.email=a@example.com", *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self, subject: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", subject)
        return self.git("rev-parse", "HEAD")
