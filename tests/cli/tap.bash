#!/bin/bash
# Sourced by the scripts beside it: TAP, a directory for files, and running vwire.
#
#   run ARG...        runs vwire; afterwards $status, $kept/out and $kept/err are of that run
#   expect NAME CHECK...   one test; each check is one of
#       exits N, says TEXT (on stderr), prints TEXT (on stdout), matches REGEX (stdout),
#       json VALUE KEY... (stdout, after need_jsonget), says_nothing, prints_nothing,
#       or a command with plain arguments
#   known_bug WHERE NAME CHECK...   a test that the program fails: counts as TODO, and says so when
#       it passes
#   unjudged FILE     makes $kept/<name>, the scenario without its thresholds: they need more
#                     replications than a test of the command line makes
#   finish            prints the plan
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

OUT=${OUT:-build/release}
VWIRE=${VWIRE:-$PWD/$OUT/vwire}
n_tests=0
status=0
kept=$(mktemp -d) || exit 1
trap 'rm -rf "$kept"' EXIT
touch "$kept/out" "$kept/err"

run() {
    "$VWIRE" "$@" >"$kept/out" 2>"$kept/err" </dev/null
    status=$?
}

# holds_json "VALUE KEY...": so stands in what was printed.
holds_json() {
    local words
    read -ra words <<<"$1"
    "$jsonget" "$kept/out" "${words[@]:1}" >"$kept/check" 2>&1
    [[ $(cat "$kept/check") == "${words[0]}" ]]
}

# holds CHECK: one check; its words are split here.
holds() {
    case $1 in
    "exits "*) [[ $status == "${1#exits }" ]] ;;
    "says "*) grep -qF -- "${1#says }" "$kept/err" ;;
    "prints "*) grep -qF -- "${1#prints }" "$kept/out" ;;
    "matches "*) grep -qE -- "${1#matches }" "$kept/out" ;;
    says_nothing) [[ ! -s $kept/err ]] ;;
    prints_nothing) [[ ! -s $kept/out ]] ;;
    "json "*) holds_json "${1#json }" ;;
    *)
        local words
        read -ra words <<<"$1"
        "${words[@]}" >"$kept/check" 2>&1
        ;;
    esac
}

first_broken() {
    local check
    : >"$kept/check"
    for check in "$@"; do
        if ! holds "$check"; then
            echo "$check"
            return
        fi
    done
}

explain_failure() {
    echo "# does not hold: $1"
    echo "# exit status: $status"
    head -n 12 "$kept/err" | cut -c1-200 | sed 's/^/# err: /'
    head -n 12 "$kept/out" | cut -c1-200 | sed 's/^/# out: /'
    head -n 6 "$kept/check" | cut -c1-200 | sed 's/^/# check: /'
}

expect() {
    local name=$1 broken
    shift
    broken=$(first_broken "$@")
    n_tests=$((n_tests + 1))
    if [[ -z $broken ]]; then
        echo "ok $n_tests - $name"
    else
        echo "not ok $n_tests - $name"
        explain_failure "$broken"
    fi
}

known_bug() {
    local where=$1 name=$2 broken
    shift 2
    broken=$(first_broken "$@")
    n_tests=$((n_tests + 1))
    if [[ -z $broken ]]; then
        echo "ok $n_tests - $name # TODO passes now: make it an ordinary test ($where)"
    else
        echo "not ok $n_tests - $name # TODO $where"
    fi
}

unjudged() {
    sed '/^  thresholds:/,/^  replications:/{/^  replications:/!d}' "$1" >"$kept/$(basename "$1")"
}

# The program that reads JSON; builds it when it is not there.
need_jsonget() {
    jsonget=$OUT/tests/cli/jsonget
    if ! make -s BUILD="$(basename "$OUT")" "$jsonget" >"$kept/make" 2>&1 || [[ ! -x $jsonget ]]; then
        sed 's/^/# /' "$kept/make"
        echo "Bail out! $jsonget cannot be built"
        exit 1
    fi
}

finish() { echo "1..$n_tests"; }
