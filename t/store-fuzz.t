#!/bin/sh
# The store's parsers under mutated input.
. "${POSTERN_SRC:-.}/t/lib.sh"
fuzz=$POSTERN_BUILD/t/fuzz
[ -x "$fuzz/journal" ] || plan_skip "the fuzz targets are not built"
seed=${FUZZ_SEED:-$$}
cd "$tmp" || exit 99
for target in maildir journal cache; do
	"$fuzz/$target" -t "${FUZZ_SECONDS:-1}" -s "$seed" \
	    "$POSTERN_SRC/t/fuzz/seeds/$target" 2>&1 | sed 's/^/# /'
	[ -z "$(ls -A "$tmp")" ]
	ok $? "$target (seed $seed)"
done
done_testing
