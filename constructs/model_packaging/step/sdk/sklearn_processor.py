"""``SKLearnProcessor``, which SDK v2 had and v3 does not.

Importing this module imports the SageMaker SDK: do it inside ``offline()``.
"""

from typing import Any

from sagemaker.core.processing import ScriptProcessor

from model_packaging.step.sdk.sklearn_image import image_uri as sklearn_image_uri


class SKLearnProcessor(ScriptProcessor):  # type: ignore[misc]  # the SDK has no types
    """Runs a Python script in SageMaker's scikit-learn container, as its v2 namesake did.

    Args:
        framework_version: Version of the container, such as ``1.2-1``.
        region: Region whose registry the container is pulled from. Default: the session's.
        image_uri: The container itself, where its region is known at deployment only.
        **processor: Arguments of ``ScriptProcessor``.

    Raises:
        ValueError: The framework version or the region has no container.
    """

    def __init__(
        self,
        framework_version: str,
        *,
        region: str | None = None,
        image_uri: str | None = None,
        **processor: Any,
    ) -> None:
        if image_uri is None:
            region = region or processor["sagemaker_session"].boto_region_name
            image_uri = sklearn_image_uri(framework_version, region)
        super().__init__(image_uri=image_uri, command=["python3"], **processor)
