"""Where the packaging step's model comes from, as the definition expresses it."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from model_packaging.step import contract
from model_packaging.step.sdk.offline import offline

# API reference of StartPipelineExecution: Parameter.
_PARAMETER_NAME = re.compile(r"[A-Za-z0-9](-*[A-Za-z0-9])*")


class StaleModelWarning(UserWarning):
    """A model that is uploaded again under the same key would not be packaged."""


@dataclass(frozen=True)
class ModelSource:
    """One model source and all that the definition says about it.

    Attributes:
        uri: S3 URI of the model: a string, or an SDK expression of pipeline parameters or of an
            upstream step's properties.
        parameters: SDK pipeline parameters that ``uri`` and ``environment`` use.
        environment: Environment variables of the job, whose values may be SDK expressions.
        steps: SDK steps of the same pipeline that make the model.
    """

    uri: Any
    parameters: tuple[Any, ...] = ()
    environment: dict[str, Any] = field(default_factory=dict)
    steps: tuple[Any, ...] = ()

    @classmethod
    def uploaded(
        cls, uri: Any, *, etag: Any, etag_is_md5: bool = False, size: Any = None
    ) -> "ModelSource":
        """An object of S3, with what makes it another one when another is uploaded in its place.

        Args:
            uri: Its S3 URI.
            etag: Its ETag, as S3 tells it (``head_object``), with or without quotes.
            etag_is_md5: Whether the ETag is sure to be an MD5, or made of those of the upload's
                parts. So it is where no object can have another encryption than SSE-S3; nothing in
                an ETag tells. The script then refuses another content.
            size: Its size in bytes: the script refuses another one. Default: not compared.

        Each value may be an SDK expression, such as a pipeline parameter, which belongs to
        ``parameters`` then.

        Raises:
            ValueError: The ETag is empty.
        """
        if isinstance(etag, str):
            etag = etag.strip('"')
            if not etag:
                raise ValueError(
                    "etag is empty; give the object's ETag, as head_object of S3 tells it"
                )
        known = str(size) if isinstance(size, int) else size
        return cls(uri=uri, environment=_announced(etag, known, etag_is_md5=etag_is_md5))


def may_be_stale(uri: Any) -> bool:
    """Whether another model may lie at a source's URI the next time.

    What a step of the pipeline makes has a URI of its own each time.
    """
    expression = getattr(uri, "expr", None)
    return expression is None or '"Get": "Steps.' not in json.dumps(expression)


def _announced(etag: Any, size: Any = None, *, etag_is_md5: bool) -> dict[str, Any]:
    """The variables that tell the script which object was announced.

    None of them may be an execution's own, such as its id: they are part of the step's cache key,
    and every execution would package anew.
    """
    told = {contract.MODEL_ETAG_VARIABLE: etag}
    if etag_is_md5:
        told[contract.MODEL_ETAG_IS_MD5_VARIABLE] = "true"
    if size is not None:
        told[contract.MODEL_SIZE_VARIABLE] = size
    return told


@dataclass(frozen=True)
class UploadParameters:
    """Names of the pipeline parameters that tell which object was uploaded.

    Attributes:
        bucket: Parameter with the bucket's name.
        key: Parameter with the object's key.
        etag: Parameter with the object's ETag.
        size: Parameter with the object's size in bytes, which the script then compares. No document
            of AWS says that a number of an event fills a parameter, which is a text, so there is
            none unless you name it. Default: none.

    Raises:
        ValueError: SageMaker would not accept a name, or two are the same.
    """

    bucket: str = "ModelBucket"
    key: str = "ModelKey"
    etag: str = "ModelETag"
    size: str | None = None

    def __post_init__(self) -> None:
        _check_names(self.bucket, self.key, self.etag, *_chosen(self.size))

    def upload_values(
        self, *, bucket: str, location: str, key: str, etag: str, size: str
    ) -> dict[str, str]:
        """What fills the parameters for an upload.

        Args:
            bucket: What gives the bucket's name.
            location: What gives ``s3://<bucket>/``; not needed by these parameters.
            key: What gives the object's key.
            etag: What gives its ETag.
            size: What gives its size.
        """
        values = {self.bucket: bucket, self.key: key, self.etag: etag}
        return values | ({self.size: size} if self.size else {})

    @offline()
    def model_source(self, *, etag_is_md5: bool = False) -> ModelSource:
        """The uploaded object as a model source.

        Args:
            etag_is_md5: Whether the ETag is sure to be an MD5: see :meth:`ModelSource.uploaded`.

        A rule can pass whole values of an event only, so bucket and key travel apart and are
        joined here. SageMaker's cache compares URIs, not contents ("Caching pipeline steps"): a
        model uploaded anew under the same key would give the old package, were its ETag not
        part of the step.
        """
        from sagemaker.core.workflow.functions import Join
        from sagemaker.core.workflow.parameters import ParameterString

        bucket, key, etag = (
            ParameterString(name=name) for name in (self.bucket, self.key, self.etag)
        )
        size = [ParameterString(name=name) for name in _chosen(self.size)]
        return ModelSource(
            uri=Join(on="/", values=["s3:/", bucket, key]),
            parameters=(bucket, key, etag, *size),
            environment=_announced(etag, *size, etag_is_md5=etag_is_md5),
        )


@dataclass(frozen=True)
class ModelUriParameter:
    """Name of the pipeline parameter that tells the model's whole S3 URI.

    Attributes:
        uri: Parameter with the URI.

    Raises:
        ValueError: SageMaker would not accept the name.
    """

    uri: str = "ModelUri"

    def __post_init__(self) -> None:
        _check_names(self.uri)

    def uri_values(self, uri: str) -> dict[str, str]:
        """What fills the parameter, from what gives the whole URI."""
        return {self.uri: uri}

    @offline()
    def model_source(self) -> ModelSource:
        """The object with the URI as a model source."""
        from sagemaker.core.workflow.parameters import ParameterString

        uri = ParameterString(name=self.uri)
        return ModelSource(uri=uri, parameters=(uri,))


@dataclass(frozen=True)
class UploadOrUriParameters:
    """Names of the pipeline parameters that tell an uploaded object or a whole S3 URI.

    Attributes:
        location: Parameter with ``s3://<bucket>/`` for an upload, else with the whole URI.
        key: Parameter with the upload's key. Default of the parameter: empty.
        etag: Parameter with the upload's ETag. Default of the parameter: empty.
        size: Parameter with the upload's size: as of :class:`UploadParameters`. Default of the
            parameter: empty. Default: none.

    Raises:
        ValueError: SageMaker would not accept a name, or two are the same.
    """

    location: str = "ModelLocation"
    key: str = "ModelKey"
    etag: str = "ModelETag"
    size: str | None = None

    def __post_init__(self) -> None:
        _check_names(self.location, self.key, self.etag, *_chosen(self.size))

    def upload_values(
        self, *, bucket: str, location: str, key: str, etag: str, size: str
    ) -> dict[str, str]:
        """What fills the parameters for an upload: as :meth:`UploadParameters.upload_values`."""
        values = {self.location: location, self.key: key, self.etag: etag}
        return values | ({self.size: size} if self.size else {})

    def uri_values(self, uri: str) -> dict[str, str]:
        """What fills the parameters, from what gives the whole URI: the others stay empty."""
        return {self.location: uri}

    @offline()
    def model_source(self, *, etag_is_md5: bool = False) -> ModelSource:
        """The object as a model source: as :meth:`UploadParameters.model_source`."""
        from sagemaker.core.workflow.functions import Join
        from sagemaker.core.workflow.parameters import ParameterString

        location = ParameterString(name=self.location)
        key = ParameterString(name=self.key, default_value="")
        etag = ParameterString(name=self.etag, default_value="")
        size = [ParameterString(name=name, default_value="") for name in _chosen(self.size)]
        return ModelSource(
            uri=Join(on="", values=[location, key]),
            parameters=(location, key, etag, *size),
            environment=_announced(etag, *size, etag_is_md5=etag_is_md5),
        )


def _chosen(name: str | None) -> tuple[str, ...]:
    return (name,) if name else ()


def _check_names(*names: str) -> None:
    for name in names:
        if not _PARAMETER_NAME.fullmatch(name):
            raise ValueError(
                f"the pipeline parameter {name!r} is not a name that SageMaker accepts; write "
                "letters, digits and inner hyphens"
            )
    if len(set(names)) < len(names):
        raise ValueError(f"the pipeline parameters {names} need different names")
