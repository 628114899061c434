#!/bin/sh
# What each built program links, and how it was built: the table of
# dependencies holds, and every program is hardened.
. "${POSTERN_SRC:-.}/t/lib.sh"
need readelf
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
	porter) echo cdb ;;
	imapd|pop3d) echo unistring ;;
	mailfs|postern-mailfs) echo 'fuse3|unistring' ;;
	enqueue|qspawn|qsend|deliver|bounce|sendmail) echo cdb ;;
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
[ "$count" -gt 0 ] || skip "hardening" "no program is built"
done_testing
