"""Everything about a sweep that can be known and refused before its folder is made."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mnistlab.config.schema import Config
from mnistlab.core.stability import format_limit
from mnistlab.datasets import Dataset, Progress
from mnistlab.experiment.prepare import open_data, plan_on, stack_key, with_absolute_data
from mnistlab.sweep.crew import available_cores
from mnistlab.sweep.spaces.trials import Sweep
from mnistlab.sweep.stacks import Stack, configs_of_runs, plan_stacks


@dataclass(frozen=True)
class Prepared:
    """A sweep with its data: the config and the learning-rate limit of each run."""

    sweep: Sweep
    configs: Mapping[int, Config]
    data_of: Callable[[Config], Dataset]
    limits: Mapping[int, float | None]
    workers: int

    @property
    def data(self) -> Dataset:
        """The first trial's data; the images are the same for all."""
        return self.data_of(self.configs[0])

    def stacks(self, runs: Sequence[int] | None = None) -> list[Stack]:
        """Return how these runs (all of them) are best trained together."""
        chosen = self.configs if runs is None else {run: self.configs[run] for run in runs}
        images = len(self.data.train)
        return plan_stacks(chosen, workers=self.workers, images=images)

    @property
    def common_limit(self) -> float | None:
        """The largest stable learning rate, where it is the same for all runs."""
        limits = set(self.limits.values())
        return limits.pop() if len(limits) == 1 else None

    def warning(self) -> str | None:
        """Return what to say of runs beyond their limit, None if there are none."""
        beyond = [
            run
            for run, limit in self.limits.items()
            if limit is not None and self.configs[run].learning_rate > limit
        ]
        if not beyond:
            return None
        limits = sorted({format_limit(self.limits[run] or 0.0) for run in beyond}, key=float)
        told = limits[0] if len(limits) == 1 else f"{limits[0]} to {limits[-1]}"
        count, of = len(beyond), len(self.configs)
        which = "the run" if of == 1 else f"{count} of {of} runs"
        is_, its = ("is", "its") if count == 1 else ("are", "their")
        return (
            f"{which} {is_} beyond the stability limit of this data, a learning rate of {told}: "
            f"{its} loss is likely to grow until it overflows"
        )


def prepare_sweep(
    sweep: Sweep, progress: Progress | None = None, *, exact_limit: bool = False
) -> Prepared:
    """Load the data of a sweep and check every run against it; raise InputError or FetchError."""
    configs = {run: with_absolute_data(one) for run, one in enumerate(configs_of_runs(sweep))}
    opened: dict[str, Dataset] = {}

    def data_of(config: Config) -> Dataset:
        key = config.data.model_dump_json()
        if key not in opened:
            opened[key] = open_data(config, progress)
        return opened[key]

    alike: dict[str, list[int]] = {}
    for run, config in configs.items():
        alike.setdefault(stack_key(config), []).append(run)
    limits: dict[int, float | None] = {}
    for runs in alike.values():
        plan = plan_on(
            data_of(configs[runs[0]]), [configs[run] for run in runs], exact_limit=exact_limit
        )
        limits |= dict(zip(runs, plan.limits, strict=True))
    return Prepared(sweep, configs, data_of, limits, available_cores())
