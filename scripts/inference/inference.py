"""Serves a scikit-learn model: the hooks that SageMaker's scikit-learn container calls.

Replace this folder with your own scripts; ``inference.py`` is the entry point.
"""

import os
from typing import Any

import joblib


def model_fn(model_dir: str) -> Any:
    """Load the model that was unpacked into ``model_dir``."""
    return joblib.load(os.path.join(model_dir, "model.joblib"))


def predict_fn(input_data: Any, model: Any) -> Any:
    """Predict a class for every row of ``input_data``."""
    return model.predict(input_data)
