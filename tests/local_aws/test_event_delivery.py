import pytest

from local_aws.event_delivery import resolve

EVENT = {"source": "aws.s3", "detail": {"object": {"key": "models/a b.tar.gz", "size": 5}}}


def test_a_whole_path_gives_what_it_leads_to() -> None:
    assert resolve("$.detail.object.key", EVENT) == "models/a b.tar.gz"
    assert resolve("$.detail.object.size", EVENT) == "5"


def test_anything_else_is_a_constant() -> None:
    assert resolve("s3://$.detail.object.key", EVENT) == "s3://$.detail.object.key"


def test_a_path_that_leads_nowhere_is_named() -> None:
    with pytest.raises(ValueError, match=r"nothing at \$.detail.object.etag"):
        resolve("$.detail.object.etag", EVENT)
