#!/bin/sh
# lib/store against kill -9 before each system call, errors of system calls,
# and full disks.
. "${POSTERN_SRC:-.}/t/lib.sh"
tool=$POSTERN_BUILD/t/unit/store-tool
[ -x "$tool" ] || plan_skip "store-tool is not built"
need strace
strace -o /dev/null true 2>/dev/null || plan_skip "strace may not trace here"
LSAN_OPTIONS=detect_leaks=0; export LSAN_OPTIONS

md=$tmp/md
run() { "$tool" "$md"; }
say() { printf '%s\n' "$@" | run; }
# The recorded times are proven: nobody reads the folder without a reason.
prove() { say "open $1" 'wait 200' sync 'wait 200' sync; }
reads() { # reads MAILBOX: how often an opening reads a folder
	echo "examine $1" | strace -o "$tmp/log" -e trace=getdents64 "$tool" "$md" >/dev/null
	grep -c '^getdents64' "$tmp/log"
}
base() { # a mailbox with a history, in $tmp/base
	rm -rf "$md"
	{ say 'create box' 'deliver INBOX m1' 'deliver INBOX m2' 'open INBOX' \
	    'add 1 F k' 'append INBOX S m3' 'expunge 2'
	prove INBOX; prove box
	} >/dev/null
	valid=$(validity INBOX)
	rm -rf "$tmp/base"; cp -a "$md" "$tmp/base"
}
# uid:text of each message.  One whose file lies in tmp/ after an opening is
# as good as lost: it will be swept.
state() { # state MAILBOX
	say "open $1" names >"$tmp/names"
	sed -n 's/^\([0-9]*\) .*/\1/p' "$tmp/names" >"$tmp/uids"
	for file in "$md$(folder "$1")/tmp"/*; do
		grep -qF " ${file##*/}" "$tmp/names" && printf 'in tmp/: '
	done
	{ echo "open $1"; sed 's/^/read /' "$tmp/uids"; } | run | sed 1d |
	    sed 's/^[0-9]* //' | paste -d: "$tmp/uids" - | tr '\n' ' '
}
folder() {
	case $1 in
	INBOX) ;;
	*) printf '/.%s' "$1" | tr / . | sed 's/^./\//' ;;
	esac
}
validity() { say "open $1" validity | sed -n '2s/ .*//p'; }
calls='openat,rename,renameat,renameat2,link,linkat,unlink,unlinkat,write,pwrite64,fsync,fdatasync,ftruncate,mkdirat,fallocate,utimensat'

# Kills the tool before each of its calls, one after the other, in the middle
# of a command, and asks `judge' what is there then.
killed() { # killed WHAT COMMAND...
	what=$1; shift
	printf '%s\n' "$@" >"$tmp/script"
	rm -rf "$md"; cp -a "$tmp/base" "$md"
	strace -o "$tmp/log" -e trace="$calls" "$tool" "$md" <"$tmp/script" >/dev/null
	bad=; points=0
	for call in $(sed -n 's/^\([a-z0-9_]*\)(.*/\1/p' "$tmp/log" | sort -u); do
		n=$(grep -c "^$call(" "$tmp/log")
		i=1
		while [ $i -le "$n" ]; do
			points=$((points + 1))
			rm -rf "$md"; cp -a "$tmp/base" "$md"
			strace -o /dev/null -e trace="$call" \
			    -e inject="$call:signal=KILL:when=$i" "$tool" "$md" \
			    <"$tmp/script" >"$tmp/said" 2>/dev/null
			judge || bad="$bad $call/$i"
			i=$((i + 1))
		done
	done
	is "$bad" '' "$what: killed at $points points"
}
base
is "$(reads INBOX) $(reads box)" '0 0' 'the folders are not read without a reason'
inbox=$(state INBOX)
is "$inbox" '1:m1 3:m3 ' 'before'
judge() { # what was acknowledged is there, the rest at most once
	got=$(state INBOX)
	case $got in
	'1:m1 3:m3 ') ! grep -q '^uid' "$tmp/said" ;;
	'1:m1 3:m3 4:m4 ' | '1:m1 3:m3 5:m4 ') true ;;
	*) false ;;
	esac && [ "$(validity INBOX)" = "$valid" ]
}
killed 'append' 'append INBOX FS m4'
judge() {
	got=$(state INBOX); there=$(state box)
	case $got in
	'1:m1 3:m3 ') ;;
	*) return 1 ;;
	esac
	case $there in
	'') ! grep -q '^uids' "$tmp/said" ;;
	'1:m1 2:m3 ') true ;;
	*) false ;;
	esac
}
killed 'copy of two, all or none' 'open INBOX' 'copy * box'
judge() { # never in neither
	case "$(state INBOX)|$(state box)" in
	'1:m1 3:m3 |' | '1:m1 3:m3 |1:m3 ') ! grep -q '^uids' "$tmp/said" ;;
	'1:m1 |1:m3 ') true ;;
	*) false ;;
	esac
}
killed 'move' 'open INBOX' 'move 3 box'
judge() {
	got=$(say 'open INBOX' ls | sed -n 's/^1 //p')
	case $got in
	'F k') [ "$(grep -c ok "$tmp/said")" -lt 2 ] ;;
	'FS k' | 'FS k recent') true ;;
	*) false ;;
	esac && [ "$(state INBOX)" = '1:m1 3:m3 ' ] && [ "$(validity INBOX)" = "$valid" ]
}
killed 'flags' 'open INBOX' 'add 1 S'
judge() {
	case $(state INBOX) in
	'1:m1 3:m3 ') [ "$(grep -c ok "$tmp/said")" -lt 2 ] ;;
	'1:m1 ') true ;;
	*) false ;;
	esac && [ "$(validity INBOX)" = "$valid" ]
}
killed 'expunge' 'open INBOX' 'expunge 3'
say 'deliver INBOX m4' 'deliver INBOX m5' >/dev/null
rm -rf "$md"; cp -a "$tmp/base" "$md"
say 'deliver INBOX m4' 'deliver INBOX m5' >/dev/null
rm -rf "$tmp/base"; cp -a "$md" "$tmp/base"
judge() {
	case $(state INBOX) in
	'1:m1 3:m3 4:m4 5:m5 ') [ "$(validity INBOX)" = "$valid" ] ;;
	*) false ;;
	esac
}
killed 'first sight of two deliveries' 'open INBOX'
base
: >"$md/postern.journal"; rm -f "$md/postern.index"
rm -rf "$tmp/base"; cp -a "$md" "$tmp/base"
judge() {
	case $(state INBOX) in
	'1:m1 3:m3 ') [ "$(validity INBOX)" -gt "$valid" ] ;;
	*) false ;;
	esac
}
killed 'rebuilding' 'open INBOX'
base
{ echo 'open INBOX'
i=0; while [ $i -lt 700 ]; do echo 'add 1 R'; echo 'remove 1 R'; i=$((i + 1)); done
} | run >/dev/null
rm -rf "$tmp/base"; cp -a "$md" "$tmp/base"
ok $(($(stat -c %s "$md/postern.journal") < 65536)) 'the journal is due to be folded'
before=$(stat -c %i "$md/postern.journal")
judge() {
	[ "$(state INBOX)" = '1:m1 3:m3 ' ] && [ "$(validity INBOX)" = "$valid" ] &&
	    [ "$(say 'open INBOX' ls | sed -n 's/^1 //p')" = 'F k' ] &&
	    like_append
}
like_append() { [ "$(say 'append INBOX - m6')" = 'uid 4' ]; }
killed 'folding the journal into the index' 'open INBOX' sync
base
judge() {
	# All of it or nothing, whatever the next one to open it wants.
	case $(say list) in
	'INBOX a a/b a/b/c box') ! grep -q ok "$tmp/said" && at=a ;;
	'INBOX box x x/b x/b/c') at=x ;;
	*) false ;;
	esac && [ "$(state $at/b/c)$(state $at)" = '1:mc 1:ma ' ] &&
	    [ ! -e "$md/postern.rename" ]
}
say 'create a' 'create a/b' 'create a/b/c' 'append a/b/c - mc' 'append a - ma' >/dev/null
rm -rf "$tmp/base"; cp -a "$md" "$tmp/base"
killed 'renaming a tree' 'rename a x'
# What fails on the way is taken back.
rm -rf "$md"; cp -a "$tmp/base" "$md"
strace -o /dev/null -e trace=renameat2 -e inject=renameat2:error=EIO:when=3 "$tool" "$md" \
    <<-END >"$tmp/said"
	rename a x
END
is "$(cat "$tmp/said") $(say list)" 'error EIO INBOX a a/b a/b/c box' 'a rename that fails is undone'
[ ! -e "$md/postern.rename" ]; ok $? 'and leaves no record'
judge() {
	case $(say list) in
	'INBOX a a/b a/b/c box') ! grep -q ok "$tmp/said" ;;
	'INBOX a a/b a/b/c box new') say 'delete new' >/dev/null ;;
	*) false ;;
	esac && [ "$(say 'rename box new' list 'create box' list)" = 'ok
INBOX a a/b a/b/c new
ok
INBOX a a/b a/b/c box new' ]
}
killed 'making a mailbox' 'create new'
judge() {
	case $(say list) in
	'INBOX a a/b a/b/c box') ! grep -q ok "$tmp/said" ;;
	'INBOX a a/b box') say 'create q' >/dev/null; ! ls "$md" | grep -q gone ;;
	*) false ;;
	esac
}
killed 'deleting a mailbox' 'delete a/b/c'
judge() {
	# Each message once: what is in the new one has left INBOX.
	case "$(say list >/dev/null; state INBOX)|$(state in)" in
	'1:m1 3:m3 |') ! grep -q ok "$tmp/said" ;;
	'|1:m1 2:m3 ') true ;;
	*) false ;;
	esac && [ ! -e "$md/postern.rename" ]
}
killed 'renaming INBOX' 'rename INBOX in'

# --- errors instead of death: nothing acknowledged is lost, and all is well
# as soon as the error is over
failing() { # failing WHAT ERROR COMMAND...
	what=$1 error=$2; shift 2
	printf '%s\n' "$@" >"$tmp/script"
	rm -rf "$md"; cp -a "$tmp/base" "$md"
	strace -o "$tmp/log" -e trace="$calls" "$tool" "$md" <"$tmp/script" >/dev/null
	bad=; points=0
	for call in pwrite64 write fsync fdatasync renameat2 renameat linkat; do
		n=$(grep -c "^$call(" "$tmp/log")
		i=1
		while [ $i -le "$n" ]; do
			points=$((points + 1))
			rm -rf "$md"; cp -a "$tmp/base" "$md"
			strace -o /dev/null -e trace="$call" \
			    -e inject="$call:error=$error:when=$i" "$tool" "$md" \
			    <"$tmp/script" 2>/dev/null >"$tmp/said"
			judge || bad="$bad $call/$i"
			i=$((i + 1))
		done
	done
	is "$bad" '' "$what: $error at $points points"
}
# Where the answer itself could not be written, either is right.
said() { grep -q "$1" "$tmp/said" || ! grep -q error "$tmp/said"; }
base
judge() {
	case $(state INBOX) in
	'1:m1 3:m3 ') ! grep -q '^uid' "$tmp/said" ;;
	'1:m1 3:m3 4:m4 ' | '1:m1 3:m3 5:m4 ') said '^uid' ;;
	*) false ;;
	esac && [ "$(validity INBOX)" = "$valid" ]
}
failing 'append' ENOSPC 'append INBOX FS m4'
failing 'append' EIO 'append INBOX FS m4'
judge() {
	case "$(state INBOX)|$(state box)" in
	'1:m1 3:m3 |') ! grep -q '^uids' "$tmp/said" ;;
	'1:m1 3:m3 |1:m1 2:m3 ') said '^uids' ;;
	*) false ;;
	esac
}
failing 'copy' ENOSPC 'open INBOX' 'copy * box'

# --- another program is always quicker
base
printf '%s\n' 'open INBOX' 'add 1 S' ls >"$tmp/script"
quicker() { # quicker WHEN: the file has another name by then
	strace -o /dev/null -e trace=renameat2 \
	    -e inject=renameat2:error=ENOENT:when="$1" "$tool" "$md" <"$tmp/script"
}
is "$(quicker 1..3 | sed -n '2,3p')" 'ok
1 FS k' 'a flag is stored, however often it takes'
rm -rf "$md"; cp -a "$tmp/base" "$md"
is "$(quicker 1+ | sed -n '2,3p')" 'error EAGAIN
1 F k' 'or it is said that it could not be'

# --- a full disk
base
say 'deliver INBOX m4' >/dev/null
printf '%s\n' 'open INBOX' ls 'read 1' >"$tmp/script"
is "$(strace -o /dev/null -e trace=pwrite64 -e inject=pwrite64:error=ENOSPC "$tool" "$md" <"$tmp/script")" \
'ok
1 F k
3 S appended
end
3 m1' 'no room for a UID: what is known is served'
is "$(state INBOX)" '1:m1 3:m3 4:m4 ' 'and the rest when there is room'
if [ "$(id -u)" -eq 0 ] && mkdir "$tmp/small" &&
    mount -t tmpfs -o size=256k none "$tmp/small" 2>/dev/null; then
	cleanup() { umount "$tmp/small"; }
	md=$tmp/small/md
	mkdir -p "$md/cur" "$md/new" "$md/tmp"
	printf '1000000S\n0 0\n' >"$md/maildirsize"
	say 'append INBOX - first' 'append INBOX - second' 'open INBOX' >/dev/null
	say 'deliver INBOX late' >/dev/null
	head -c 300000 /dev/zero >"$tmp/small/fill" 2>/dev/null
	like "$(say 'append INBOX - third' | tail -n 1)" 'ENOSPC' \
	    'a full disk: APPEND says so'
	is "$(say 'open INBOX' 'expunge 1' sync ls forget ls)" \
'ok
ok
ok
1 - appended gone
2 - appended
3 - recent
end
2 - appended
3 - recent
end' 'a full disk: EXPUNGE works'
	rm "$tmp/small/fill"
	is "$(say 'append INBOX - third' 'open INBOX' ls)" \
'uid 4
ok
2 - appended
3 -
4 - appended
end' 'and all is well when there is room again'
else
	skip 'a full disk' 'not root, or no tmpfs can be mounted'
fi
done_testing
