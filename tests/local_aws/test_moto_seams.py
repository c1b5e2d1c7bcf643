"""What is to be replaced in moto must be there."""

from types import ModuleType
from typing import Any

import pytest

from local_aws.moto_seams import OwnBackend, SeamError, replace, use_backend, use_responses


class Base:
    @classmethod
    def dispatch(cls) -> str:
        return cls.__name__


class Own(OwnBackend, Base): ...


class Backends(dict[str, Any]):
    service_name = "s3"
    backend: type[Base] = Base


def module(**names: Any) -> ModuleType:
    made = ModuleType("moto.s3.models")
    vars(made).update(names)
    return made


def test_backends_are_made_from_the_subclass() -> None:
    backends = Backends()
    use_backend(backends, Own)
    assert backends.backend is Own


def test_a_dictionary_that_has_made_a_backend_comes_too_late() -> None:
    with pytest.raises(SeamError, match="has made a backend of s3 already"):
        use_backend(Backends(account="made"), Own)


def test_a_backend_has_the_table_of_urls_that_its_responses_stand_in() -> None:
    class Bare(Base): ...

    with pytest.raises(SeamError, match=r"Bare is to stand for .*OwnBackend"):
        use_backend(Backends(), Bare)


def test_every_url_is_answered_by_the_subclass() -> None:
    urls = module(url_paths={"{0}/$": Base.dispatch, "{0}/other$": Base.dispatch})
    use_responses(urls, Own)
    assert [handler() for handler in urls.url_paths.values()] == ["Own", "Own"]


def test_a_name_is_replaced_by_a_subclass_or_a_function() -> None:
    models = module(FakeBucket=Base, send=len)
    replace(models, "FakeBucket", Own)
    replace(models, "send", max)
    assert (models.FakeBucket, models.send) == (Own, max)


def test_a_name_that_moto_no_longer_has_is_an_error() -> None:
    with pytest.raises(SeamError, match=r"moto\.s3\.models has no FakeBucket"):
        replace(module(), "FakeBucket", Own)


def test_what_does_not_inherit_from_motos_cannot_stand_for_it() -> None:
    class Other: ...

    with pytest.raises(SeamError, match=r"Own is to stand for .*Other"):
        replace(module(FakeBucket=Other), "FakeBucket", Own)
    with pytest.raises(SeamError, match=r"Own is to stand for .*Other"):
        use_responses(module(url_paths={"{0}/$": Other.__init_subclass__}), Own)
    backends = Backends()
    backends.backend = None
    with pytest.raises(SeamError, match="Own is to stand for None"):
        use_backend(backends, Own)
