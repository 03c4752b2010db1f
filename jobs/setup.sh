#!/usr/bin/env bash
# Installs what is missing to build and run cola on Debian 12 (or a relative): Debian packages, then .venv with
# pinned Python packages. Nothing is installed twice: a second run takes well under a second.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    cat <<'TEXT'
usage: jobs/setup.sh [demo|tests|compare]

  demo     what building and jobs/demo.sh need (the default)
  tests    that, and what tests/run.sh needs: cmocka, clang with its fuzzer and formatter, h5dump, chromium,
           pytest, ruff, mypy, pyarrow
  compare  what demo needs, and torch for cola-hf-loop: 0.6 GB to download, 1.3 GB in .venv

Debian packages are installed with apt-get, as root or through sudo. Without either, or on another distribution,
the missing ones are named: ask your administrator, or load your cluster's modules. Python packages go into .venv
in this directory. COLA_PYTHON names the Python to make it with (3.11 or newer).
TEXT
}

mode=${1:-demo}
case $mode in
    demo | tests | compare) ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
esac

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# gcc and libc6-dev, not build-essential: there is no C++ here, and half as much to unpack
packages=(gcc libc6-dev cmake ninja-build pkg-config libopenmpi-dev openmpi-bin libhdf5-dev libjansson-dev
    libxxhash-dev libdnnl-dev zlib1g-dev python3 python3-venv ca-certificates)
if [[ $mode == tests ]]; then
    packages+=(g++ libcmocka-dev clang libclang-rt-14-dev clang-format hdf5-tools
        slurmctld slurmd slurm-client munge # a private Slurm, tests/slurm
        chromium) # the report, tests/python/test_report_page.py
fi

missing_packages() {
    local name
    for name in "${packages[@]}"; do
        dpkg-query -W -f='${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed || printf '%s\n' "$name"
    done
}

install_packages() {
    local as_root=() missing=("$@") log
    if [[ $(id -u) != 0 ]]; then
        command -v sudo >/dev/null || die "these Debian packages are missing: ${missing[*]}
setup: you are not root and there is no sudo; an administrator can run: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    log=$(mktemp)
    trap 'rm -f "$log"' RETURN
    say "apt-get update"
    "${as_root[@]}" apt-get update -qq >"$log" 2>&1 || { cat "$log" >&2; die "apt-get update failed"; }
    say "apt-get install ${missing[*]}"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "${missing[@]}" >"$log" 2>&1 </dev/null || { cat "$log" >&2; die "apt-get install failed"; }
}

# 3.11 or newer, able to make virtual environments; the system's first, since its packages were just installed
find_python() {
    local candidate
    for candidate in ${COLA_PYTHON:-/usr/bin/python3 python3}; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    die "no Python 3.11 or newer with the venv module: install it, or name one with COLA_PYTHON=/path/to/python3"
}

requirements=(jobs/requirements.txt)
if [[ $mode == tests ]]; then requirements+=(jobs/requirements-parquet.txt tests/requirements.txt); fi
if [[ $mode == compare ]]; then requirements+=(jobs/requirements-compare.txt); fi

# what .venv was made from; any change makes it again
wanted() { cat "${requirements[@]}" analysis/pyproject.toml 2>/dev/null | sha256sum | cut -d' ' -f1; }

make_venv() {
    local python
    python=$(find_python)
    if [[ ! -x .venv/bin/python ]] || ! .venv/bin/python -c 'import pip' 2>/dev/null; then
        say "making .venv with $("$python" --version)"
        rm -rf .venv
        "$python" -m venv .venv || die "cannot make .venv"
    fi
    say "installing $(cat "${requirements[@]}" | grep -c '==') Python packages into .venv"
    local arguments=() file
    for file in "${requirements[@]}"; do arguments+=(-r "$file"); done
    # --no-compile: bytecode is made at the first import, of what is imported
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps "${arguments[@]}"
    if [[ -f analysis/pyproject.toml ]]; then
        say "installing analysis/ into .venv"
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -e ./analysis
    fi
    if [[ $mode == compare ]]; then
        say "$(.venv/bin/python jobs/cola_jobs/torch_without_cuda.py .venv/lib/python3.*/site-packages)"
        .venv/bin/python -c 'import torch' || die "torch cannot be loaded; see jobs/cola_jobs/torch_without_cuda.py"
    fi
}

if command -v dpkg-query >/dev/null; then
    mapfile -t missing < <(missing_packages)
    if ((${#missing[@]})); then install_packages "${missing[@]}"; fi
else
    say "this is not Debian: build needs a C11 compiler, CMake 3.22, Ninja, pkg-config, MPI, HDF5, jansson, xxhash, zlib"
fi

stamp=.venv/.cola-setup-$mode
if [[ $(cat "$stamp" 2>/dev/null) != "$(wanted)" ]] || ! .venv/bin/python -c '' 2>/dev/null; then
    make_venv
    wanted >"$stamp"
fi
say "ready for $mode"
