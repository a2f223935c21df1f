#!/bin/sh
# SPDX-License-Identifier: MIT
# Usage: run.sh [BUILD [-r ROUNDS] [PART OF A ROW'S NAME]...]
# Installs thrum from BUILD (default: build) under BUILD/bench-run, builds the benchmarks against
# it, runs the rows whose name holds one of the parts (all, if none is given), prints one table and
# writes BUILD/bench.json. THRUM_BENCH_PREFIX=/x measures the thrum that is installed in /x.
# BENCH_ALL=1 fetches Go and Java too.
set -eu

build=${1:-build}
[ $# -gt 0 ] && shift
case $build in
-h | --help)
    sed -n '3,7s/^# //p' "$0"
    exit 0
    ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$build/bench-run"
build=$(cd "$build" && pwd)
work=$build/bench-run

# A peer that cannot be had is left out; CMakeLists.txt says so.
sh "$here/../tools/need.sh" gcc g++ libc6-dev cmake pkg-config python3
all=
[ "${BENCH_ALL:-0}" = 1 ] && all='golang-go default-jdk-headless'
for package in libnsync-dev libglib2.0-dev libabsl-dev libtbb-dev libconcurrentqueue-dev libck-dev \
    libuv1-dev libspdlog-dev $all; do
    sh "$here/../tools/need.sh" $package || true
done

rust_library=
parking_lot=OFF
rayon=OFF
build_with_cargo() {
    sh "$here/../tools/need.sh" librust-parking-lot-dev librust-crossbeam-channel-dev || return 1
    [ -d /usr/share/cargo/registry ] || return 1
    features=crates
    if sh "$here/../tools/need.sh" librust-rayon-dev; then
        features=crates,pool
    fi
    mkdir -p "$work/rust"
    cat >"$work/rust/Cargo.toml" <<EOF
[package]
name = "bench_rust"
version = "0.0.0"
edition = "2021"
[lib]
path = "$here/peer_rust.rs"
crate-type = ["cdylib"]
[features]
crates = ["dep:parking_lot", "dep:crossbeam-channel"]
pool = ["dep:rayon"]
[dependencies]
parking_lot = { version = "*", optional = true }
crossbeam-channel = { version = "*", optional = true }
rayon = { version = "*", optional = true }
[profile.release]
opt-level = 2
EOF
    (cd "$work/rust" && cargo build --quiet --offline --release --features "$features" \
        --config 'source.crates-io.replace-with="debian"' \
        --config 'source.debian.directory="/usr/share/cargo/registry"') \
        >"$work/cargo.log" 2>&1 || return 1
    rust_library=$work/rust/target/release/libbench_rust.so
    parking_lot=ON
    [ "$features" = crates ] || rayon=ON
}
build_with_rustc() {
    rustc --edition 2021 --crate-name bench_rust --crate-type cdylib -C opt-level=2 \
        -A unexpected_cfgs -o "$work/libbench_rust.so" "$here/peer_rust.rs" \
        >"$work/rustc.log" 2>&1 || return 1
    rust_library=$work/libbench_rust.so
}
if command -v cargo >/dev/null 2>&1 && build_with_cargo; then
    :
elif command -v rustc >/dev/null 2>&1 && build_with_rustc; then
    echo "bench: parking_lot, crossbeam and rayon are left out: no librust-parking-lot-dev and" \
        "librust-crossbeam-channel-dev that this cargo can build" >&2
else
    echo "bench: Rust std, parking_lot, crossbeam and rayon are left out: no cargo and rustc that work" >&2
fi

prefix=${THRUM_BENCH_PREFIX:-$work/prefix}
if [ -z "${THRUM_BENCH_PREFIX:-}" ]; then
    cmake --install "$build" --prefix "$prefix" >"$work/install.log" 2>&1 || {
        cat "$work/install.log" >&2
        exit 1
    }
fi
{
    cmake -S "$here" -B "$work/out" -Wno-dev --log-level=NOTICE -DCMAKE_PREFIX_PATH="$prefix" \
        -DBENCH_RUST_LIBRARY="$rust_library" -DBENCH_PARKING_LOT=$parking_lot \
        -DBENCH_RAYON=$rayon &&
        cmake --build "$work/out" -j 2
} >"$work/build.log" 2>&1 || {
    cat "$work/build.log" >&2
    exit 1
}
grep '^bench: ' "$work/build.log" >&2 || true

: >"$work/rows"
"$work/out/bench_shared" "$@" >>"$work/rows"
echo 'bench: the static library' >&2
"$work/out/bench_static" "$@" >>"$work/rows" 2>"$work/static.log"
if ls "$build"/python/thrum/_thrum.*.so >/dev/null 2>&1; then
    echo 'bench: the Python half' >&2
    PYTHONPATH="$build/python" /usr/bin/python3 "$here/python_rows.py" "$@" >>"$work/rows"
else
    echo 'bench: the Python half is left out: it was not built' >&2
fi
exec python3 "$here/report.py" "$work/rows" "$build/bench.json"
