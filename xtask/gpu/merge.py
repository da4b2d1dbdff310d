#!/usr/bin/env python3
"""One table of what Kiln and PyTorch took on one machine: RESULTS/steps.tsv from machine.tsv, kiln.txt and torch.tsv there.

    merge.py RESULTS

A line for each case. `kiln_ms` is the step's graph by the device's clock, inputs already there, as PyTorch's are: `device_ms`
of step_time; `stream_ms` beside it includes copying each batch to the device. PyTorch's columns are steps back to back.
Several measurements of a case count by their median. A ratio is PyTorch's time over `kiln_ms`; `-` is a case not measured.
"""

import statistics
import sys
from pathlib import Path

VARIANTS = ("eager", "compile", "graph")
HEAD = ["date", "gpu", "driver", "commit", "pytorch", "model", "mode", "precision", "batch", "kiln_ms", "kiln_stream_ms"]
HEAD += [f"{variant}_ms" for variant in VARIANTS] + [f"{variant}/kiln" for variant in VARIANTS]


def table(path):
    """The lines of a TSV file as dictionaries; a head may be repeated."""
    lines = [line.rstrip("\n").split("\t") for line in path.read_text().splitlines() if line.strip()]
    return [dict(zip(lines[0], line)) for line in lines[1:] if line != lines[0]]


def kiln(path):
    """step_time's lines: words `name=value` behind `step`."""
    for line in path.read_text().splitlines():
        if line.startswith("step "):
            yield dict(word.split("=", 1) for word in line.split()[1:])


def number(times):
    return f"{statistics.median(times):.4f}" if times else "-"


def merged(folder):
    """The lines of the table, its head first."""
    machine = table(folder / "machine.tsv")[-1]
    cases, version = {}, "-"

    def add(case, column, value):
        key = (case["model"], case["mode"], case["precision"], int(case["batch"]))
        cases.setdefault(key, {}).setdefault(column, []).append(float(value))

    for line in kiln(folder / "kiln.txt"):
        for name in ("device_ms", "stream_ms"):
            if name in line:
                add(line, name, line[name])
    torch = folder / "torch.tsv"
    for line in table(torch) if torch.exists() else []:
        if line["peer"].startswith("pytorch-"):
            version = line["version"]
            add(line, line["peer"].removeprefix("pytorch-"), line["back_to_back_ms"])

    rows = [HEAD]
    for key, times in sorted(cases.items()):
        own = times.get("device_ms", [])
        ratios = []
        for variant in VARIANTS:
            both = own and times.get(variant)
            ratios.append(f"{statistics.median(both) / statistics.median(own):.2f}" if both else "-")
        row = [machine[name] for name in ("date", "gpu", "driver", "commit")] + [version, *map(str, key)]
        row += [number(own), number(times.get("stream_ms"))]
        rows.append(row + [number(times.get(variant)) for variant in VARIANTS] + ratios)
    return rows


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    text = "".join("\t".join(row) + "\n" for row in merged(folder))
    (folder / "steps.tsv").write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
