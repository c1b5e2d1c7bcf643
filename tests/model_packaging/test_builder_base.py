import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from model_packaging import StepBuilderBase

sanitize = StepBuilderBase._sanitize_name_for_sagemaker

# API reference of CreateProcessingJob: ProcessingJobName.
AWS_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


@given(st.text(st.characters(codec=None)), st.integers(1, 63))
@example("", 63)
@example("---", 63)
@example("modèle à café", 63)
@example("模型", 8)
@example("\ud800", 63)
@example("a" * 62 + "-b", 63)
def test_any_name_becomes_one_that_aws_accepts(name: str, max_length: int) -> None:
    sanitized = sanitize(name, max_length)
    assert AWS_NAME.fullmatch(sanitized)
    assert len(sanitized) <= max_length
    assert sanitize(sanitized, max_length) == sanitized


def test_a_valid_name_stays_as_it_is() -> None:
    assert sanitize("churn-model-2") == "churn-model-2"


def test_names_without_a_usable_character_differ() -> None:
    assert sanitize("模型") != sanitize("模")


def test_a_length_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="max_length is 0"):
        sanitize("x", 0)
