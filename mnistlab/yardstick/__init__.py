"""The best that a model can do on its data, which tells too little training from too weak a model.

Only convex objectives have such a yardstick: a linear model under the squared error, by the
normal equations, and under softmax cross-entropy with a penalty, by L-BFGS.
"""

from mnistlab.yardstick.optima import Yardstick, find_yardstick, known_yardstick

__all__ = ["Yardstick", "find_yardstick", "known_yardstick"]
