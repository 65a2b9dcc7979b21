"""Right files as they are found in courses and repositories, unusual ones too."""

HEAD = "import numpy as np\n"

SOFTMAX = """
def softmax(x):
    if x.ndim == 2:
        x = x.T
        x = x - np.max(x, axis=0)
        return (np.exp(x) / np.sum(np.exp(x), axis=0)).T
    x = x - np.max(x)
    return np.exp(x) / np.sum(np.exp(x))
"""

RIGHT = {
    "loops over samples and classes, with a penalty": """
def softmax_loss_naive(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(X.shape[0]):
        scores = X[i].dot(W)
        scores -= scores.max()
        p = np.exp(scores) / np.exp(scores).sum()
        loss += -np.log(p[y[i]])
        for j in range(W.shape[1]):
            dW[:, j] += (p[j] - (j == y[i])) * X[i]
    loss = loss / X.shape[0] + reg * np.sum(W * W)
    return loss, dW / X.shape[0] + 2 * reg * W

def softmax_loss_vectorized(W, X, y, reg):
    n = len(y)
    S = X @ W
    S = S - S.max(axis=1, keepdims=True)
    P = np.exp(S) / np.exp(S).sum(axis=1, keepdims=True)
    loss = -np.log(P[np.arange(n), y]).mean() + reg * (W ** 2).sum()
    P[np.arange(n), y] -= 1
    return loss, X.T @ P / n + 2 * reg * W
""",
    "a hinge loss with its gradient": """
def svm_loss(W, X, y, reg):
    n = X.shape[0]
    S = X @ W
    margins = np.maximum(0, S - S[np.arange(n), y][:, None] + 1)
    margins[np.arange(n), y] = 0
    hit = (margins > 0).astype(float)
    hit[np.arange(n), y] = -hit.sum(axis=1)
    return margins.sum() / n + reg * np.sum(W * W), X.T @ hit / n + 2 * reg * W
""",
    "scores alone, loss and dx": """
def softmax_loss(x, y):
    shifted = x - np.max(x, axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    n = x.shape[0]
    dx = np.exp(logs)
    dx[np.arange(n), y] -= 1
    return -np.sum(logs[np.arange(n), y]) / n, dx / n
""",
    "a layer with its loss, one-hot or not": SOFTMAX
    + """
def cross_entropy_error(y, t):
    if y.ndim == 1:
        t, y = t.reshape(1, t.size), y.reshape(1, y.size)
    if t.size == y.size:
        t = t.argmax(axis=1)
    n = y.shape[0]
    return -np.sum(np.log(y[np.arange(n), t] + 1e-7)) / n

class SoftmaxWithLoss:
    def __init__(self):
        self.loss = None
        self.y = None
        self.t = None

    def forward(self, x, t):
        self.t, self.y = t, softmax(x)
        self.loss = cross_entropy_error(self.y, self.t)
        return self.loss

    def backward(self, dout=1):
        n = self.t.shape[0]
        if self.t.size == self.y.size:
            return (self.y - self.t) / n
        dx = self.y.copy()
        dx[np.arange(n), self.t] -= 1
        return dx / n
""",
    "layers beside the loss": """
class Layer:
    def forward(self, x): raise NotImplementedError
    def backward(self, dout): raise NotImplementedError

class Affine(Layer):
    def __init__(self, W, b): self.W, self.b = W, b
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, dout):
        return dout @ self.W.T

class Relu(Layer):
    def forward(self, x):
        self.mask = x > 0
        return x * self.mask
    def backward(self, dout): return dout * self.mask

class Loss:
    def loss(self, y_true, y_pred): raise NotImplementedError()
    def gradient(self, y, y_pred): raise NotImplementedError()

class SquareLoss(Loss):
    def loss(self, y, y_pred): return 0.5 * np.power(y - y_pred, 2).sum()
    def gradient(self, y, y_pred): return -(y - y_pred)
""",
    "logistic regression with theta": """
def sigmoid(z): return 1.0 / (1.0 + np.exp(-z))

def costFunction(theta, X, y):
    m = y.size
    h = sigmoid(np.dot(X, theta))
    return (-1 / m) * np.sum(y * np.log(h) + (1 - y) * np.log(1 - h))

def gradient(theta, X, y):
    m = y.size
    return (1 / m) * np.dot(X.T, sigmoid(np.dot(X, theta)) - y)

def gradientDescent(X, y, theta, alpha, num_iters):
    for _ in range(num_iters):
        theta = theta - alpha * gradient(theta, X, y)
    return theta
""",
    "cost and gradient of logistic regression with a penalty": """
def sigmoid(z): return 1.0 / (1.0 + np.exp(-z))

def lrCostFunction(theta, X, y, lambda_):
    m = len(y)
    h = sigmoid(X @ theta)
    J = np.sum(-y * np.log(h) - (1 - y) * np.log(1 - h)) / m + lambda_ / (2 * m) * theta @ theta
    grad = X.T @ (h - y) / m + lambda_ / m * theta
    return J, grad
""",
    "propagate with a dict of gradients, then the cost": """
def sigmoid(z): return 1 / (1 + np.exp(-z))

def propagate_cost(w, b, X, Y):
    m = X.shape[1]
    A = sigmoid(np.dot(w.T, X) + b)
    cost = -1 / m * np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A))
    dw = np.dot(X, (A - Y).T) / m
    db = np.sum(A - Y) / m
    return {"dw": dw, "db": db}, cost
""",
    "linear regression with one output": """
def compute_cost(X, y, theta):
    m = len(y)
    return np.sum((X @ theta - y) ** 2) / (2 * m)

def compute_gradient(X, y, theta):
    return X.T @ (X @ theta - y) / len(y)
""",
    "loss and its prime": """
def mse(y_true, y_pred): return np.mean(np.power(y_true - y_pred, 2))
def mse_prime(y_true, y_pred): return 2 * (y_pred - y_true) / np.size(y_true)
""",
    "two losses with primes, and activations": """
def sigmoid(x): return 1 / (1 + np.exp(-x))
def sigmoid_prime(x): return sigmoid(x) * (1 - sigmoid(x))
def mse(y_true, y_pred): return np.mean((y_true - y_pred) ** 2)
def mse_prime(y_true, y_pred): return 2 * (y_pred - y_true) / y_true.size
def cross_entropy(y_true, y_pred):
    e = np.exp(y_pred - y_pred.max())
    return -np.sum(y_true * np.log(e / e.sum()))
def cross_entropy_prime(y_true, y_pred):
    e = np.exp(y_pred - y_pred.max())
    return e / e.sum() - y_true
""",
    "a cross-entropy of probabilities, each for itself": """
def binary_cross_entropy(y_true, y_pred):
    return np.mean(-y_true * np.log(y_pred) - (1 - y_true) * np.log(1 - y_pred))
def binary_cross_entropy_prime(y_true, y_pred):
    return ((1 - y_true) / (1 - y_pred) - y_true / y_pred) / np.size(y_true)
""",
    "a mean by what may be classes or samples": """
def mse_loss(a, y): return ((a - y) ** 2).sum() / len(a)
def mse_gradient(a, y): return 2 * (a - y) / len(a)
""",
    "a softmax of columns inside functions of rows": """
def softmax(Z):
    E = np.exp(Z - Z.max(axis=0))
    return E / E.sum(axis=0)
def loss(W, X, y):
    return -np.log(softmax((X @ W).T)[y, np.arange(len(y))]).sum()
def gradient(W, X, y):
    return X.T @ (softmax((X @ W).T).T - np.eye(W.shape[1])[y])
""",
    "a softmax that takes a list, and writes into arrays": """
def softmax(scores):
    for i in range(len(scores)):
        scores[i] = np.exp(scores[i])
    return np.array(scores) / sum(scores)
def loss(a, y): return -np.log(softmax(list(a - a.max()))[y])
def gradient(a, y): return softmax(list(a - a.max())) - np.eye(len(a))[y]
""",
    "a batch of at least two": """
def loss(A, y):
    assert len(A) > 1, "a batch, please"
    E = np.exp(A - A.max(axis=1, keepdims=True))
    return -np.log((E / E.sum(axis=1, keepdims=True))[np.arange(len(y)), y]).mean()
def gradient(A, y):
    assert len(A) > 1, "a batch, please"
    E = np.exp(A - A.max(axis=1, keepdims=True))
    return (E / E.sum(axis=1, keepdims=True) - np.eye(A.shape[1])[y]) / len(y)
""",
    "a loss of probabilities whose gradient is by the logits": """
def cross_entropy(p, y): return -np.log(p[range(len(y)), y]).mean()
def delta_cross_entropy(p, y):
    g = p.copy()
    g[range(len(y)), y] -= 1
    return g / len(y)
""",
    "static methods, columns": """
class CrossEntropyCost:
    @staticmethod
    def fn(a, y): return float(np.sum(np.nan_to_num(-y * np.log(a))))
    @staticmethod
    def loss(a, y):
        e = np.exp(a - a.max(axis=0))
        return -np.sum(y * np.log(e / e.sum(axis=0)))
    @staticmethod
    def grad(a, y):
        e = np.exp(a - a.max(axis=0))
        return e / e.sum(axis=0) - y
""",
    "the gradient function returns the loss too": """
def softmax_loss(a, y): return np.log(np.exp(a - a.max()).sum()) + a.max() - a[y]
def loss_and_gradient(a, y):
    p = np.exp(a - a.max())
    p = p / p.sum()
    loss = -np.log(p[y])
    p[y] -= 1
    return loss, p
""",
    "a call that returns the loss, types written down": """
class CrossEntropy:
    def __call__(self, logits: np.ndarray, target: np.ndarray) -> float:
        e = np.exp(logits - logits.max(-1, keepdims=True))
        self.p = e / e.sum(-1, keepdims=True)
        self.target = target
        return -np.log(self.p[np.arange(len(target)), target]).mean()

    def backward(self) -> np.ndarray:
        g = self.p.copy()
        g[np.arange(len(g)), self.target] -= 1
        return g / len(g)
""",
    "forward keeps, backward takes the label": """
class Loss:
    def forward(self, z, y):
        z = z - z.max(axis=1, keepdims=True)
        self.p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        return -np.log((self.p * y).sum(axis=1)).mean()
    def backward(self, y):
        return (self.p - y) / len(y)
""",
    "the sigmoid of the assignment, transposed dimensions": """
def forward(x, W, b): return 1 / (1 + np.exp(-(x @ W + b)))
def loss(x, y, W, b): return np.sum((y - forward(x, W, b)) ** 2)
def gradient(x, y, W, b):
    y_hat = forward(x, W, b)
    delta = 2 * (y_hat - y) * y_hat * (1 - y_hat)
    return x.T @ delta, np.sum(delta, axis=0)
""",
    "linear regression of one image, outer product": """
def loss(W, b, x, y): return (y - (W @ x + b)) @ (y - (W @ x + b))
def gradient(W, b, x, y):
    d = 2 * (W @ x + b - y)
    return np.outer(d, x), d
""",
    "mean over everything": """
def mse_loss(W, b, X, Y): return np.mean((X @ W + b - Y) ** 2)
def mse_gradient(W, b, X, Y):
    d = 2 * (X @ W + b - Y) / Y.size
    return {"dW": X.T @ d, "db": d.sum(axis=0)}
""",
    "gradients by name": """
def loss(W, b, X, y):
    Z = X @ W + b
    Z = Z - Z.max(axis=1, keepdims=True)
    return (np.log(np.exp(Z).sum(axis=1)) - Z[np.arange(len(y)), y]).mean()
def _delta(W, b, X, y):
    Z = X @ W + b
    P = np.exp(Z - Z.max(axis=1, keepdims=True))
    P /= P.sum(axis=1, keepdims=True)
    P[np.arange(len(y)), y] -= 1
    return P / len(y)
def grad_W(W, b, X, y): return X.T @ _delta(W, b, X, y)
def grad_b(W, b, X, y): return _delta(W, b, X, y).sum(axis=0)
""",
    "a bias with one row": """
def loss(W, b, X, y): return 0.5 * np.sum((X @ W + np.ones((X.shape[0], 1)) @ b - y) ** 2)
def gradient(W, b, X, y):
    d = X @ W + np.ones((X.shape[0], 1)) @ b - y
    return X.T @ d, np.sum(d, axis=0, keepdims=True)
""",
    "keeps a count": SOFTMAX
    + """
CALLS = 0
def loss(a, y):
    global CALLS
    CALLS += 1
    return -np.log(softmax(a)[y])
def gradient(a, y):
    g = softmax(a)
    g[y] -= 1
    return g
""",
    "one column": """
def softmax(z): return np.exp(z - np.max(z)) / np.sum(np.exp(z - np.max(z)))
def loss(z, y): return -np.log(softmax(z)[y, 0])
def gradient(z, y):
    g = softmax(z)
    g[y, 0] -= 1
    return g
""",
    "columns of weights, a loss of one row and one column": """
def loss(W, b, x, y):
    d = y - (W @ x + b)
    return d.T @ d
def gradient(W, b, x, y):
    d = 2 * (W @ x + b - y)
    return d @ x.T, d
""",
    "weights and biases packed into one vector": SOFTMAX
    + """
def scores(theta, X):
    D = X.shape[1]
    theta = theta.reshape(D + 1, -1)
    return X @ theta[:D] + theta[D]
def loss(theta, X, y):
    return -np.log(softmax(scores(theta, X))[np.arange(len(y)), y]).mean()
def gradient(theta, X, y):
    G = softmax(scores(theta, X))
    G[np.arange(len(y)), y] -= 1
    ones = np.ones((len(X), 1))
    return (np.hstack([X, ones]).T @ G).ravel() / len(y)
""",
    "weights packed class by class": """
def costs(theta, X, Y):
    W = theta.reshape(Y.shape[1], X.shape[1])
    return np.sum((X @ W.T - Y) ** 2)
def grads(theta, X, Y):
    W = theta.reshape(Y.shape[1], X.shape[1])
    return (2 * (X @ W.T - Y).T @ X).flatten()
""",
    "answers in lists": """
def loss(a, y):
    m = max(a)
    return float(np.log(sum(np.exp(v - m) for v in a)) + m - a[y])
def gradient(a, y):
    m = max(a)
    total = sum(np.exp(v - m) for v in a)
    return [float(np.exp(v - m) / total) - (1 if i == y else 0) for i, v in enumerate(a)]
""",
}
