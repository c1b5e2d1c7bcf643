"""Where the packaging step's model comes from, as the definition expresses it."""

import re
from dataclasses import dataclass, field
from typing import Any

from model_packaging.step import contract
from model_packaging.step.sdk.offline import offline
from model_packaging.step.settings.names import extra_input_name

# API reference of StartPipelineExecution: Parameter.
_PARAMETER_NAME = re.compile(r"[A-Za-z0-9](-*[A-Za-z0-9])*")


@dataclass(frozen=True)
class ModelSource:
    """One model source and all that the definition says about it.

    Attributes:
        uri: S3 URI of the model: a string, or an SDK expression of pipeline parameters or of an
            upstream step's properties.
        parameters: SDK pipeline parameters that ``uri`` and ``environment`` use.
        environment: Environment variables of the job, whose values may be SDK expressions.
        steps: SDK steps of the same pipeline that make the model.
        extra_inputs: What these steps make that ships beside the model, by the folder of the
            package that it lands in: S3 URIs, as SDK expressions.

    Raises:
        ValueError: An extra input has a name that can't be a folder of the package.
    """

    uri: Any
    parameters: tuple[Any, ...] = ()
    environment: dict[str, Any] = field(default_factory=dict)
    steps: tuple[Any, ...] = ()
    extra_inputs: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.extra_inputs:
            extra_input_name(name)


@dataclass(frozen=True)
class UploadParameters:
    """Names of the pipeline parameters that tell which object was uploaded.

    Attributes:
        bucket: Parameter with the bucket's name.
        key: Parameter with the object's key.
        etag: Parameter with the object's ETag.

    Raises:
        ValueError: SageMaker would not accept a name, or two are the same.
    """

    bucket: str = "ModelBucket"
    key: str = "ModelKey"
    etag: str = "ModelETag"

    def __post_init__(self) -> None:
        _check_names(self.bucket, self.key, self.etag)

    def upload_values(self, *, bucket: str, location: str, key: str, etag: str) -> dict[str, str]:
        """What fills the parameters for an upload.

        Args:
            bucket: What gives the bucket's name.
            location: What gives ``s3://<bucket>/``; not needed by these parameters.
            key: What gives the object's key.
            etag: What gives its ETag.
        """
        return {self.bucket: bucket, self.key: key, self.etag: etag}

    @offline()
    def model_source(self) -> ModelSource:
        """The uploaded object as a model source.

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
        return ModelSource(
            uri=Join(on="/", values=["s3:/", bucket, key]),
            parameters=(bucket, key, etag),
            environment={contract.MODEL_ETAG_VARIABLE: etag},
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

    Raises:
        ValueError: SageMaker would not accept a name, or two are the same.
    """

    location: str = "ModelLocation"
    key: str = "ModelKey"
    etag: str = "ModelETag"

    def __post_init__(self) -> None:
        _check_names(self.location, self.key, self.etag)

    def upload_values(self, *, bucket: str, location: str, key: str, etag: str) -> dict[str, str]:
        """What fills the parameters for an upload: as :meth:`UploadParameters.upload_values`."""
        return {self.location: location, self.key: key, self.etag: etag}

    def uri_values(self, uri: str) -> dict[str, str]:
        """What fills the parameters, from what gives the whole URI: the others stay empty."""
        return {self.location: uri}

    @offline()
    def model_source(self) -> ModelSource:
        """The object as a model source."""
        from sagemaker.core.workflow.functions import Join
        from sagemaker.core.workflow.parameters import ParameterString

        location = ParameterString(name=self.location)
        key = ParameterString(name=self.key, default_value="")
        etag = ParameterString(name=self.etag, default_value="")
        return ModelSource(
            uri=Join(on="", values=[location, key]),
            parameters=(location, key, etag),
            environment={contract.MODEL_ETAG_VARIABLE: etag},
        )


def _check_names(*names: str) -> None:
    for name in names:
        if not _PARAMETER_NAME.fullmatch(name):
            raise ValueError(
                f"the pipeline parameter {name!r} is not a name that SageMaker accepts; write "
                "letters, digits and inner hyphens"
            )
    if len(set(names)) < len(names):
        raise ValueError(f"the pipeline parameters {names} need different names")
