#!/bin/sh
# Runs what `cargo xtask gpu-check` packed, on the machine with the GPU: six minutes at most, each part with a limit of its own.
# What the parts print lies in $OUT (by default gpu-check/out), one file each; a summary comes last.
here=$(cd "$(dirname "$0")" && pwd)
out=${OUT:-$here/out}
mkdir -p "$out"
end=$(($(date +%s) + 360))

# The headers of the build, at the build's paths; NVIDIA's libraries from Python's packages, where they are not the system's.
tar -xzPf "$here/headers.tgz" || echo "headers.tgz: not unpacked at the paths of the build: dfdx's last kernels will not compile"
packages=$(python3 -c 'import nvidia; print(list(nvidia.__path__)[0])' 2>/dev/null)
[ -n "$packages" ] && LD_LIBRARY_PATH="$packages/cu13/lib:$packages/cudnn/lib:$LD_LIBRARY_PATH"
export LD_LIBRARY_PATH IDODE_TEST_DEVICE=cuda:0 IDODE_REFERENCE_DIR="$here/cases"

summary=""
# part NAME SECONDS COMMAND...
part() {
    name=$1 limit=$2
    shift 2
    left=$((end - $(date +%s)))
    [ "$limit" -lt "$left" ] || limit=$left
    if [ "$limit" -lt 5 ]; then
        summary="$summary$name: not run, no time left\n"
        return
    fi
    begun=$(date +%s)
    timeout "$limit" "$@" >"$out/$name.txt" 2>&1 </dev/null
    code=$?
    took=$(($(date +%s) - begun))
    last=$(grep -E '^test result|^\{|"train_step"|^idode:|^error|^matrix product' "$out/$name.txt" | tail -n 1 | cut -c 1-400)
    wrong=$(grep -c 'is left out: found' "$out/$name.txt")
    [ "$wrong" -eq 0 ] || last="$wrong candidates left out; $last"
    summary="$summary$name: exit $code, $took s: $last\n"
}
test_of() {
    part "$1" "$2" "$here/$1" --nocapture --test-threads 1
}
kernels() {
    part "kernels_$1_$2" "$3" "$here/idode" bench --kernels --case "$1" --batch "$2" --device cuda:0
}
timed() {
    part "bench_$1_$2" "$3" "$here/idode" bench --case "$1" --batch "$2" --device cuda:0 --json
    if [ -e "$here/peer.py" ] && python3 -c 'import torch' 2>/dev/null; then
        part "peer_$1_$2" "$3" python3 "$here/peer.py" "$1" "$2" f32
    fi
}

nvidia-smi -L 2>/dev/null
test_of device 15
test_of cuda_kernels 60
test_of cuda_launches 20
test_of device_operations 30
test_of precision 20
test_of device_training 60
test_of reference 60
kernels m 16 20
kernels full 16 30
timed m 16 25
part bench_m_16_tf32 25 "$here/idode" bench --case m --batch 16 --device cuda:0 --precision tf32 --json
timed full 16 30
timed full 128 45
part bench_full_128_tf32 30 "$here/idode" bench --case full --batch 128 --device cuda:0 --precision tf32 --json
timed s 64 15
timed m 128 25
timed s 16 15
timed s 128 15
test_of high_order 40
# Two runs of 200 steps: the same bytes?
sed 's/^steps = .*/steps = 200/; s/^dequantizers = .*/dequantizers = ["uniform"]/' "$here/digits.toml" >"$out/short.toml"
part same_bytes 60 sh -c '
    "$0/idode" train "$1/short.toml" --device cuda:0 --out "$1/first" &&
        "$0/idode" train "$1/short.toml" --device cuda:0 --out "$1/second" &&
        diff -r "$1/first/checkpoints" "$1/second/checkpoints"' "$here" "$out"
# The table of the README, with what time is left.
part digits 200 "$here/idode" train "$here/digits.toml" --device cuda:0 --out "$out/digits"
printf '%b' "$summary"
