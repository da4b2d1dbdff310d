"""The clock, the result line and the case list that the Python peers and run.py share."""
import os
import resource
import sys
import time

MODELS = ["mlp", "autoencoder", "lenet5", "mnist_bn_cnn", "resnet18", "alexnet", "vgg16"]
LARGE = {"resnet18", "alexnet", "vgg16"}
TRAIN_BATCH = {"resnet18": 32, "alexnet": 16, "vgg16": 4}
ADAM = {"lenet5", "mnist_bn_cnn", "autoencoder"}  # the others: SGD, momentum 0.9, lr 0.01
THREADS = int(os.environ.get("PEERS_THREADS", "2"))


def batch(model):
    return TRAIN_BATCH.get(model, 64)


def shape(model):
    """One sample as (C, H, W); flat models are (784,)."""
    if model in ("mlp", "autoencoder"):
        return (784,)
    if model in ("lenet5", "mnist_bn_cnn"):
        return (1, 28, 28)
    return (3, 32, 32) if model == "resnet18" else (3, 224, 224)


def classes(model):
    return 1000 if model in ("alexnet", "vgg16") else 10


def time_ms(large, f):
    """Median, min and max in ms of repeated calls of f, after a warm-up."""
    min_n, min_s, warm_n, warm_s = (5, 3.0, 2, 0.0) if large else (20, 1.5, 5, 0.5)
    clock = time.perf_counter
    t0, n = clock(), 0
    while n < warm_n or clock() - t0 < warm_s:
        f()
        n += 1
        if large and n > 1 and clock() - t0 > 5.0:  # the first call may compile
            break
    v, t0 = [], clock()
    while len(v) < min_n or (clock() - t0 < min_s and len(v) < 5000):
        t = clock()
        f()
        v.append((clock() - t) * 1e3)
    v.sort()
    return v[len(v) // 2], v[0], v[-1]


def line(peer, version, model, mode, batch, t, threads=THREADS):
    print(f"{peer}\t{version}\t{model}\t{mode}\t{batch}\t{t[0]:.4f}\t{t[1]:.4f}\t{t[2]:.4f}\t{threads}", flush=True)


def memory(peer, version, model, mode, batch):
    """The most memory this process has had, in MB of 10^6 bytes, as a row of its own."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    line(peer, version, model, mode + "_peak_mb", batch, (peak, peak, peak))


def failed(peer, model, mode, err):
    first = (str(err).strip().splitlines() or [repr(err)])[0]
    print(f"FAILED\t{peer}\t{model}\t{mode}\t{type(err).__name__}: {first}", file=sys.stderr, flush=True)
