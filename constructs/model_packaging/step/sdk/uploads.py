"""Local sources, uploaded by the SDK's own uploader to the session's default bucket.

A folder goes as one zip, which the packager and Python take as it is: the SDK takes one file as
the code of a job, and of a folder it would leave behind in S3 what has gone from here. Keys have
the digest of the content, so that a changed script is another URI, and SageMaker's cache misses.
"""

import hashlib
import io
import stat
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from model_packaging.step import contract
from model_packaging.step.s3_location import S3Location
from model_packaging.step.sdk.offline import offline

if TYPE_CHECKING:
    from sagemaker.core.workflow.pipeline_context import PipelineSession

# The same files shall give the same zip. Not 1980-01-01, which is in 1979 west of Greenwich.
_DATE: Final = (1980, 1, 2, 0, 0, 0)


def upload(
    source: Path, name: str, *, session: "PipelineSession", below: str, kms_key: str | None
) -> str:
    """Upload one file, or a folder as one zip.

    Args:
        source: The file or the folder.
        name: What it is, such as ``code``.
        session: A session with credentials. Its default bucket is made if it is not there.
        below: Beginning of the key.
        kms_key: Key that the object is encrypted with. Default: the bucket's own.

    Returns:
        S3 URI of the object.

    Raises:
        ValueError: There is no such file or folder.
    """
    with offline():  # for the import alone: what follows needs the user's credentials
        from sagemaker.core.s3 import S3Uploader
    if not source.exists():
        raise ValueError(f"{str(source)!r} does not exist; name a file or folder here, or in S3")
    content = zipped(source) if source.is_dir() else source.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    parts = [session.default_bucket_prefix, below, name]
    with tempfile.TemporaryDirectory() as folder:
        # Of a file its name stays, since the definition has it; a zip has none.
        key = "/".join(part for part in parts if part)
        local = Path(folder) / f"{digest}.zip"
        if not source.is_dir():
            key, local = f"{key}/{digest}", Path(folder) / source.name
        local.write_bytes(content)
        uri: str = S3Uploader.upload(
            local_path=str(local),
            desired_s3_uri=S3Location(session.default_bucket(), key).uri,
            kms_key=kms_key,
            sagemaker_session=session,
        )
    return uri


def zipped(folder: Path) -> bytes:
    """A folder's files as a zip that depends on their names, contents and execute bits alone."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            name = file.relative_to(folder).as_posix()
            # .packageignore ships, since the packager reads it to leave out more.
            left_out = contract.left_out_by(name) not in (None, ".packageignore")
            if left_out or not file.is_file():
                continue
            entry = zipfile.ZipInfo(name, _DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            mode = 0o755 if file.stat().st_mode & 0o100 else 0o644
            entry.external_attr = (stat.S_IFREG | mode) << 16
            archive.writestr(entry, file.read_bytes())
    return target.getvalue()
