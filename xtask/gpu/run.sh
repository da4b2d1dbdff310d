#!/usr/bin/env bash
# Kiln on a GPU: tests, benches, and PyTorch beside it. Needs NVIDIA's driver and NVRTC (it comes with PyTorch; README,
# "CUDA", says where it is looked for); for `peers` also python3 with PyTorch. No Rust, no CUDA toolkit.
#
#   ./run.sh                          all of it
#   ./run.sh parity [NAME]            tests on the GPU; only those whose names contain NAME
#   ./run.sh sanitize TOOL [NAME]     the same under compute-sanitizer (memcheck, racecheck, …)
#   ./run.sh bench [MODEL]            fused against unfused, by the device's clock
#   ./run.sh train                    LeNet-5 on the embedded digits, twice
#   ./run.sh peers [MODEL [PRECISION]]   step_time, PyTorch, step_time again; then the table with ratios
#   ./run.sh merge                    the table from what is there
#
# Results go to $KILN_RESULTS (./results). Where a call must end soon, `peers` for one model and one precision takes some
# minutes, nearly all of them torch.compile's.
set -euo pipefail
cd "$(dirname "$0")"
results="${KILN_RESULTS:-$PWD/results}"
mkdir -p "$results"
python="${PYTHON:-python3}"
batches="${KILN_BATCHES:-64,128}"

say() { printf '\n== %s (%ds)\n' "$*" "$SECONDS"; }

# What all tables are about. The first line names the columns.
machine() {
  command -v nvidia-smi >/dev/null || { echo "no nvidia-smi: is there a driver?" >&2; exit 1; }
  say "machine"
  nvidia-smi
  local gpu
  gpu="$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader --id=0)"
  printf 'date\tgpu\tdriver\tcommit\n%s\t%s\t%s\t%s\n' \
    "$(date -u +%Y-%m-%dT%H:%MZ)" "${gpu%%, *}" "${gpu##*, }" "$(cat commit.txt)" >"$results/machine.tsv"
}

# The emulator's part of the tests needs no GPU and is left out: no compiler has this name.
on_gpu() { KILN_TEST_DEVICE=cuda CXX=left-out "$@"; }

parity() {
  local failed=0
  while read -r test; do
    say "test $test on the GPU"
    on_gpu "./bin/$test" "$@" 2>&1 | tee "$results/$test.txt" || failed=1
  done <tests.txt
  return "$failed"
}

sanitize() {
  local tool="$1" sanitizer failed=0
  shift
  sanitizer="$(command -v compute-sanitizer || ls /usr/local/cuda*/bin/compute-sanitizer 2>/dev/null | tail -n 1 || true)"
  [ -n "$sanitizer" ] || { echo "compute-sanitizer was not found on the path nor in /usr/local/cuda*/bin: skipped"; return 0; }
  while read -r test; do
    say "test $test under $tool"
    on_gpu "$sanitizer" --tool "$tool" --error-exitcode 9 "./bin/$test" --test-threads 1 "$@" 2>&1 |
      tee "$results/$test-$tool.txt" || failed=1
  done <tests.txt
  return "$failed"
}

bench() {
  say "fused against unfused"
  ./bin/bench_cuda "$@" | tee "$results/fusion${1:+-$1}.tsv"
}

# Twice with the same seed: the same numbers, or something is not deterministic.
train() {
  local round
  for round in 1 2; do
    say "LeNet-5, run $round"
    mkdir -p "$results/train-$round"
    (cd "$results/train-$round" && "$OLDPWD/bin/mnist" 2>&1 | tee output.txt)
  done
  cmp "$results"/train-{1,2}/runs/mnist/lenet5.safetensors && echo "both runs: the same weights, bit for bit"
}

kiln_times() {
  local model="$1" precision="$2" mode batch
  for mode in train infer; do
    for batch in ${batches//,/ }; do
      ./bin/step_time --device cuda --model "$model" --mode "$mode" --batch "$batch" --precision "$precision" --seconds 1 |
        tee -a "$results/kiln.txt"
    done
  done
}

peers() {
  local model precision
  for model in ${1:-mlp lenet5 autoencoder mnist_bn_cnn}; do
    for precision in ${2:-f32 tf32 bf16}; do
      say "peers: $model, $precision"
      kiln_times "$model" "$precision"
      "$python" torch_gpu.py --models "$model" --precisions "$precision" --batches "$batches" --out "$results/torch.tsv"
      kiln_times "$model" "$precision"
    done
  done
  merge
}

merge() {
  say "table"
  "$python" merge.py "$results"
}

part="${1:-all}"
[ "$#" -eq 0 ] || shift
case "$part" in
  all) machine; parity; sanitize memcheck; sanitize racecheck; bench; train; peers ;;
  parity | sanitize | bench | train | peers) machine; "$part" "$@" ;;
  merge) merge ;;
  *) sed -n '2,/^set/{/^#/p}' run.sh >&2; exit 2 ;;
esac
say "done"
