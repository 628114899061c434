#!/bin/sh
# Every program that is installed has a man page; each prints silently.
. "${POSTERN_SRC:-.}/t/lib.sh"
need man
export LC_ALL=C.UTF-8 MANWIDTH=80 MANROFFSEQ=

# var VARIABLE: the words of a Makefile variable.
var() {
	make -s -C "$POSTERN_BUILD" --no-print-directory -f Makefile -f - \
	    print-var <<-END 2>/dev/null
	print-var:; @echo \$($1)
	END
}

pages=$(var dist_man_MANS)
programs=$(var bin_PROGRAMS; var sbin_PROGRAMS; var pkglibexec_PROGRAMS
    var dist_bin_SCRIPTS; var dist_sbin_SCRIPTS)
[ -n "$programs" ] || plan_skip "no program is built yet"
[ -n "$pages" ]; ok $? "pages are listed"

for program in $programs; do
	name=${program##*/}
	found=1
	for page in $pages; do
		case ${page##*/} in "$name".[158]) found=0 ;; esac
	done
	ok $found "$name has a man page"
done

for page in $pages; do
	said=$(man --warnings -l "$POSTERN_SRC/$page" 2>&1 >"$tmp/page")
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
