"""Everything that reads, fetches, checks and prepares images and labels."""

from mnistlab.datasets.catalog import (
    DATASETS,
    ArrayDataset,
    NamedDataset,
    fetch,
    home_of,
    is_present,
)
from mnistlab.datasets.computed_features import (
    describe_steps,
    is_random,
    with_features,
    with_fitted_steps,
)
from mnistlab.datasets.data_files import read_idx, write_idx
from mnistlab.datasets.features import FEATURE_STEPS, FittedStep
from mnistlab.datasets.loading import (
    FOLD_ORDERS,
    SPLITS,
    Dataset,
    check_held_out,
    check_steps,
    load,
)
from mnistlab.datasets.preprocess import PREPROCESSING, MapPixels, MovePixels
from mnistlab.datasets.reading import resolve, verify
from mnistlab.datasets.sources import DataFile, Progress, Silent, data_dir

__all__ = [
    "DATASETS",
    "FEATURE_STEPS",
    "FOLD_ORDERS",
    "PREPROCESSING",
    "SPLITS",
    "ArrayDataset",
    "DataFile",
    "Dataset",
    "FittedStep",
    "MapPixels",
    "MovePixels",
    "NamedDataset",
    "Progress",
    "Silent",
    "check_held_out",
    "check_steps",
    "data_dir",
    "describe_steps",
    "fetch",
    "home_of",
    "is_present",
    "is_random",
    "load",
    "read_idx",
    "resolve",
    "verify",
    "with_features",
    "with_fitted_steps",
    "write_idx",
]
