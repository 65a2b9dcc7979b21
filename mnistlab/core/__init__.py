"""The mathematics: models, losses, optimizers, the trainer; NumPy and the standard library alone."""
