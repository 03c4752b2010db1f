#!/usr/bin/env bash
# flood.sh COLA FLOOD - flood.c under 2 and 4 ranks.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
trap 'rm -rf "$work"' EXIT
for ranks in 2 4; do
    # shellcheck disable=SC2046 # the launcher's words are words
    timeout 200 $(launcher $ranks) "$make_tasks" || die "$ranks ranks: exit status $?"
    echo "in order $ranks ranks"
done
echo "passed"
