"""Twelve changes as reviewers meet them: what each makes of an assembly of the real stack."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from operations.review.template.names import Token, pieces

Definition = dict[str, Any]
Resources = dict[str, Any]


@dataclass(frozen=True)
class Prepared:
    """A change.

    Attributes:
        make: Changes the assembly in a folder.
        stage: Whose assembly it is made in.
    """

    make: Callable[[Path], None]
    stage: Literal["dev", "prod"] = "dev"

    def write(self, assembly: Path, folder: Path) -> None:
        """Write the changed assembly.

        Args:
            assembly: The assembly of the stage, which stays as it is.
            folder: Where to write.
        """
        shutil.copytree(assembly, folder, dirs_exist_ok=True)
        self.make(folder)


def edited(change: Callable[[Resources], None]) -> Callable[[Path], None]:
    """Change resources of the template."""

    def make(assembly: Path) -> None:
        file = assembly / template_file(assembly)
        template = json.loads(file.read_text())
        change(template["Resources"])
        file.write_text(json.dumps(template, indent=1))

    return make


def template_file(assembly: Path) -> str:
    """Name of the file that the template is in."""
    [file] = assembly.glob("*.template.json")
    return file.name


def defined(change: Callable[[Definition], None]) -> Callable[[Path], None]:
    """Change the pipeline's definition."""

    def edit(resources: Resources) -> None:
        [pipeline] = of_type(resources, "AWS::SageMaker::Pipeline")
        body = pipeline["Properties"]["PipelineDefinition"]
        tokens: list[Token] = []
        text = ""
        for piece in pieces(body["PipelineDefinitionBody"]):
            if isinstance(piece, Token):
                text += f"\N{SYMBOL FOR NULL}{len(tokens)}\N{SYMBOL FOR NULL}"
                tokens.append(piece)
            else:
                text += piece
        definition = json.loads(text)
        change(definition)
        changed = json.dumps(definition, indent=2, ensure_ascii=False)
        parts = changed.split("\N{SYMBOL FOR NULL}")
        values = [
            _value(tokens[int(part)]) if number % 2 else part for number, part in enumerate(parts)
        ]
        body["PipelineDefinitionBody"] = {"Fn::Join": ["", values]}

    return edited(edit)


def _value(token: Token) -> dict[str, Any]:
    """A token as a template has it."""
    if token.function:
        return {f"Fn::{token.function}": json.loads(token.name)}
    if token.attribute:
        return {"Fn::GetAtt": [token.name, token.attribute]}
    return {"Ref": token.name}


def of_type(resources: Resources, kind: str) -> list[dict[str, Any]]:
    """The resources of a type."""
    return [resource for resource in resources.values() if resource["Type"] == kind]


def script(asset: str, file: str, old: str, new: str) -> Callable[[Path], None]:
    """Change a file of an asset, whose hash is another one then."""

    def make(assembly: Path) -> None:
        [listed] = assembly.glob("*.assets.json")
        files = json.loads(listed.read_text())["files"]
        [digest] = [one for one, told in files.items() if told["displayName"] == asset]
        changed = assembly / f"asset.{digest}" / file
        text = changed.read_text()
        assert old in text
        changed.write_text(text.replace(old, new, 1))
        another = hashlib.sha256(changed.read_bytes()).hexdigest()
        (assembly / f"asset.{digest}").rename(assembly / f"asset.{another}")
        replaced(digest, another)(assembly)

    return make


def replaced(old: str, new: str) -> Callable[[Path], None]:
    """Replace a text wherever the assembly has it, as it is synthesized from another name."""

    def make(assembly: Path) -> None:
        for file in assembly.glob("*.json"):
            file.write_text(file.read_text().replace(old, new))

    return make


def _step(definition: Definition) -> dict[str, Any]:
    step: dict[str, Any] = definition["Steps"][0]
    return step


def _instance_type(definition: Definition) -> None:
    _step(definition)["Arguments"]["ProcessingResources"]["ClusterConfig"]["InstanceType"] = (
        "ml.m5.4xlarge"
    )


def _cache_off(definition: Definition) -> None:
    _step(definition)["CacheConfig"]["Enabled"] = False


def _network_isolation_off(definition: Definition) -> None:
    _step(definition)["Arguments"]["NetworkConfig"]["EnableNetworkIsolation"] = False


def _parameter(definition: Definition) -> None:
    definition["Parameters"].append({"Name": "Reviewer", "Type": "String"})
    _step(definition)["Arguments"]["Environment"]["REVIEWER"] = {"Get": "Parameters.Reviewer"}


def _another_step(definition: Definition) -> None:
    step = json.loads(json.dumps(_step(definition)).replace("PackagingStep", "CheckingStep"))
    step["DependsOn"] = ["PackagingStep"]
    definition["Steps"].append(step)


def _step_added(assembly: Path) -> None:
    defined(_another_step)(assembly)

    def grant(resources: Resources) -> None:
        [statements] = [
            policy["Properties"]["PolicyDocument"]["Statement"]
            for policy in of_type(resources, "AWS::IAM::Policy")
            if "sagemaker:CreateProcessingJob" in json.dumps(policy)
        ]
        jobs = statements[0]["Resource"]
        jobs += json.loads(
            json.dumps(jobs)
            .replace("PackagingStep", "CheckingStep")
            .replace("packagingstep", "checkingstep")
        )

    edited(grant)(assembly)


def _reading_of_models(resources: Resources) -> tuple[list[Any], dict[str, Any]]:
    """The statements of the job's role, and the one that lets it read models."""
    [policy] = [
        policy["Properties"]["PolicyDocument"]["Statement"]
        for policy in of_type(resources, "AWS::IAM::Policy")
        if "/models/*" in json.dumps(policy)
    ]
    [reading] = [
        one
        for one in policy
        if one["Action"] == "s3:GetObject" and "/models/*" in json.dumps(one["Resource"])
    ]
    return policy, reading


def _permission(resources: Resources) -> None:
    statements, reading = _reading_of_models(resources)
    statements.append({**reading, "Action": "s3:DeleteObject"})


def _narrowed(resources: Resources) -> None:
    _, reading = _reading_of_models(resources)
    reading["Resource"] = json.loads(
        json.dumps(reading["Resource"]).replace("/models/*", "/models/churn/*")
    )


def _bucket_renamed(assembly: Path) -> None:
    """The construct ``Artifacts`` is called ``Models`` now."""
    replaced("ArtifactsBucket", "ModelsBucket")(assembly)
    replaced("ModelPackaging/Artifacts/", "ModelPackaging/Models/")(assembly)


def _alarm(resources: Resources) -> None:
    [alarm] = [
        one
        for one in of_type(resources, "AWS::CloudWatch::Alarm")
        if one["Properties"].get("MetricName") == "ApproximateNumberOfMessagesVisible"
    ]
    alarm["Properties"]["Threshold"] = 10


PREPARED = {
    "instance-type": Prepared(defined(_instance_type)),
    "new-parameter": Prepared(defined(_parameter)),
    "new-permission": Prepared(edited(_permission)),
    "permission-narrowed": Prepared(edited(_narrowed)),
    "bucket-renamed": Prepared(_bucket_renamed),
    "cache-off": Prepared(defined(_cache_off)),
    "packaging-script": Prepared(
        script("Packaging/PackagingScript", "mims_package.py", "\n\n", "\n\n# Edited.\n")
    ),
    "inference-script": Prepared(
        script("Packaging/InferenceScripts", "inference.py", "\n\n", "\n\n# Edited.\n")
    ),
    "trigger-prefix": Prepared(replaced("models/", "incoming/")),
    "alarm-threshold": Prepared(edited(_alarm), stage="prod"),
    "step-added": Prepared(_step_added),
    "network-isolation-off": Prepared(defined(_network_isolation_off)),
}
