"""Models of a few hundred bytes that scikit-learn of any version can load."""

import gzip
import io
import tarfile
from dataclasses import dataclass

FILE = "model.joblib"  # what the stage's example script loads


@dataclass(frozen=True)
class SmallModel:
    """A model that answers every row with the same number.

    Attributes:
        answer: The number, by which an endpoint shows which model it has.
        content: Its one file, ``model.joblib``.
        archive: Its ``model.tar.gz``.
    """

    answer: float
    content: bytes
    archive: bytes

    @property
    def broken(self) -> bytes:
        """The first half of the archive, as an upload that was cut off leaves it."""
        return self.archive[: len(self.archive) // 2]


def small_model(answer: float) -> SmallModel:
    """Make one.

    Args:
        answer: What it answers.
    """
    # Both take a second to import, which the other commands shall not wait for.
    import joblib
    from sklearn.dummy import DummyRegressor

    model = DummyRegressor(strategy="constant", constant=answer).fit([[0.0]], [answer])
    # A list, since arrays of NumPy 2 can't be loaded where NumPy is older, as in the container.
    model.constant_ = [[answer]]
    dumped = io.BytesIO()
    joblib.dump(model, dumped, protocol=4)
    content = dumped.getvalue()
    archived = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=archived, mode="wb", mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w") as tar,
    ):
        member = tarfile.TarInfo(FILE)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return SmallModel(answer, content, archived.getvalue())
