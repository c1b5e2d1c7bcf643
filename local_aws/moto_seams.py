"""Where moto can be told to use something else than its own, and how.

moto makes its backends from a class that its dictionary of backends names, and finds the class that
answers requests in a table of URLs: subclasses of both can stand there. Anything else is looked up
by its name in one of moto's modules, and is replaced under that name. All of that must be done
before the first request, and fails if this version of moto has no such place.
"""

from importlib import import_module
from types import ModuleType
from typing import Any


class SeamError(Exception):
    """This version of moto has not what is to be replaced, or has used it already."""


class OwnBackend:
    """To be inherited from before one of moto's backends."""

    @property
    def _url_module(self) -> ModuleType:
        """The service's table of URLs, which moto looks for beside the module of the class.

        That of S3, moto loads anew each time, so that what has been put into it is lost.
        """
        [models] = (
            name
            for name in (ancestor.__module__ for ancestor in type(self).__mro__)
            if name.startswith("moto.") and name.endswith(".models")
        )
        return import_module(f"{models.removesuffix('models')}urls")


def use_backend(backends: Any, backend: type[Any]) -> None:
    """Let moto make a service's backends from a subclass of its own.

    Args:
        backends: moto's dictionary of them, such as ``s3_backends``.
        backend: The subclass, which inherits from OwnBackend first.
    """
    _check_subclass(backend, getattr(backends, "backend", None))
    _check_subclass(backend, OwnBackend)
    if len(backends):
        raise SeamError(f"moto has made a backend of {backends.service_name} already")
    backends.backend = backend


def use_responses(urls: ModuleType, responses: type[Any]) -> None:
    """Let a subclass of moto's answer a service's requests.

    Args:
        urls: moto's module of the service's URLs.
        responses: The subclass.
    """
    for path, handler in urls.url_paths.items():
        _check_subclass(responses, getattr(handler, "__self__", None))
        urls.url_paths[path] = getattr(responses, handler.__name__)


def replace(module: ModuleType, name: str, replacement: Any) -> None:
    """Put something else in the place of what a module of moto's has under a name.

    Args:
        module: The module that looks the name up.
        name: Name of a class or a function.
        replacement: A subclass, or a function.
    """
    if not hasattr(module, name):
        raise SeamError(f"{module.__name__} has no {name}")
    if isinstance(replacement, type):
        _check_subclass(replacement, getattr(module, name))
    setattr(module, name, replacement)


def _check_subclass(subclass: type[Any], base: Any) -> None:
    if not isinstance(base, type) or not issubclass(subclass, base):
        raise SeamError(f"{subclass.__name__} is to stand for {base!r}, which it doesn't inherit")
