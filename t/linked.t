#!/bin/sh
# What each built program links, and how it was built: the table of
# dependencies holds, and every program is hardened.
. "${POSTERN_SRC:-.}/t/lib.sh"
need readelf
need nm
grep -q '^#define POSTERN_SANITIZE 1' "$POSTERN_BUILD/config.h" &&
	plan_skip "built with sanitizers"

needed() { # PROGRAM: the libraries, without libc
	readelf -dW "$POSTERN_STAGE/$1" |
	    sed -n 's/.*(NEEDED).*\[lib\([a-z0-9_-]*\)[-.0-9]*\.so.*/\1/p' |
	    grep -vxE 'c|ld-linux-x86' | sort | tr '\n' ' '
}

allowed() { # PROGRAM: an extended pattern of what it may link besides libc
	case $1 in
	imap-login|pop3-login|smtpd|remote) echo 'gnutls|cdb|resolv' ;;
	signer) echo gnutls ;;
	checkpw) echo 'gnutls|crypt|cdb' ;;
	imapd|pop3d) echo unistring ;;
	mailfs|postern-mailfs) echo 'fuse3|unistring' ;;
	enqueue|qsend|deliver|bounce|sendmail) echo cdb ;;
	postern*) echo 'cdb|crypt|gnutls|unistring' ;;
	*) echo nothing ;;
	esac
}

count=0
for path in "$POSTERN_STAGE"/*; do
	name=$(basename "$path")
	head -c 4 "$path" | grep -q ELF || continue
	count=$((count + 1))
	libs=$(needed "$name")
	wrong=$(for lib in $libs; do echo "$lib"; done |
	    grep -vxE "$(allowed "$name")")
	is "$wrong" "" "$name links only what it may (${libs% })"

	elf=$(readelf -hdlW "$path")
	like "$elf" 'Type: +DYN' "$name is position independent"
	like "$elf" 'GNU_RELRO' "$name has a read-only GOT"
	like "$elf" '(BIND_NOW|Flags:.* NOW)' "$name binds at start"
	like "$elf" 'GNU_STACK .* RW ' "$name has no executable stack"
	unlike "$elf" 'LOAD .* RWE ' "$name maps nothing writable and executable"
done

# front has rights: what parses or prints anything, or looks up names, is not
# in it.
links() { # PROGRAM: the functions of libraries that it calls
	nm -D --undefined-only "$POSTERN_STAGE/$1" |
	    awk '{ sub("@.*", "", $NF); print $NF }'
}
odd() { # PROGRAM: which of these are of such a kind
	links "$1" | grep -E 'printf|scanf|^get(pw|gr)(nam|[gu]id|ent)|getaddrinfo|^dlopen|^(gnutls|cdb)_' |
	    tr '\n' ' '
}
like "$(links front | tr '\n' ' ')" ' execve .* setresuid ' "front's calls are seen"
is "$(odd front)" "" "front formats, parses and looks up nothing"
like "$(odd porter) $(odd checkpw)" 'getpwnam .*cdb_.*gnutls_' \
    "others do, and that is seen"
[ "$count" -gt 0 ] || skip "hardening" "no program is built"
done_testing
