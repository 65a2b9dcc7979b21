"""The mathematics: models, losses, optimizers and the trainer, in NumPy alone."""
