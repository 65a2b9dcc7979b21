"""PyTorch trains learning rates one after another in one process, its data loaded once."""

# ruff: noqa: E402 - the clock starts before the imports, which are part of what is measured

import time

started = time.perf_counter()

import argparse
import json
from functools import partial

import torch
import torch_by_hand
import torch_memory
from clock import Clock
from data import load_mnist
from torch import nn
from torch_common import CLASSES, to_tensors, train_model

UPDATES = {"optimizer": torch_memory.prepare, "by_hand": torch_by_hand.prepare}


def main() -> None:
    """Train and evaluate at every learning rate, and print the results as JSON.

    The first model, which is not trained, is there for its optimizer, whose first construction
    imports a good part of PyTorch: `work` holds only what every further learning rate costs.
    """
    clock = Clock(started)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("update", choices=UPDATES)
    parser.add_argument("rates", type=float, nargs="+")
    chosen = parser.parse_args()
    prepare = UPDATES[chosen.update]
    clock.charge("import")
    splits = [to_tensors(split) for split in load_mnist()]
    clock.charge("load")
    prepare(nn.Linear(784, CLASSES), splits[0], 0.0)
    clock.charge("model")

    torch.manual_seed(0)
    runs, before = [], time.perf_counter()
    for rate in chosen.rates:
        model = nn.Linear(784, CLASSES)
        for parameter in model.parameters():
            nn.init.zeros_(parameter)
        results = train_model(clock, model, partial(prepare, train=splits[0], rate=rate), *splits)
        runs.append({"learning_rate": rate, **results})
    seconds = {**clock.seconds, "work": time.perf_counter() - before}
    print(json.dumps({"runs": runs, "seconds": seconds}))


if __name__ == "__main__":
    main()
