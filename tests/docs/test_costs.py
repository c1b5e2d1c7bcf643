"""What the page on costs says of the job is what a stage does."""

import json
import re

from stacks.stage import Sizes, StageSettings
from tests.docs.pages import DOCS
from tests.docs.test_changed_settings import LEAST

TEXT = (DOCS / "costs.md").read_text()


def test_the_default_that_the_page_names_is_a_stages() -> None:
    [(instance_type, size)] = re.findall(r"The default, `(.+)` and (\d+) GB", TEXT)
    assert (instance_type, int(size)) == (Sizes().instance_type, Sizes().volume_size)


def test_the_smaller_job_is_one_that_a_stage_takes() -> None:
    [sample] = re.findall(r'^`("sizes": \{.*\})`$', TEXT, re.MULTILINE)
    stage = StageSettings(**LEAST, **json.loads(f"{{{sample}}}"))
    assert stage.problems() == []
    assert stage.sizes.volume_size < Sizes().volume_size
