#!/bin/sh
# Bring this checkout's environment up to date: uv into .uv/, the locked packages into .venv/.
#
#   bootstrap.sh        what the product needs
#   bootstrap.sh dev    and what its checks need
#
# Needs Python 3.11-3.13 and nothing else. POSIX sh, Linux and macOS. Says one line when it
# has work to do and none when it has not; every failure is a line on stderr and exit 1.
set -eu
cd "$(dirname "$0")/.."
# A folder on CDPATH must not make cd print, nor a foreign environment take the packages.
unset CDPATH VIRTUAL_ENV CONDA_PREFIX PYTHONHOME PYTHONPATH || true

UV_VERSION=0.13.9
MIN_FREE_GB=3
MACHINE="$(uname -s) $(uname -m)"
# Compiled once here, not by every process where PYTHONDONTWRITEBYTECODE is set or .venv is read-only:
# importing Prefect then takes half the time.
export UV_PROJECT_ENVIRONMENT=.venv UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1

say() { echo "setup: $*" >&2; }
die() { say "$*"; exit 1; }

# The lock, the checkout's place (scripts in .venv name it) and the Python: a change of any is work.
wanted() { cksum uv.lock pyproject.toml; pwd; .venv/bin/python -V; }

fresh() { # MODE: is .venv as the last good setup of this mode left it?
    [ -f ".venv/.setup-$1" ] && [ "$(wanted 2>/dev/null)" = "$(cat ".venv/.setup-$1")" ] || return 1
    [ -z "${PYTHON:-}" ] || [ "$("$PYTHON" -V 2>&1)" = "$(.venv/bin/python -V)" ]
}

stamp() {
    for mode; do wanted >".venv/.new" && mv .venv/.new ".venv/.setup-$mode"; done
}

# Print the real path of a Python that fits; the base one where a virtual environment is active.
fitting() {
    "$1" -c 'import sys
if not (3, 11) <= sys.version_info < (3, 14): raise SystemExit(1)
print(getattr(sys, "_base_executable", sys.executable))' 2>/dev/null
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        fitting "$PYTHON" || die "PYTHON=$PYTHON is not a Python 3.11, 3.12 or 3.13."
        return
    fi
    for name in python3.13 python3.12 python3.11 python3; do
        fitting "$name" && return
    done
    found=$(python3 -V 2>/dev/null) || found="no python3"
    die "Python 3.11, 3.12 or 3.13 is needed; this machine has $found." \
        "Install one ($(python_remedy)), or name it: make setup PYTHON=/path/to/python3.12"
}

python_remedy() {
    case $MACHINE in
    Darwin*) echo "brew install python@3.12" ;;
    *) echo "Debian, Ubuntu: apt-get install python3.11 or python3.12, as your release has it" ;;
    esac
}

check_machine() {
    case $MACHINE in
    "Darwin arm64" | Linux*) ;;
    *) die "$MACHINE is not supported: Linux, or macOS on Apple silicon (not under Rosetta)." ;;
    esac
}

check_disk() {
    free=$("$python" -c 'import shutil; print(shutil.disk_usage(".").free >> 30)')
    [ "$free" -ge "$MIN_FREE_GB" ] ||
        die "only $free GB of disk is free in $(pwd); $MIN_FREE_GB GB are needed. Free some room first."
}

# One setup at a time. The lock lies on descriptor 9, so that it ends with this process.
take_turn() {
    mkdir -p .uv
    exec 9>.uv/lock
    "$python" -c 'import fcntl, sys
try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    print("setup: another setup is under way; waiting for it.", file=sys.stderr)
    fcntl.flock(9, fcntl.LOCK_EX)'
}

# Debian packages, where we may install them; elsewhere what needs them says so itself.
debian_packages() {
    missing=""
    for name; do
        dpkg -s "$name" 2>/dev/null | grep -q '^Status: .* installed$' || missing="$missing $name"
    done
    if [ -z "$missing" ] || [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then return; fi
    say "installing$missing with apt-get."
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086 # the names are words
    { apt-get update && apt-get install -y --no-install-recommends $missing; } \
        >.uv/log 2>&1 </dev/null || failed "apt-get could not install$missing"
}

# MLX's own BLAS for Linux trains 15 times slower. A setup without root, or without OpenBLAS, is good.
fast_blas() {
    (debian_packages libopenblas0-pthread) || true
    "$python" -c 'import ctypes; ctypes.CDLL("libopenblas.so.0")' 2>/dev/null ||
        say "OpenBLAS is missing, training will be slow. Debian, Ubuntu: apt-get install libopenblas0-pthread"
}

failed() { # WHAT: quote what the tool said, then say what to look at
    grep -iE 'error|failed|cause|^E:' .uv/log | grep -v WARNING | cut -c1-150 |
        sed -n 's/^ */    /; 1,2p; $p' | uniq >&2
    die "$1. Is the network there? Behind a proxy set HTTPS_PROXY;" \
        "for a mirror of the index set UV_DEFAULT_INDEX and PIP_INDEX_URL. Then run it again."
}

has_uv() { [ "$(.uv/bin/uv --version 2>/dev/null | cut -d' ' -f2)" = "$UV_VERSION" ]; }

pip_install() {
    "$@" --quiet --disable-pip-version-check --no-input --retries 2 "uv==$UV_VERSION" \
        >.uv/log 2>&1 </dev/null
}

# A virtual environment of its own; where Debian left venv out, pip alone; else install venv.
install_uv() {
    rm -rf .uv/bin .uv/lib .uv/pip
    has_venv || has_pip || debian_packages "$("$python" -c \
        'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
    if has_venv; then
        "$python" -m venv .uv/pip >.uv/log 2>&1 || failed "python -m venv failed"
        pip_install .uv/pip/bin/python -m pip install --target .uv/lib || failed "pip could not install uv"
        rm -rf .uv/pip
    elif has_pip; then
        pip_install "$python" -m pip install --target .uv/lib || failed "pip could not install uv"
    else
        die "$python has neither venv nor pip. Install one (Debian, Ubuntu: apt-get install python3-venv)."
    fi
    mkdir .uv/bin && mv .uv/lib/bin/uv .uv/bin/uv && rm -rf .uv/lib
}

has_venv() { "$python" -c 'import ensurepip, venv' 2>/dev/null; }
has_pip() { "$python" -m pip --version >/dev/null 2>&1; }

# An environment that works keeps its Python, unless another was asked for.
make_environment() {
    if [ -n "${PYTHON:-}" ] || ! .venv/bin/python -V >/dev/null 2>&1; then
        .uv/bin/uv venv --quiet --clear --python "$python" .venv
    fi
}

sync_from_lock() { # MODE
    case $1 in
    dev) .uv/bin/uv sync --quiet --locked ;;
    *) .uv/bin/uv sync --quiet --locked --no-dev --inexact ;; # dev's may stay: no flip-flop
    esac
}

# The lock names the index it was made from, so that a mirror takes its versions and hashes only.
sync_from_mirror() { # MODE
    only=--dev
    [ "$1" = dev ] || only=--no-dev
    .uv/bin/uv export --quiet --frozen --no-emit-project "$only" --output-file .uv/locked.txt &&
        .uv/bin/uv pip install --quiet --no-deps --python .venv --requirement .uv/locked.txt &&
        .uv/bin/uv pip install --quiet --no-deps --python .venv --editable .
}

mode=${1:-run}
fresh "$mode" && exit 0
python=$(find_python)
check_machine
take_turn
fresh "$mode" && exit 0 # the one we waited for did it
if [ ! -f .venv/.setup-run ]; then check_disk; fi
if [ -f .venv/.setup-run ] && ! grep -qxF "$(pwd)" .venv/.setup-run; then
    rm -rf .venv # the checkout was moved or copied: its scripts point at the old place
fi
if [ "${CI:-}" = true ]; then
    debian_packages chromium
else
    (debian_packages chromium) || say "going on without Chromium: pages that need scripts are not read."
fi
case $MACHINE in Linux*) fast_blas ;; esac
has_uv || { say "installing uv $UV_VERSION into .uv/."; install_uv; }
say "installing the locked packages into .venv/ (the first time takes a minute or two)."
way=lock
[ -z "${UV_DEFAULT_INDEX:-}" ] || way=mirror
{ make_environment && "sync_from_$way" "$mode"; } >.uv/log 2>&1 </dev/null ||
    failed "uv could not install the locked packages"
case $mode in
dev) stamp run dev ;;
*) stamp run ;;
esac
