#!/bin/sh
# Every fuzz target over its seeds and some mutations of them.
. "${POSTERN_SRC:-$(dirname "$0")/..}/t/lib.sh"

src=$(cd "$POSTERN_SRC" && pwd)
targets=${POSTERN_BUILD:-.}/t/fuzz
[ -d "$targets" ] || plan_skip "no fuzz target is built"
targets=$(cd "$targets" && pwd)
vectors="$src/t/vectors/mail"
cd "$tmp" || exit 99

for target in "$targets"/*; do
	[ -f "$target" ] && [ -x "$target" ] || continue
	name=${target##*/}
	set --
	[ -d "$src/t/fuzz/seeds/$name" ] && set -- "$src/t/fuzz/seeds/$name"
	case $name in
	header | imap | mime | names | render | show)
		set -- "$@" "$vectors"/*.eml "$vectors"/hostile/*.eml ;;
	esac
	out=$("$target" -n 3000 "$@" 2>&1)
	ok $? "$name"
	[ -z "$out" ] || printf '%s\n' "$out" | sed 's/^/# /'
done
[ "$tests" -gt 0 ] || plan_skip "no fuzz target is built"
done_testing
