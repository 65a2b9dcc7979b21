"""Everything that reads, fetches, checks and prepares images and labels."""

from mnistlab.datasets.cache import Progress, Silent, data_dir
from mnistlab.datasets.catalog import DATASETS, ArrayDataset, NamedDataset
from mnistlab.datasets.computed_features import is_random, with_features, with_fitted_steps
from mnistlab.datasets.feature_steps import FEATURE_STEPS, FittedStep, describe_steps
from mnistlab.datasets.features import (
    PCA,
    Patches,
    Polynomial,
    RandomFourier,
    RandomReLU,
    Standardize,
)
from mnistlab.datasets.fetch import fetch, home_of, is_present, verify
from mnistlab.datasets.idx import DataFile, read_idx, write_idx
from mnistlab.datasets.loading import Dataset, load, resolve
from mnistlab.datasets.preprocess import PREPROCESSING, MapPixels, MovePixels, check_steps
from mnistlab.datasets.splits import FOLD_ORDERS, SPLITS

__all__ = [
    "DATASETS",
    "FEATURE_STEPS",
    "FOLD_ORDERS",
    "PCA",
    "PREPROCESSING",
    "SPLITS",
    "ArrayDataset",
    "DataFile",
    "Dataset",
    "FittedStep",
    "MapPixels",
    "MovePixels",
    "NamedDataset",
    "Patches",
    "Polynomial",
    "Progress",
    "RandomFourier",
    "RandomReLU",
    "Silent",
    "Standardize",
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
