#!/usr/bin/env python3
"""Kiln beside PyTorch, JAX, candle and burn on one CPU: the same models, batches and threads, in turns.

    python3 benches/peers/run.py                                  # everything: about two hours on two cores
    python3 benches/peers/run.py --models mlp,lenet5 --threads 2  # a part
    python3 benches/peers/run.py --table benches/results/peers.tsv

Installs what it needs below target/peers on the first run: a virtual environment with the pinned packages of requirements.txt,
the Rust peers (a workspace of their own, because candle's features would change other crates) and Kiln's step_time. The
machine's limits are measured first: multiply-add rate and memory bandwidth. Then, round by round, every peer runs in a process of
its own, the peers of one model one after the other, in the opposite order in every other round. A row's number is the median over
rounds of the medians that the processes print. The table compares Kiln with the best peer of each row.
"""
import argparse
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

from common import MODELS, batch

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORK = ROOT / "target" / "peers"
HEAD = "peer\tversion\tmodel\tmode\tbatch\tmedian_ms\tmin_ms\tmax_ms\tthreads"
TORCH = {"pytorch-eager": "eager", "pytorch-channels_last": "cl", "pytorch-compile": "compile"}
RUST = {"candle": ("candle-v4", "candle_bench"), "burn-flex": ("burn-flex-v4", "burn_bench")}
PEERS = ["kiln", "kiln-unfused", *TORCH, "jax-jit", *RUST]
DENSE = ("mlp", "autoencoder")
# candle's max-pool has no gradient unless kernel = stride; a step of these takes the Rust peers many seconds.
SKIPPED = {("candle", "alexnet"), ("candle", "vgg16"), ("burn-flex", "alexnet"), ("burn-flex", "vgg16")}


def install(peers):
    """Builds and installs what is missing, and Kiln anew."""
    venv = WORK / "venv"
    if any(p.startswith("pytorch") or p == "jax-jit" for p in peers):
        if not (venv / "complete").exists():
            check([sys.executable, "-m", "venv", str(venv)])
            check([str(venv / "bin" / "pip"), "install", "--quiet", "-r", str(HERE / "requirements.txt")])
            (venv / "complete").touch()
    rust = [("limits", "limits", "limits")] + [(p, *RUST[p]) for p in peers if p in RUST]
    for name, features, binary in rust:
        target = WORK / "rust" / name  # apart, so that features of one do not change another
        check(["cargo", "build", "--locked", "--release", "--quiet", "--features", features, "--bin", binary],
              cwd=HERE / "rust", env={**os.environ, "CARGO_TARGET_DIR": str(target)})
    if any(p.startswith("kiln") for p in peers):
        check(["cargo", "build", "--release", "--quiet", "--example", "step_time"], cwd=ROOT)


def check(command, **kw):
    print("+", " ".join(map(str, command)), file=sys.stderr, flush=True)
    subprocess.run(command, check=True, **kw)


def cargo_target():
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def environment(threads):
    env = {**os.environ, "PEERS_THREADS": str(threads), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore",
           "TF_CPP_MIN_LOG_LEVEL": "3"}
    for name in ("OMP", "MKL", "OPENBLAS", "RAYON"):
        env[name + "_NUM_THREADS"] = str(threads)
    return env


def measure(peer, model, threads, limit_s):
    """The rows that one process (three for Kiln) prints."""
    if peer.startswith("kiln"):
        return kiln(peer, model, threads, limit_s)
    if peer in TORCH:
        command = [WORK / "venv/bin/python", HERE / "bench_torch.py", TORCH[peer], model]
    elif peer == "jax-jit":
        command = [WORK / "venv/bin/python", HERE / "bench_jax.py", model]
    else:
        command = [WORK / "rust" / peer / "release" / RUST[peer][1], model]
    rows = [line.split("\t") for line in output(command, threads, limit_s).splitlines() if line.count("\t") == 8]
    return [[peer, *row[1:8], str(threads)] for row in rows]


def kiln(peer, model, threads, limit_s):
    rows = []
    for mode, size in [("train", batch(model)), ("infer", 1), ("infer", batch(model))]:
        command = [cargo_target() / "release/examples/step_time", "--model", model, "--mode", mode, "--batch", str(size),
                   "--threads", str(threads), "--fusion", "off" if peer.endswith("unfused") else "on"]
        fields = dict(re.findall(r"(\w+)=(\S+)", output(command, threads, limit_s)))
        if "median_ms" in fields:
            row = [peer, "-", model, mode, str(size)]
            rows.append([*row, fields["median_ms"], fields["min_ms"], fields["max_ms"], str(threads)])
            for kind in ("peak_mb", "planned_mb"):
                if kind in fields:
                    rows.append([peer, "-", model, f"{mode}_{kind}", str(size), *[fields[kind]] * 3, str(threads)])
    return rows


def output(command, threads, limit_s):
    """What a peer prints; of one that fails, its last words go to the error stream and it has no rows."""
    try:
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=limit_s,
                              env=environment(threads))
    except (subprocess.TimeoutExpired, FileNotFoundError) as error:
        print(f"FAILED {command[0]} {command[-1]}: {error}", file=sys.stderr, flush=True)
        return ""
    last = [line for line in done.stderr.splitlines() if line.startswith("FAILED")]
    if done.returncode:
        last += done.stderr.strip().splitlines()[-1:]
    for line in last:
        print(line, file=sys.stderr, flush=True)
    return done.stdout


def flops(model):
    """Multiply-adds count as two; forward pass of one sample."""
    conv, dense = {
        "mlp": ([], [(784, 512), (512, 512), (512, 10)]),
        "autoencoder": ([], [(784, 256), (256, 784)]),
        "lenet5": ([(784, 6, 25), (100, 16, 150)], [(400, 120), (120, 84), (84, 10)]),
        "mnist_bn_cnn": ([(676, 32, 9), (576, 64, 288)], [(9216, 128), (128, 10)]),
        "alexnet": ([(3025, 64, 363), (729, 192, 1600), (169, 384, 1728), (169, 256, 3456), (169, 256, 2304)],
                    [(9216, 4096), (4096, 4096), (4096, 1000)]),
    }.get(model, ([], []))
    if model == "resnet18":
        conv, inputs = [(1024, 64, 27)], 64
        for outputs, stride, pixels in ((64, 1, 1024), (128, 2, 256), (256, 2, 64), (512, 2, 16)):
            conv += [(pixels, outputs, inputs * 9)] + 3 * [(pixels, outputs, outputs * 9)]
            conv += [(pixels, outputs, inputs)] if stride == 2 else []
            inputs = outputs
        dense = [(512, 10)]
    if model == "vgg16":
        inputs = 3
        for outputs, side in zip((64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512),
                                 (224, 224, 112, 112, 56, 56, 56, 28, 28, 28, 14, 14, 14)):
            conv.append((side * side, outputs, inputs * 9))
            inputs = outputs
        dense = [(25088, 4096), (4096, 4096), (4096, 1000)]
    return 2 * (sum(a * b * k for a, b, k in conv) + sum(a * b for a, b in dense))


def number(ms):
    return f"{ms:.4f}" if ms < 0.1 else f"{ms:.3f}" if ms < 10 else f"{ms:.1f}"


def table(rows):
    """Markdown: limits, times with ratios, memory."""
    limits = {(r[2], r[8]): float(r[5]) for r in rows if r[0] == "limit"}
    out = []
    for (what, threads), rate in sorted(limits.items()):
        unit = next(r[3] for r in rows if r[0] == "limit" and r[2] == what)
        out.append(f"- {what}, {threads} thread(s): {rate:.1f} {'GFLOP/s' if unit == 'gflops' else 'GB/s'}")
    times = {}
    for r in rows:
        if r[3] in ("train", "infer"):
            times.setdefault((r[8], MODELS.index(r[2]), r[3] == "infer", -int(r[4])), {})[r[0]] = float(r[5])
    for threads in sorted({key[0] for key in times}, reverse=True):
        peers = [p for p in PEERS if any(p in v for k, v in times.items() if k[0] == threads)]
        peak = max((v for (what, n), v in limits.items() if what.startswith("fma") and n == threads), default=0)
        out += ["", f"{threads} thread(s), milliseconds:", "",
                "| model | mode | batch | " + " | ".join(peers) + " | best peer | times faster | fused gain | % of FMA peak |",
                "|" + "---|" * (len(peers) + 7)]
        for key in sorted(k for k in times if k[0] == threads):
            model, mode, size, row = MODELS[key[1]], "infer" if key[2] else "train", -key[3], times[key]
            others = {p: ms for p, ms in row.items() if not p.startswith("kiln")}
            best = min(others, key=others.get, default=None)
            own = row.get("kiln")
            ratio = f"**{others[best] / own:.2f}**" if best and own else "-"
            gain = f"{row['kiln-unfused'] / own:.2f}" if own and "kiln-unfused" in row else "-"
            rate = flops(model) * size * (3 if mode == "train" else 1) / (own or 1) / 1e6
            share = f"{100 * rate / peak:.0f}" if own and peak else "-"
            cells = " | ".join(number(row[p]) if p in row else "-" for p in peers)
            out.append(f"| {model} | {mode} | {size} | {cells} | {best or '-'} | {ratio} | {gain} | {share} |")
    memory = {}
    for r in rows:
        if r[3].endswith("_mb"):
            memory.setdefault((MODELS.index(r[2]), r[3].split("_")[0], int(r[4])), {})[r[0], r[3].split("_", 1)[1]] = float(r[5])
    if memory:
        out += ["", "Most memory of the process, MB (planned: weights, optimizer state and arenas):", "",
                "| model | mode | batch | kiln | planned | pytorch-eager | jax-jit |", "|" + "---|" * 7]
        for (model, mode, size), row in sorted(memory.items()):
            columns = [("kiln", "peak_mb"), ("kiln", "planned_mb"), ("pytorch-eager", "peak_mb"), ("jax-jit", "peak_mb")]
            cells = " | ".join(f"{row[c]:.0f}" if c in row else "-" for c in columns)
            out.append(f"| {MODELS[model]} | {mode} | {size} | {cells} |")
    return "\n".join(out)


def middle(samples):
    """One row of several rounds': the median of the medians, the least and the largest of all."""
    columns = [[float(r[i]) for r in samples] for i in (5, 6, 7)]
    values = (statistics.median(columns[0]), min(columns[1]), max(columns[2]))
    return [*samples[0][:5], *(f"{v:.4f}" for v in values), samples[0][8]]


def main():
    names = lambda known: lambda text: [pick(n, known) for n in text.split(",")]
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--models", type=names(MODELS), default=MODELS, help="of " + ",".join(MODELS))
    options.add_argument("--peers", type=names(PEERS), default=PEERS, help="of " + ",".join(PEERS))
    options.add_argument("--threads", type=lambda text: [int(n) for n in text.split(",")], default=[2, 1])
    options.add_argument("--rounds", type=int, default=2)
    options.add_argument("--limit", type=int, default=600, help="seconds that a process may take")
    options.add_argument("--out", type=Path, default=WORK / "results.tsv", help="rows found there already are kept or replaced")
    options.add_argument("--table", type=Path, metavar="TSV", help="print the table of earlier results, and measure nothing")
    options.add_argument("--no-install", action="store_true", help="everything is built and installed")
    o = options.parse_args()
    if o.table:
        print(table([line.split("\t") for line in o.table.read_text().splitlines()[1:]]))
        return
    WORK.mkdir(parents=True, exist_ok=True)
    if not o.no_install:
        install(o.peers)
    found = {}
    if o.out.exists():
        for row in (line.split("\t") for line in o.out.read_text().splitlines()[1:]):
            found[key(row)] = [row]
    measured = {}

    def add(rows):
        for row in rows:
            measured.setdefault(key(row), []).append(row)
            print("\t".join(row), flush=True)
        merged = {**found, **measured}
        o.out.write_text("\n".join([HEAD, *("\t".join(middle(rows)) for rows in merged.values())]) + "\n")

    for turn in range(o.rounds):
        rows = output([WORK / "rust/limits/release/limits"], 2, o.limit).splitlines()
        add([line.split("\t") for line in rows if line.count("\t") == 8])
        for threads in o.threads:
            for model in o.models:
                for peer in o.peers if turn % 2 == 0 else reversed(o.peers):
                    if (peer, model) in SKIPPED or (peer == "pytorch-channels_last" and model in DENSE):
                        continue
                    add(measure(peer, model, threads, o.limit))
    print(table([middle(rows) for rows in {**found, **measured}.values()]))


def key(row):
    return (row[0], *row[2:5], row[8])


def pick(name, known):
    if name not in known:
        raise argparse.ArgumentTypeError(f"{name} is none of {', '.join(known)}")
    return name


if __name__ == "__main__":
    main()
