#!/bin/sh
# Every program that is installed has a man page; each prints silently.
. "${POSTERN_SRC:-.}/t/lib.sh"
need man
unset MAKEFLAGS MFLAGS MAKELEVEL
export LC_ALL=C.UTF-8 MANWIDTH=80 MANROFFSEQ=

programs=$(ls "$POSTERN_STAGE")
[ -n "$programs" ] || plan_skip "no program is built"
make -s -C "$POSTERN_BUILD" install-man mandir="$tmp/man" >/dev/null
pages=$(find "$tmp/man" -type f)
[ -n "$pages" ]; ok $? "pages are installed"

for program in $programs; do
	name=${program##*/}
	found=1
	for page in $pages; do
		case ${page##*/} in "$name".[158]) found=0 ;; esac
	done
	ok $found "$name has a man page"
done

for page in $pages; do
	said=$(man --warnings -l "$page" 2>&1 >"$tmp/page")
	is "$said" "" "${page##*/} prints without a warning"
	[ "$(wc -l <"$tmp/page")" -gt 15 ]; ok $? "${page##*/} says something"
	case $page in *.[18]) heads='NAME SYNOPSIS DESCRIPTION EXIT.STATUS' ;;
	*) heads='NAME DESCRIPTION' ;; esac
	missing=
	for head in $heads; do
		grep -q "^$head" "$tmp/page" || missing="$missing $head"
	done
	is "$missing" "" "${page##*/} has the usual sections"
done
done_testing
