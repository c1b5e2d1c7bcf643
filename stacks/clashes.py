"""Settings of a stage that are valid one by one, and can't work together."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from model_packaging.step import PackageStepConfig
from model_packaging.step.settings.durations import most_days
from stacks.key_filters import suffix_problem

if TYPE_CHECKING:
    from stacks.stage import StageSettings


def clashes(settings: "StageSettings") -> Iterator[str]:
    """What settings have against each other.

    Args:
        settings: The stage's settings.

    Yields:
        The setting to change, why it can't work, and what to write.
    """
    yield from _suffix(settings)
    yield from _cache(settings)
    yield from _region(settings)
    yield from _training(settings)


def _suffix(settings: "StageSettings") -> Iterator[str]:
    # A packager of the stage's own may read what the library's does not.
    own_packager = "processing_source_dir" in settings.packaging
    if not own_packager and (problem := suffix_problem(settings.trigger.suffix)):
        yield f"trigger.suffix: {problem}"


def _cache(settings: "StageSettings") -> Iterator[str]:
    # "Caching pipeline steps": a hit gives the earlier output's place, not its content.
    caching, expiry = "enable_caching_package_step", "cache_expires_after"
    fields, kept = PackageStepConfig.model_fields, settings.bucket.delete_packages_after_days
    known = settings.packaging.get(expiry, fields[expiry].default)
    if kept is None or not settings.packaging.get(caching, fields[caching].default):
        return
    try:
        days = most_days(known)
    except (TypeError, ValueError):
        return  # is reported as what it is
    if kept < days:
        yield (
            f"bucket.delete_packages_after_days: {kept} is given, and packaging.{expiry} is "
            f"{known!r}: SageMaker's cache would give packages that are deleted; write "
            f"{math.ceil(days)} or more, or a packaging.{expiry} of 'P{kept}D' or less"
        )


def _region(settings: "StageSettings") -> Iterator[str]:
    # S3, the bootstrap bucket and CloudWatch take keys and topics of their own region.
    given = {
        "customer_key": settings.customer_key if isinstance(settings.customer_key, str) else None,
        "bootstrap_key": settings.bootstrap_key,
        "alarms.topic_arn": settings.alarms.topic_arn if settings.alarms else None,
    }
    for setting, arn in given.items():
        region = arn.split(":")[3] if arn else None
        if settings.region and region not in (None, settings.region):
            yield (
                f"{setting}: {arn!r} is in {region}, and region is {settings.region!r}; name one "
                "of the stage's own region"
            )


def _training(settings: "StageSettings") -> Iterator[str]:
    # "OutputDataConfig" of the SageMaker API: a job that names no key asks for the account's.
    trigger = settings.trigger
    if (
        trigger.kind == "upload-or-training-job"
        and settings.customer_key is False
        and settings.bucket.deny_other_encryption
        and trigger.training_prefix.startswith(trigger.prefix)
    ):
        yield (
            f"trigger.training_prefix: {trigger.training_prefix!r} lies below prefix "
            f"{trigger.prefix!r}, where uploads with another encryption than S3's own are "
            "denied, and a training job that names no key asks for one; write two folders, or "
            "a bucket.deny_other_encryption of false"
        )
