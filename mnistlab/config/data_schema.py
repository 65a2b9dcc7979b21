"""What a config says of the data to train on, and the types that its keys are made of."""

from collections.abc import Callable
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from mnistlab.errors import InputError

MOST = 10**9
"""No count needs to be larger; a slip of a thousand digits is refused."""


def _as_value_error(check: Callable[[Any], object], value: Any) -> None:
    """Raise what a check raises as the ValueError that pydantic expects."""
    try:
        check(value)
    except InputError as error:
        raise ValueError(str(error)) from None


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]
"""A whole number, however it is written: 10.0 and 1e1 are ten, as spreadsheets write it."""


class StrictModel(BaseModel):
    """Keys with types that are not converted; unknown keys are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


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
    split: str = Field(
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
    def _read_validation(cls, data: Any) -> Any:
        """Read `validation: {count: 1000, stratified: true}` as what the other keys say."""
        given = data.get("validation") if isinstance(data, dict) else None
        if not isinstance(given, dict):
            return data
        known = {"count", "fraction", "stratified"}
        if not given or given.keys() - known or len(given.keys() & {"count", "fraction"}) != 1:
            raise ValueError("validation takes count or fraction, and stratified: true or false")
        amount = given.get("count", given.get("fraction"))
        split = {"split": "stratified"} if given.get("stratified") is True else {}
        return {**split, **data, "validation": amount}

    @model_validator(mode="before")
    @classmethod
    def _settle_folds(cls, data: Any) -> Any:
        """Read folds as stratified ones unless a split is named, and without a validation."""
        if not isinstance(data, dict) or data.get("folds") is None:
            return data
        given = {k: v for k, v in data.items() if k != "validation" or v is not None}
        return {"split": "stratified", **given}

    @model_validator(mode="after")
    def _check_folds(self) -> Self:
        """Refuse folds beside a validation split of another kind, and a fold that is none."""
        from mnistlab.datasets import FOLD_ORDERS  # noqa: PLC0415 - the schema alone needs no data

        if self.folds is None:
            if self.fold is not None:
                raise ValueError("fold has no effect without folds; leave it out (or null)")
            return self
        if "validation" in self.model_fields_set:
            raise ValueError("validation has no effect with folds; leave it out (or null)")
        _as_value_error(FOLD_ORDERS.__getitem__, self.split)
        if self.fold is not None and self.fold >= self.folds:
            raise ValueError(f"fold {self.fold} is none of {self.folds}: they count from 0")
        return self

    @field_validator("validation")
    @classmethod
    def _check_validation(cls, amount: int | float) -> int | float:
        if amount >= 1 and amount != int(amount):
            raise ValueError(f"must be a number of images or a fraction below 1, not {amount}")
        return int(amount) if amount >= 1 or amount == 0 else amount

    @field_validator("split")
    @classmethod
    def _check_split(cls, name: str) -> str:
        from mnistlab.datasets import SPLITS  # noqa: PLC0415 - the schema alone needs no data

        _as_value_error(SPLITS.__getitem__, name)
        return name

    @model_validator(mode="after")
    def _refuse_idle_split(self) -> Self:
        """Refuse what would change nothing about which images are held out."""
        if self.split == "tail" and self.split_seed != 0:
            raise ValueError("split_seed has no effect with split tail; leave it out")
        if self.split != "tail" and self.validation == 0:
            raise ValueError(f"split {self.split} has no effect: validation 0 holds out no image")
        return self

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

    @field_validator("dataset")
    @classmethod
    def _check_dataset(cls, name: str) -> str:
        from mnistlab.datasets import resolve  # noqa: PLC0415 - the schema alone needs no data

        _as_value_error(resolve, name)
        return name

    @field_validator("preprocess")
    @classmethod
    def _check_steps(cls, names: list[str]) -> list[str]:
        from mnistlab.datasets import check_steps  # noqa: PLC0415 - the schema alone needs no data

        _as_value_error(check_steps, names)
        return names
