#!/bin/sh
# Runs a script of this project on the project's own Node, installing what is missing first.
#
# Why a shell script: the machine may have any Node from 18 on, and the process that npm started must become
# the service. `exec` keeps its pid, so a signal sent to it reaches the service and its exit status is the
# one npm reports; a wrapper process in between would leave an orphan behind when it is killed.
# Promises: nothing on stdout but what the script prints; the installed case costs one `cmp`; with HOLDFAST_BUILD=1 the
# console is built first where its sources are newer than what was built.
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
# A console that cannot be built must not keep the service from running: its page then says what to do.
if [ "${HOLDFAST_BUILD:-}" = 1 ]; then
  built=$root/dist/console/files.json
  if [ -d "$root/node_modules/svelte" ] && { ! [ -f "$built" ] || [ -n "$(find "$root/web" "$root/src/machines" "$root/src/wire" "$root/src/domain" "$root/scripts" "$root/package-lock.json" -newer "$built" -print 2>/dev/null | head -n 1)" ]; }; then
    patiently "$root/node_modules/.bin/node" --disable-sigusr1 "$root/scripts/build.ts" || true
  fi
fi
unset HOLDFAST_BUILD
exec "$root/node_modules/.bin/node" --disable-sigusr1 "$@"
