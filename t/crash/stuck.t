#!/bin/sh
# A message on its way to another mailbox, which can be neither finished nor
# undone: its only file lies in tmp/, and must not be lost there.
. "$(dirname "$0")/../lib.sh"
need strace
tool=$POSTERN_BUILD/t/unit/store-tool
[ -x "$tool" ] || plan_skip "store-tool is not built"
strace -o /dev/null true 2>/dev/null || plan_skip "strace may not trace here"
grep -q '^#define POSTERN_SANITIZE 1' "$POSTERN_BUILD/config.h" &&
	plan_skip "built with sanitizers, whose start makes too many calls"

md=$tmp/md
say() { printf '%s\n' "$@" | "$tool" "$md"; }
box() { # its messages; where their files are; and how many files there are
	say 'open box' ls 'read 1' | sed -n 's/^3 m/m/p' | tr '\n' ' '
	for folder in tmp cur; do
		echo "$folder=$(find "$md/.box/$folder" -name '*,U=1:2,*' | wc -l)"
	done | tr '\n' ' '
}
# Each CALL:ERROR:WHEN is made to fail.
failing() { # failing "CALL:ERROR:WHEN..." COMMAND...
	faults=
	for f in $1; do
		rest=${f#*:}
		faults="$faults -e inject=${f%%:*}:error=${rest%:*}:when=${rest#*:}"
	done
	shift
	# shellcheck disable=SC2086
	printf '%s\n' "$@" | strace -o "$tmp/log" $faults "$tool" "$md"
}
clean() { # clean COMMAND...: what they call when nothing fails, in the log
	rm -rf "$tmp/kept"; cp -a "$md" "$tmp/kept"
	printf '%s\n' "$@" | strace -o "$tmp/log" "$tool" "$md" >/dev/null
	rm -rf "$md"; mv "$tmp/kept" "$md"
}
number() { # number CALL PATTERN: of these calls, the first one like that
	grep "^$1(" "$tmp/log" | grep -n "$2" | head -n 1 | cut -d: -f1
}

# Nobody reads the folder without a reason, as the recorded times are proven.
say 'create box' 'append INBOX - m1' 'append INBOX - m2' 'open INBOX' 'wait 200' \
    sync 'wait 200' sync 'open box' 'wait 200' sync 'wait 200' sync >/dev/null
echo 'examine box' | strace -o "$tmp/log" -e trace=getdents64 "$tool" "$md" >/dev/null
is "$(grep -c '^getdents' "$tmp/log")" 0 'the folder is not read without a reason'

clean 'open INBOX' 'move 1 box'
move=$(number renameat2 ',U=1:2,.*,U=1:2,')
# The frame that says so, and behind it no other one.
sed -i '/renameat2(.*,U=1:2,.*,U=1:2,/,$d' "$tmp/log"
frame=$(grep -c '^pwrite64(' "$tmp/log")
failing "renameat2:ENOSPC:$move+ pwrite64:ENOSPC:$((frame + 1))+" 'open INBOX' 'move 1 box' \
    >"$tmp/said"
is "$(ls "$md/cur" | wc -l) $(ls "$md/.box/tmp" | wc -l) $(ls "$md/.box/cur" | wc -l)" \
    '1 1 0' 'a full disk: neither finished nor undone, and gone where it was'
mv "$md" "$tmp/stuck"
again() { rm -rf "$md"; cp -a "$tmp/stuck" "$md"; }

again
is "$(box)" 'm1 tmp=0 cur=1 ' 'the next opening finishes it'
again
is "$(say 'examine box' 'read 1' | tail -n 1)" '3 m1' 'so does one that only reads'
is "$(ls "$md/.box/tmp" | wc -l)" 0 'and it is in cur/'
for error in ENOSPC EDQUOT EACCES EIO; do
	again
	say 'deliver box m3' >/dev/null
	failing "renameat2:$error:1+" 'open box' >/dev/null
	is "$(box)" 'm1 tmp=0 cur=1 ' "not gone, as a rename says $error"
done
again
say 'deliver box m3' >/dev/null
clean 'open box'
failing "openat:EMFILE:$(number openat '"tmp"')" 'open box' >/dev/null
is "$(box)" 'm1 tmp=0 cur=1 ' 'not gone, as tmp/ cannot be opened'
again
printf '\377\377' | dd of="$md/.box/postern.journal" bs=1 seek=20 conv=notrunc 2>/dev/null
is "$(box)" 'm1 tmp=0 cur=1 ' 'not gone in a repair'
again
printf '\377\377' | dd of="$md/.box/postern.index" bs=1 seek=20 conv=notrunc 2>/dev/null
is "$(box)" 'm1 tmp=0 cur=1 ' 'nor where the index is damaged'

# Two days with a full disk.
if "${CC:-cc}" -shared -fPIC -w -o "$tmp/shim.so" "$(dirname "$0")/shim.c" 2>/dev/null; then
	again
	say 'deliver box m3' >/dev/null
	touch "$md/.box/tmp/forgotten"
	failing 'renameat2:ENOSPC:1+' 'open box' >/dev/null
	printf 'open box\n' | strace -o "$tmp/log" -e inject=renameat2:error=ENOSPC \
	    -E LD_PRELOAD="$tmp/shim.so" -E CLOCK_AHEAD=172800 "$tool" "$md" >/dev/null
	is "$(ls "$md/.box/tmp" | grep -c forgotten)" 0 'what is old is swept'
	is "$(box)" 'm1 tmp=0 cur=1 ' 'but not the only file of a message'
else
	skip 'two days with a full disk' 'no compiler for shim.c'
fi
done_testing
