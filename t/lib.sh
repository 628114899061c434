# Sourced by the tests: TAP, a scratch folder, the programs.
#
# POSTERN_SRC    source tree
# POSTERN_BUILD  build tree; started by hand: what t/run left there
# POSTERN_STAGE  folder with the built programs
# $tmp           scratch folder, removed at the end
set -u
if [ -z "${POSTERN_SRC:-}" ]; then
	POSTERN_SRC=$(cd "$(dirname "$0")" && pwd)
	until [ -e "$POSTERN_SRC/configure.ac" ] || [ "$POSTERN_SRC" = / ]; do
		POSTERN_SRC=$(dirname "$POSTERN_SRC")
	done
fi
: "${POSTERN_BUILD:=${POSTERN_RUN:-$POSTERN_SRC/_build/run}/plain}"
: "${POSTERN_STAGE:=$POSTERN_BUILD/stage}"
[ -d "$POSTERN_STAGE" ] || { echo "Bail out! nothing is built: t/run"; exit 99; }
export POSTERN_SRC POSTERN_BUILD POSTERN_STAGE
PATH=$POSTERN_STAGE:$PATH
# What dies with a program is not freed; the unit tests and fuzz targets, which
# run without this file, do look for leaks.
ASAN_OPTIONS=${ASAN_OPTIONS-detect_leaks=0}
export ASAN_OPTIONS
tmp=$(mktemp -d "${TMPDIR:-/tmp}/postern-t.XXXXXX") || exit 99
tests=0
failed=0
trap 'status=$?; cleanup; rm -rf "$tmp"; exit $status' EXIT
trap 'exit 130' INT TERM

# Redefined by tests that start things.
cleanup() { :; }

# Skips the whole test, or what is left of it.
plan_skip() {
	[ "$tests" -gt 0 ] || { echo "1..0 # SKIP $1"; exit 0; }
	skip "the rest" "$1"
	done_testing
	exit
}
need() { command -v "$1" >/dev/null 2>&1 || plan_skip "$1 is not installed"; }

ok() { # ok STATUS NAME
	tests=$((tests + 1))
	if [ "$1" -eq 0 ]; then echo "ok $tests - $2"
	else echo "not ok $tests - $2"; failed=$((failed + 1)); fi
}
skip() { tests=$((tests + 1)); echo "ok $tests - $1 # SKIP $2"; }
is() { # is GOT WANTED NAME
	if [ "$1" = "$2" ]; then ok 0 "$3"; else
		ok 1 "$3"
		printf '%s\n' "$1" | sed 's/^/# got:    /'
		printf '%s\n' "$2" | sed 's/^/# wanted: /'
	fi
}
like() { # like TEXT EXTENDED-REGEX NAME
	if printf '%s\n' "$1" | grep -qE -- "$2"; then ok 0 "$3"; else
		ok 1 "$3"
		printf '%s\n' "$1" | head -n 40 | sed 's/^/# got: /'
		echo "# wanted: $2"
	fi
}
unlike() {
	if printf '%s\n' "$1" | grep -qE -- "$2"; then
		ok 1 "$3"
		printf '%s\n' "$1" | head -n 40 | sed 's/^/# got: /'
	else ok 0 "$3"; fi
}
# Waits up to 20 s for a command to succeed: wait_for CMD...
wait_for() {
	_n=0
	until "$@" >/dev/null 2>&1; do
		_n=$((_n + 1)); [ $_n -lt 200 ] || return 1
		sleep 0.1
	done
}
done_testing() { echo "1..$tests"; [ "$failed" -eq 0 ]; }
