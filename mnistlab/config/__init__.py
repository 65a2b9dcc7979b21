"""A config says what to train: a YAML file, overrides, defaults, all checked before work starts."""

from mnistlab.config.load import load_config, to_yaml
from mnistlab.config.schema import Config, DataConfig

__all__ = ["Config", "DataConfig", "load_config", "to_yaml"]
