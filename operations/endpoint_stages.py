"""The demo's last stages: the package on an endpoint, asked beside its model."""

import tarfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_packaging.step.s3_location import S3Location
from operations.hosted_model import HostedModel, HostingError, RefusedError
from operations.hosting_role import hosting_role
from operations.served_answers import NotAskedError, compare_both, compare_with, remedy
from operations.stages import ExplainedError, Stages

PACKAGED, ORIGINAL = "packaged-model", "original-model"

_ROLE = "demo-hosting"
_SECONDS_TO_LOAD = 120


@dataclass(frozen=True)
class Original:
    """What the package was made from, and what is known of it.

    Attributes:
        folder: The model's files, and the scripts in ``code/``: what hosting would have been given
            without this product.
        own_modules: Modules that the model had in a ``code/`` of its own.
        rows: Rows that it was asked where it was trained; empty if nobody knows any.
        answers: What it answered.
    """

    folder: Path
    own_modules: Collection[str] = ()
    rows: Sequence[Sequence[float]] = ()
    answers: Sequence[object] = ()


class EndpointStages:
    """Hosts a package and asks it.

    Args:
        client: Makes a boto3 client of a service, such as ``boto3.client``.
        stages: Shows the stages.
        log: File that gets what the container printed, when it fails.
    """

    def __init__(self, client: Callable[[str], Any], stages: Stages, log: Path) -> None:
        self._client = client
        self._stages = stages
        self._log = log

    def run(
        self, package: str, image: str, entry_point: str, original: Original, request: Path | None
    ) -> str:
        """Compare the answers of a package with those of its model.

        A model whose answers nobody knows is hosted too, and asked the same.

        Args:
            package: Its S3 URI.
            image: The container's image.
            entry_point: Script below ``code/``.
            original: What it was made from.
            request: File with a request. Default: the rows that the model was asked, or else one
                that is made up.

        Returns:
            What was equal, or why nothing was compared.

        Raises:
            StageError: The package can't be served, or answers otherwise.
        """
        is_known = bool(original.answers) and request is None
        served, beside = (HostedModel(self._client, name) for name in (PACKAGED, ORIGINAL))
        with ExitStack() as undo:
            with (
                self._stages.run("Create the endpoint") as stage,
                self._explained(served, original),
            ):
                packages = {served: package}
                if not is_known:
                    packages[beside] = self._upload(original.folder)
                role = undo.enter_context(hosting_role(self._client, _ROLE, *packages.values()))
                for model, uri in packages.items():
                    undo.callback(model.delete)
                    model.create(uri, role=role, image=image, entry_point=entry_point)
                for model in packages:
                    model.wait(stage.tell, _SECONDS_TO_LOAD)
                stage.show(f"{' and '.join(model.name for model in packages)} in service")
            with self._stages.run("Ask the endpoint") as stage, self._explained(served, original):
                try:
                    if is_known:
                        told = compare_with(original.answers, served, original.rows)
                    else:
                        told = compare_both(served, beside, request)
                    stage.show(told)
                except NotAskedError as fault:
                    told = f"not compared: {fault}"
                    stage.skip(told)
        return told

    @contextmanager
    def _explained(self, served: HostedModel, original: Original) -> Iterator[None]:
        """Say of a fault of the server's what to do about it, and keep its log."""
        try:
            yield
        except (HostingError, RefusedError) as fault:
            self._log.write_text("\n".join(served.log()))
            reason = f"{fault}{remedy(str(fault), original.own_modules)}"
            raise ExplainedError(
                f"the packaged model {fault.lacks}: {reason}", self._log
            ) from fault

    def _upload(self, folder: Path) -> str:
        """Put what hosting would have been given without this product where hosting can read it."""
        archive = folder.with_name("original.tar.gz")
        with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
            for path in sorted(folder.iterdir()):
                tar.add(path, arcname=path.name)
        s3, bucket = self._client("s3"), "without-packaging"
        s3.create_bucket(Bucket=bucket)
        s3.upload_file(str(archive), bucket, archive.name)
        return S3Location(bucket, archive.name).uri
