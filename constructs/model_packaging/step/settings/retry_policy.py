"""What SageMaker tries again when it can't start or run the step's job."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from model_packaging.step.settings.strict import StrictInteger, StrictNumber

Fault = Literal[
    "Step.SERVICE_FAULT",
    "Step.THROTTLING",
    "SageMaker.JOB_INTERNAL_ERROR",
    "SageMaker.CAPACITY_ERROR",
    "SageMaker.RESOURCE_LIMIT",
]


class RetryPolicy(BaseModel):
    """One rule of "Retry Policy for Pipeline Steps" in the SageMaker Developer Guide.

    The first retry waits ``interval_seconds``, each further one ``backoff_rate`` times as long,
    until ``max_attempts`` were made or ``expire_after_mins`` have passed: exactly one of the two.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    exceptions: Annotated[tuple[Fault, ...], Field(min_length=1)] = Field(
        description="What is tried again: `Step.…` faults of the step, or `SageMaker.…` faults of "
        "its job. One policy has one of the two kinds."
    )
    interval_seconds: StrictInteger = Field(
        default=1, ge=1, le=43_200, description="Pause before the first retry."
    )
    backoff_rate: StrictNumber = Field(
        default=2.0,
        ge=1.0,
        allow_inf_nan=False,
        description="How many times longer each further pause is.",
    )
    max_attempts: StrictInteger | None = Field(
        default=None, ge=1, le=20, description="Most retries."
    )
    expire_after_mins: StrictInteger | None = Field(
        default=None, ge=1, le=14400, description="Minutes after which no retry begins."
    )

    @model_validator(mode="after")
    def _ends(self) -> "RetryPolicy":
        if (self.max_attempts is None) == (self.expire_after_mins is None):
            raise ValueError(
                f"max_attempts {self.max_attempts} and expire_after_mins "
                f"{self.expire_after_mins} are given; write exactly one of the two"
            )
        if len({fault.partition(".")[0] for fault in self.exceptions}) > 1:
            raise ValueError(
                f"{list(self.exceptions)} are faults of the step and of its job; write a policy "
                "for each kind"
            )
        return self

    @property
    def of_the_job(self) -> bool:
        """Whether the faults are the job's; else they are the step's."""
        return self.exceptions[0].startswith("SageMaker.")


DEFAULT_RETRY_POLICIES: Final = (
    # Creating the job failed: pauses of 5 seconds to 80, together two and a half minutes.
    RetryPolicy(
        exceptions=("Step.SERVICE_FAULT", "Step.THROTTLING"), interval_seconds=5, max_attempts=5
    ),
    # No instance to be had, or a fault of the service: pauses of a minute to half an hour, together
    # about an hour.
    RetryPolicy(
        exceptions=("SageMaker.JOB_INTERNAL_ERROR", "SageMaker.CAPACITY_ERROR"),
        interval_seconds=60,
        max_attempts=6,
    ),
    # More jobs than the account may run at once: a new account may run a few. A burst of models
    # waits its turn for up to a day, and the pauses don't grow: an instance that becomes free is
    # taken within five minutes.
    RetryPolicy(
        exceptions=("SageMaker.RESOURCE_LIMIT",),
        interval_seconds=300,
        backoff_rate=1.0,
        expire_after_mins=24 * 60,
    ),
)
