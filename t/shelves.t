#!/bin/sh
# The house's directions: each shelf of lib/ uses itself and what lies below,
# programs include lib/ and their own folder only, and lib/ neither prints
# nor exits.
. "${POSTERN_SRC:-.}/t/lib.sh"
cd "$POSTERN_SRC" || exit 99

below() { # SHELF: what it may include
	case $1 in
	base) echo base ;;
	text) echo base text ;;
	mail) echo base text mail ;;
	auth) echo base text mail auth ;;
	net) echo base text mail auth net ;;
	store) echo base text mail auth net store ;;
	queue) echo base text mail auth net store queue ;;
	esac
}

# Lines `file: header' of every quoted include.
includes() {
	find "$@" -name '*.[ch]' -exec grep -HE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' {} + |
	    sed 's/:[^"]*"/ /; s/".*//'
}

for shelf in lib/*/; do
	shelf=$(basename "$shelf")
	allowed=" $(below "$shelf") "
	wrong=$(includes "lib/$shelf" | while read -r file header; do
		case $allowed in
		*" ${header%%/*} "*) [ -f "lib/$header" ] && continue ;;
		esac
		echo "$file includes $header"
	done)
	is "$wrong" "" "lib/$shelf uses only what lies below it"
done

# A program's folder is where its own headers lie; imap and pop3 are two
# programs each, and tell theirs apart by not sharing any.
wrong=$(includes handlers mailfs tools | while read -r file header; do
	[ ! -f "lib/$header" ] || continue
	own=$(dirname "$file")
	[ -f "$own/$header" ] && continue
	case $header in
	"$own"/*) [ -f "$header" ] && continue ;;
	esac
	echo "$file includes $header"
done)
is "$wrong" "" "programs include lib/ and their own folder"

wrong=$(find lib -name '*.c' ! -path lib/base/err.c -exec \
    grep -nE '(^|[^a-z_])(exit|_exit|abort|printf|puts|putchar|perror|warn|warnx|err|errx) ?\(' {} + |
    grep -vE '^[^:]*:[0-9]+:[[:space:]]*(\*|/[*/])')
printf '%s\n' "$wrong" | grep -v '^$' |
    grep -vE 'lib/base/(arena|buf|proc|spawn)\.c:' >"$tmp/wrong"
is "$(cat "$tmp/wrong")" "" "lib/ never prints nor exits"

wrong=$(find lib handlers mailfs tools -name '*.[ch]' -exec \
    grep -nE '(^|[^a-z_])(atoi|atol|strtol|strtoul|sscanf|strcpy|strcat|sprintf|vsprintf|gets|system|popen|alloca|mktemp|tmpnam|rand) ?\(' {} + |
    grep -vE '^[^:]*:[0-9]+:[[:space:]]*(\*|/[*/])')
is "$wrong" "" "none of the functions that overflow, guess or run a shell"

# make check runs them as programs.
wrong=$(find t -name '*.t' ! -path '*/_build/*' ! -perm -u+x)
is "$wrong" "" "every test can be run"
done_testing
