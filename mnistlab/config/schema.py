"""The keys of a config: their types, ranges, defaults and what each one means."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import numpy as np
from annotated_types import GroupedMetadata
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    create_model,
    field_validator,
    model_serializer,
    model_validator,
)

from mnistlab import datasets
from mnistlab.core import Registry
from mnistlab.core.losses import LOSSES, SquaredError
from mnistlab.core.models import INITIALIZERS, MODELS
from mnistlab.core.objective import REDUCTIONS, check_pair
from mnistlab.core.optimizers import OPTIMIZERS, Exact
from mnistlab.core.schedules import SCHEDULES
from mnistlab.datasets import computed_features
from mnistlab.errors import InputError, UnknownNameError

MOST = 10**9
"""No count needs to be larger; a slip of a thousand digits is refused."""


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]
"""A whole number, however it is written: 10.0 and 1e1 are ten, as spreadsheets write it."""

Count = Annotated[int, Field(ge=1, le=MOST), BeforeValidator(_whole)]
Share = Annotated[float, Field(ge=0, lt=1)]


class StrictModel(BaseModel):
    """Keys with types that are not converted; unknown keys are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True)
class NameIn(GroupedMetadata):
    """Restricts a text key to the names in a registry, those of plugins included."""

    registry: Registry[Any]

    def __iter__(self) -> Iterator[Any]:
        """Yield what checks the name, and what lists the names for editors."""
        yield AfterValidator(self._check)
        yield Field(json_schema_extra=lambda schema: schema.update(enum=list(self.registry)))

    def _check(self, name: str) -> str:
        try:
            self.registry[name]
        except UnknownNameError as error:
            raise ValueError(f"{error}; one of your own needs --plugin FILE.py") from None
        return name


class DataConfig(StrictModel):
    """What to train on."""

    dataset: str = Field(
        default="mnist",
        min_length=1,
        description="A registered dataset, a folder of IDX files or an .npz file.",
    )
    validation: int | float = Field(
        default=10_000,
        ge=0,
        le=MOST,
        description="Images held out from the training file; below 1 a fraction of them.",
    )
    split: Annotated[str, NameIn(datasets.SPLITS)] = Field(
        default="tail",
        description="Which images are held out: the tail of the file, random or stratified ones. "
        "Folds are random or stratified; stratified is their default.",
    )
    split_seed: int = Field(
        default=0, ge=0, lt=2**63, description="Decides which images a drawn split holds out."
    )
    folds: Whole | None = Field(
        default=None,
        ge=2,
        le=MOST,
        description="Parts of the training file for cross-validation, in place of validation; "
        "null: none.",
    )
    fold: Whole | None = Field(
        default=None,
        ge=0,
        description="Which of the folds is the validation split, counted from 0; a sweep without "
        "it trains on all folds.",
    )
    preprocess: list[str] = Field(
        default=[], description="Steps applied to the images in this order, such as [deskew]."
    )

    @model_validator(mode="before")
    @classmethod
    def _read(cls, data: Any) -> Any:
        """Read `validation: {count: 1000, stratified: true}` as what the other keys say.

        Folds are stratified ones unless a split is named, and have no validation.
        """
        if not isinstance(data, dict):
            return data
        if data.get("folds") is not None:
            given = {k: v for k, v in data.items() if k != "validation" or v is not None}
            data = {"split": "stratified", **given}
        given = data.get("validation")
        if not isinstance(given, dict):
            return data
        known = {"count", "fraction", "stratified"}
        if not given or given.keys() - known or len(given.keys() & {"count", "fraction"}) != 1:
            raise ValueError("validation takes count or fraction, and stratified: true or false")
        amount = given.get("count", given.get("fraction"))
        split = {"split": "stratified"} if given.get("stratified") is True else {}
        return {**split, **data, "validation": amount}

    @model_validator(mode="after")
    def _check_split(self) -> Self:
        """Refuse folds beside a validation split, and what changes nothing."""
        if self.folds is None and self.fold is not None:
            raise ValueError("fold has no effect without folds; leave it out (or null)")
        if self.folds is not None:
            if "validation" in self.model_fields_set:
                raise ValueError("validation has no effect with folds; leave it out (or null)")
            datasets.FOLD_ORDERS[self.split]
            if self.fold is not None and self.fold >= self.folds:
                raise ValueError(f"fold {self.fold} is none of {self.folds}: they count from 0")
        if self.split == "tail" and self.split_seed != 0:
            raise ValueError("split_seed has no effect with split tail; leave it out")
        if self.split != "tail" and self.validation == 0:
            raise ValueError(f"split {self.split} has no effect: validation 0 holds out no image")
        return self

    _check_validation = field_validator("validation")(datasets.check_held_out)
    _check_dataset = field_validator("dataset")(datasets.resolve)
    _check_steps = field_validator("preprocess")(datasets.check_steps)

    @model_serializer(mode="wrap")
    def _without_defaults(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out a split that is the usual one, and folds that are none, or take its place."""
        written: dict[str, Any] = write(self)
        for key in ("folds", "fold"):
            if getattr(self, key) is None:
                written.pop(key, None)
        if self.folds is not None:
            del written["validation"]
        if self.split == "tail":
            del written["split"], written["split_seed"]
        return written


class Config(StrictModel):
    """Everything that decides what a training run does."""

    name: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        description="Part of the run folder's name; by default the config file's.",
    )
    model: Annotated[str, NameIn(MODELS)] = Field(
        default="linear", description="What follows the pre-activations W x + b."
    )
    loss: Annotated[str, NameIn(LOSSES)] = Field(
        default="squared_error", description="What is minimised."
    )
    optimizer: Annotated[str, NameIn(OPTIMIZERS)] = Field(
        default="sgd", description="How a gradient becomes a step."
    )
    learning_rate: float = Field(default=0.01, gt=0, description="The size of a step.")
    momentum: Share | None = Field(
        default=None,
        description="The share of velocity kept by a step; for momentum and nesterov, usually 0.9.",
    )
    beta1: Share | None = Field(
        default=None,
        description="How slowly the mean of gradients moves; for adam, usually 0.9.",
    )
    beta2: Share | None = Field(
        default=None,
        description="How slowly the mean of squared gradients moves; for adam, usually 0.999.",
    )
    weight_decay: float = Field(
        default=0.0,
        ge=0,
        description="The factor w of the L2 penalty w/2 ||W||^2 in the loss, biases free of it; "
        "with adamw the weights shrink by learning_rate * w at each step instead.",
    )
    schedule: Annotated[str, NameIn(SCHEDULES)] = Field(
        default="constant", description="How the learning rate changes from epoch to epoch."
    )
    step_epochs: Count | None = Field(
        default=None,
        description="Epochs between two drops of the rate; for schedule step, usually 10.",
    )
    step_factor: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="The factor of a drop; for schedule step, usually 0.1.",
    )
    epochs: Count = Field(default=10, description="Passes over the training split.")
    stop_after: Count | None = Field(
        default=None,
        description="Train only so many of the epochs; a schedule still counts them all. "
        "null: all.",
    )
    batch_size: Count = Field(default=100, description="Images a step.")
    reduction: Annotated[str, NameIn(REDUCTIONS)] = Field(
        default="mean", description="Whether a batch's losses are averaged or summed."
    )
    init: Annotated[str, NameIn(INITIALIZERS)] = Field(
        default="zeros", description="The weights to start from."
    )
    init_scale: float | None = Field(
        default=None,
        gt=0,
        description="The spread of initial weights; for init normal and uniform, usually 0.01.",
    )
    seed: Whole = Field(
        default=0,
        ge=0,
        lt=2**63,
        description="Decides initial weights, data order and what feature steps draw.",
    )
    dtype: Literal["float32", "float64"] = Field(
        default="float32", description="The number type of the training."
    )
    evaluate_every: Whole = Field(
        default=1, ge=1, description="Epochs from one evaluation of both splits to the next."
    )
    checkpoint_every: Whole = Field(
        default=10,
        ge=1,
        description="Epochs from one checkpoint to the next, or more where they would take over "
        "3 % of the time; an interrupt writes one too.",
    )
    early_stopping: Count | None = Field(
        default=None,
        description="Stop after so many epochs without a better validation loss; null: never.",
    )
    features: list[dict[str, dict[str, int | float]]] = Field(
        default=[],
        exclude_if=lambda steps: not steps,  # older runs do not name it
        description="Steps between pixels and model, such as [{pca: {components: 40}}].",
        json_schema_extra=lambda schema: schema.update(items=computed_features.schema_of_steps()),
    )
    data: DataConfig = Field(default_factory=DataConfig, description="What to train on.")

    _read_features = field_validator("features", mode="before")(computed_features.read_steps)

    @model_validator(mode="after")
    def _settle_options(self) -> Self:
        """Fill in the options that the chosen parts read, refuse those that none of them reads.

        An option that is silently without effect would be the worst of answers.
        """
        if problem := check_pair(MODELS[self.model], LOSSES[self.loss]):
            raise ValueError(f"model {self.model} {problem}, not for {self.loss}")
        if isinstance(OPTIMIZERS[self.optimizer], Exact):
            self._settle_exact()
        used = {
            **OPTIMIZERS[self.optimizer].options,
            **SCHEDULES[self.schedule].options,
            **INITIALIZERS[self.init].options,
        }
        for key in sorted(option_keys() & set(type(self).model_fields)):
            value = getattr(self, key)
            if value is None and key in used:
                field_type = int if key == "step_epochs" else float
                setattr(self, key, field_type(used[key]))
            elif value is not None and key not in used:
                raise ValueError(
                    f"{key} has no effect with optimizer {self.optimizer}, schedule "
                    f"{self.schedule} and init {self.init}; leave it out (or null)"
                )
        for key, value in self:
            if isinstance(value, float):
                self._check_range(key, value)
        if self.stop_after is not None and self.stop_after > self.epochs:
            raise ValueError(f"stop_after {self.stop_after} must be at most epochs, {self.epochs}")
        if self.early_stopping is not None and self.data.validation == 0:
            raise ValueError("early_stopping needs a validation split: set data.validation above 0")
        return self

    def _settle_exact(self) -> None:
        """Refuse what a solution in closed form cannot be for, or does not read."""
        coded = hasattr(MODELS[self.model], "coding")
        is_squared = type(LOSSES[self.loss]) is SquaredError  # what is made of it may be scaled
        if not (is_squared and (MODELS[self.model].is_linear or coded)):
            raise ValueError(
                f"optimizer {self.optimizer} solves the normal equations of a squared error and a "
                f"linear model; {self.loss} of a {self.model} model has none; choose momentum"
            )
        fields = type(self).model_fields
        for key in _OF_STEPS:
            value, usual = getattr(self, key), fields[key].default
            if value != usual and (key, value) != ("epochs", 1):
                raise ValueError(
                    f"{key} has no effect with optimizer {self.optimizer}; leave it out"
                )
        self.epochs = 1

    def _check_range(self, key: str, value: float) -> None:
        """Refuse a number that the dtype turns into another: infinity, zero or one."""
        with np.errstate(all="ignore"):
            kept = float(np.dtype(self.dtype).type(value))
            headroom = np.dtype(self.dtype).type(1000 * value)
        if not np.isfinite(headroom):
            raise ValueError(f"{key} {value:g} is too large for {self.dtype}")
        if (kept in (0, 1)) != (value in (0, 1)):
            raise ValueError(f"{key} {value!r} is rounded to {kept:g} in {self.dtype}")


def option_keys() -> set[str]:
    """Return every key that only some optimizer, schedule or initializer reads."""
    return {key for registry in _WITH_OPTIONS for part in registry.values() for key in part.options}


_WITH_OPTIONS: tuple[Registry[Any], ...] = (OPTIMIZERS, SCHEDULES, INITIALIZERS)


def config_type() -> type[Config]:
    """Return what a config is: with the options of plugins' parts as keys besides its own.

    Raises InputError for an option with the name of a key that means something else.
    """
    options: dict[str, str] = {}
    for registry in _WITH_OPTIONS:
        for name, part in registry.items():
            for key, usual in part.options.items():
                field = Config.model_fields.get(key)
                if field is None:
                    options.setdefault(key, f"For {registry.kind} {name}, usually {usual:g}.")
                elif field.default is not None or key in _NO_OPTIONS:
                    raise InputError(
                        f"{registry.kind} {name!r}: {key} is a key of every config, so no option "
                        "can have its name; call it otherwise"
                    )
    return _with_options(tuple(options.items()))


_OF_STEPS = (
    *("learning_rate", "schedule", "epochs", "stop_after", "batch_size", "reduction", "init"),
    *("evaluate_every", "checkpoint_every", "early_stopping"),
)
"""Keys that mean nothing where the parameters are solved for at once."""

_NO_OPTIONS = ("name", "stop_after", "early_stopping")


@functools.cache
def _with_options(options: tuple[tuple[str, str], ...]) -> type[Config]:
    fields: dict[str, Any] = {
        key: (float | None, Field(default=None, description=description))
        for key, description in options
    }
    if not fields:
        return Config
    return create_model("Config", __base__=Config, __doc__=Config.__doc__, **fields)
