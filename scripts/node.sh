#!/bin/sh
# Runs a script of this project on the project's own Node, installing what is missing first.
#
# Why a shell script: the machine may have any Node from 18 on, and the process that npm started must become
# the service. `exec` keeps its pid, so a signal sent to it reaches the service and its exit status is the
# one npm reports; a wrapper process in between would leave an orphan behind when it is killed.
# Promises: nothing on stdout but what the script prints; the installed case costs one `cmp`.
# Never: runs the script on a Node that is too old.
set -eu
# Neither opens a debugger nor kills, not in the shell, not in the install, not in the script (--disable-sigusr1 below).
trap '' USR1 USR2
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
if ! cmp -s "$root/package-lock.json" "$root/node_modules/.setup-stamp" || ! [ -x "$root/node_modules/.bin/node" ]; then
  # In the background, because a shell runs its traps only between commands, and a stop must not wait for an install.
  node "$root/scripts/setup.mjs" "$@" </dev/null >&2 &
  setup=$!
  trap 'kill -TERM "$setup" 2>/dev/null || true; wait "$setup" || true; exit 143' TERM
  trap 'kill -TERM "$setup" 2>/dev/null || true; wait "$setup" || true; exit 130' INT
  trap 'kill -TERM "$setup" 2>/dev/null || true; wait "$setup" || true; exit 129' HUP
  status=0
  wait "$setup" || status=$?
  trap - TERM INT HUP
  [ "$status" -eq 0 ] || exit "$status"
fi
exec "$root/node_modules/.bin/node" --disable-sigusr1 "$@"
