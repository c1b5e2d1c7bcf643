"""A small real model, saved as a training job saves it."""

import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split


@dataclass(frozen=True)
class TrainedModel:
    """A model with what it must answer.

    Attributes:
        archive: Its ``model.tar.gz``.
        accuracy: Share of ``rows`` that it classifies rightly.
        rows: Rows that it was not trained on.
        predictions: Its answer for each row.
    """

    archive: Path
    accuracy: float
    rows: list[list[float]]
    predictions: list[Any]


def train(directory: Path) -> TrainedModel:
    """Train a classifier on the wine data set that ships with scikit-learn.

    Args:
        directory: Where ``model.tar.gz`` is written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    features, classes = load_wine(return_X_y=True)
    known, unknown, known_classes, unknown_classes = train_test_split(
        features, classes, test_size=0.3, random_state=0
    )
    model = RandomForestClassifier(n_estimators=100, random_state=0).fit(known, known_classes)
    file = directory / "model.joblib"
    joblib.dump(model, file)
    archive = directory / "model.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(file, arcname=file.name)
    file.unlink()
    return TrainedModel(
        archive=archive,
        accuracy=float(model.score(unknown, unknown_classes)),
        rows=unknown.tolist(),
        predictions=model.predict(unknown).tolist(),
    )
