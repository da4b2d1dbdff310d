"""JAX on CPU, flax.linen modules and optax, one jitted step: python bench_jax.py [model ...]

Images are NHWC, flax's own layout."""
import os
import sys

os.environ.setdefault("JAX_PLATFORMS", "cpu")
if os.environ.get("PEERS_THREADS") == "1":
    # XLA has no option for the number of threads that its CPU client starts: it counts the processors it may use.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from common import ADAM, LARGE, MODELS, batch, classes, failed, line, memory, shape, time_ms

PEER, VERSION = "jax-jit", jax.__version__


def conv(o, k, s=1, p=0, bias=True):
    return nn.Conv(o, (k, k), (s, s), ((p, p), (p, p)), use_bias=bias)


def pool(x, k, s):
    return nn.max_pool(x, (k, k), (s, s))


def flat(x):
    return x.reshape(x.shape[0], -1)


class Net(nn.Module):
    name_: str

    @nn.compact
    def __call__(self, x, train):
        bn = lambda: nn.BatchNorm(use_running_average=not train, momentum=0.9, epsilon=1e-5)
        drop = lambda p: nn.Dropout(p, deterministic=not train)
        relu, D = nn.relu, nn.Dense
        name = self.name_
        if name == "mlp":
            return D(10)(relu(D(512)(relu(D(512)(x)))))
        if name == "autoencoder":
            return nn.sigmoid(D(784)(relu(D(256)(x))))
        if name == "lenet5":
            x = pool(relu(conv(6, 5, 1, 2)(x)), 2, 2)
            x = pool(relu(conv(16, 5)(x)), 2, 2)
            return D(10)(relu(D(84)(relu(D(120)(flat(x))))))
        if name == "mnist_bn_cnn":
            x = relu(bn()(conv(32, 3)(x)))
            x = drop(0.25)(pool(relu(bn()(conv(64, 3)(x))), 2, 2))
            x = drop(0.5)(relu(bn()(D(128)(flat(x)))))
            return nn.log_softmax(D(10)(x))
        if name == "resnet18":
            x = relu(bn()(conv(64, 3, 1, 1, False)(x)))
            for o, s in ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)):
                y = relu(bn()(conv(o, 3, s, 1, False)(x)))
                y = bn()(conv(o, 3, 1, 1, False)(y))
                if s != 1:
                    x = bn()(conv(o, 1, s, 0, False)(x))
                x = relu(x + y)
            return D(10)(x.mean((1, 2)))
        if name == "alexnet":
            x = pool(relu(conv(64, 11, 4, 2)(x)), 3, 2)
            x = pool(relu(conv(192, 5, 1, 2)(x)), 3, 2)
            x = relu(conv(384, 3, 1, 1)(x))
            x = relu(conv(256, 3, 1, 1)(x))
            x = flat(pool(relu(conv(256, 3, 1, 1)(x)), 3, 2))
            x = relu(D(4096)(drop(0.5)(x)))
            return D(1000)(relu(D(4096)(drop(0.5)(x))))
        for n, o in enumerate((64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)):
            x = relu(conv(o, 3, 1, 1)(x))
            if n in (1, 3, 6, 9, 12):
                x = pool(x, 2, 2)
        x = drop(0.5)(relu(D(4096)(flat(x))))
        return D(1000)(drop(0.5)(relu(D(4096)(x))))


def bench(name):
    n, large = batch(name), name in LARGE
    s = shape(name)
    s = s if len(s) == 1 else (s[1], s[2], s[0])
    net = Net(name)
    key = jax.random.PRNGKey(0)
    put = lambda b: jax.random.uniform(jax.random.PRNGKey(1), (b, *s))
    x, t = put(n), jnp.arange(n) % classes(name)
    vs = jax.jit(lambda k: net.init({"params": k, "dropout": k}, x[:1], False))(key)
    stats = vs.get("batch_stats", {})
    tx = optax.adam(1e-3) if name in ADAM else optax.sgd(0.01, momentum=0.9)
    state = (vs["params"], stats, tx.init(vs["params"]), key)

    def step(state, x, t):
        params, stats, opt, key = state
        key, sub = jax.random.split(key)

        def loss_fn(p):
            y, new = net.apply({"params": p, "batch_stats": stats}, x, True, rngs={"dropout": sub}, mutable=["batch_stats"])
            if name == "autoencoder":
                l = ((y - x) ** 2).mean()
            elif name == "mnist_bn_cnn":
                l = -jnp.take_along_axis(y, t[:, None], 1).mean()
            else:
                l = optax.softmax_cross_entropy_with_integer_labels(y, t).mean()
            return l, new.get("batch_stats", stats)

        (l, stats), g = jax.value_and_grad(loss_fn, has_aux=True)(params)
        up, opt = tx.update(g, opt, params)
        return (optax.apply_updates(params, up), stats, opt, key), l

    step = jax.jit(step, donate_argnums=0)
    box = [state, None]

    def run():
        box[0], box[1] = step(box[0], x, t)
        jax.block_until_ready(box)

    try:
        tm = time_ms(large, run)
        print(f"{PEER} {name}: loss after the timed steps {float(box[1]):.4f}", file=sys.stderr)
        line(PEER, VERSION, name, "train", n, tm)
        memory(PEER, VERSION, name, "train", n)
    except Exception as e:
        failed(PEER, name, "train", e)
    vs = {"params": box[0][0], "batch_stats": box[0][1]}
    infer = jax.jit(lambda vs, x: net.apply(vs, x, False))
    for b in (1, n):
        try:
            x = put(b)
            line(PEER, VERSION, name, "infer", b, time_ms(large, lambda: jax.block_until_ready(infer(vs, x))))
        except Exception as e:
            failed(PEER, name, "infer", e)


if __name__ == "__main__":
    names = sys.argv[1:] or MODELS
    for m in MODELS:
        if m in names:
            bench(m)
