#!/bin/sh
# Runs a script of this project on the project's own Node, installing what is missing first.
#
# Why a shell script: the machine may have any Node from 18 on, and the process that npm started must become
# the service. `exec` keeps its pid, so a signal sent to it reaches the service and its exit status is the
# one npm reports; a wrapper process in between would leave an orphan behind when it is killed.
# Promises: nothing on stdout but what the script prints; the installed case costs one `cmp`; with HOLDFAST_BUILD=1
# programs and console are built first where their sources have changed, and src/main.ts is run as it was built.
# Never: runs the script on a Node that is too old.
set -eu
# Neither opens a debugger nor kills, not in the shell, not in the install, not in the script (--disable-sigusr1 below).
trap '' USR1 USR2
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
# In the background, because a shell runs its traps only between commands, and a stop must not wait for an install or a build.
patiently() {
  "$@" </dev/null >&2 &
  step=$!
  trap 'kill -TERM "$step" 2>/dev/null || true; wait "$step" || true; exit 143' TERM
  trap 'kill -TERM "$step" 2>/dev/null || true; wait "$step" || true; exit 130' INT
  trap 'kill -TERM "$step" 2>/dev/null || true; wait "$step" || true; exit 129' HUP
  status=0
  wait "$step" || status=$?
  trap - TERM INT HUP
  return "$status"
}
if ! cmp -s "$root/package-lock.json" "$root/node_modules/.setup-stamp" || ! [ -x "$root/node_modules/.bin/node" ]; then
  patiently node "$root/scripts/setup.mjs" "$@" || exit $?
fi
# HOLDFAST_BUILD=1: what was not built from the present sources is built first. A program that cannot be built runs from its source, and a
# console that cannot be built must not keep the service from running: its page then says what to do.
is_old() { [ "$(cat "$root/dist/$1/built" 2>/dev/null)" != "$(sh "$root/scripts/sources.sh" "$1")" ]; }
if [ "${HOLDFAST_BUILD:-}" = 1 ]; then
  unset HOLDFAST_BUILD HOLDFAST_PROGRAMS
  old=
  if is_old programs; then old=programs; fi
  if is_old console; then old="$old console"; fi
  if [ -n "$old" ] && [ -d "$root/node_modules/vite" ]; then
    # shellcheck disable=SC2086
    patiently "$root/node_modules/.bin/node" --disable-sigusr1 "$root/scripts/build.ts" $old || true
  fi
  if is_old programs; then
    echo "holdfast: dist/programs was not built from these sources and cannot be built now; running from source" >&2
  else
    # The tests run what users run.
    export HOLDFAST_PROGRAMS=dist/programs
    for argument do
      shift
      if [ "$argument" = src/main.ts ]; then
        argument=$HOLDFAST_PROGRAMS/holdfast.js
        unset HOLDFAST_PROGRAMS
      fi
      set -- "$@" "$argument"
    done
  fi
fi
exec "$root/node_modules/.bin/node" --disable-sigusr1 "$@"
