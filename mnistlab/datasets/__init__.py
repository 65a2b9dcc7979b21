"""Everything that reads, fetches, checks and prepares images and labels."""

from mnistlab.datasets.cache import Progress, Silent, data_dir
from mnistlab.datasets.catalog import DATASETS, ArrayDataset, NamedDataset
from mnistlab.datasets.fetch import fetch, home_of, is_present, verify
from mnistlab.datasets.idx import DataFile, read_idx, write_idx
from mnistlab.datasets.loading import SPLITS, Dataset, load, resolve
from mnistlab.datasets.preprocess import PREPROCESSING, MapPixels, MovePixels, check_steps

__all__ = [
    "DATASETS",
    "PREPROCESSING",
    "SPLITS",
    "ArrayDataset",
    "DataFile",
    "Dataset",
    "MapPixels",
    "MovePixels",
    "NamedDataset",
    "Progress",
    "Silent",
    "check_steps",
    "data_dir",
    "fetch",
    "home_of",
    "is_present",
    "load",
    "read_idx",
    "resolve",
    "verify",
    "write_idx",
]
