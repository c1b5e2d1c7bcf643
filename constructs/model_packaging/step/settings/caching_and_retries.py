"""Repeating and not repeating: the step cache and the retries."""

from pydantic import Field

from model_packaging.step.settings.durations import Iso8601Duration
from model_packaging.step.settings.retry_policy import DEFAULT_RETRY_POLICIES, RetryPolicy
from model_packaging.step.settings.settings_group import SettingsGroup
from model_packaging.step.settings.strict import StrictTruth


class CachingAndRetrySettings(SettingsGroup):
    """Repeating and not repeating: the step cache and the retries."""

    enable_caching_package_step: StrictTruth = Field(
        default=True,
        description="Whether SageMaker may reuse the result of an equal earlier execution.",
    )
    cache_expires_after: Iso8601Duration = Field(
        default="P30D", description="How old a reused result may be. An ISO 8601 duration."
    )
    retry_policies: tuple[RetryPolicy, ...] = Field(
        default=DEFAULT_RETRY_POLICIES,
        description="What SageMaker tries again, and when. Default: service faults, throttling "
        "and lack of capacity, with growing pauses; a reached quota, every five minutes for a day.",
    )
