"""scikit-learn estimators trained by mnistlab, and searches that train all candidates at once."""

try:
    import sklearn  # noqa: F401 - only whether it is there
except ImportError:
    raise ImportError(
        "mnistlab.sklearn needs scikit-learn, which is not installed: "
        "pip install 'mnistlab[sklearn]'"
    ) from None

from mnistlab.sklearn.estimators import (
    LeastSquaresClassifier,
    ShallowClassifier,
    SigmoidClassifier,
    SoftmaxClassifier,
)
from mnistlab.sklearn.search import FusedSearchCV

__all__ = [
    "FusedSearchCV",
    "LeastSquaresClassifier",
    "ShallowClassifier",
    "SigmoidClassifier",
    "SoftmaxClassifier",
]
