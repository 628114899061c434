#!/bin/sh
# lib/store, driven by t/unit/store-tool: names, deliveries, flags, copies,
# changes from outside, damage, and several processes at once.
. "${POSTERN_SRC:-.}/t/lib.sh"
tool=$POSTERN_BUILD/t/unit/store-tool
model=$POSTERN_BUILD/t/unit/store-model
[ -x "$tool" ] || plan_skip "store-tool is not built"

md=$tmp/md
run() { "$tool" "$md"; } # commands on fd 0
say() { printf '%s\n' "$@" | run; }
fresh() { rm -rf "$md"; }
# uid and text of each message
texts() {
	say 'open INBOX' ls | sed -n 's/^\([0-9]*\) .*/\1/p' >"$tmp/uids"
	{ echo 'open INBOX'; sed 's/^/read /' "$tmp/uids"; } | run |
	    sed 1d | sed 's/^[0-9]* //' | paste -d' ' "$tmp/uids" -
}
validity() { say 'open INBOX' validity | sed -n '2s/ .*//p'; }

# --- names
is "$(say 'folder inbox' 'folder a/b' 'folder a.b/c' 'folder inbox/x' \
    'folder Entwürfe' 'folder R&D' 'folder é.b')" \
'. INBOX
.a.b a/b
.a&AC4-b.c a.b/c
.INBOX.x INBOX/x
.Entw&APw-rfe Entwürfe
.R&-D R&D
.&AOk-&AC4-b é.b' 'names go to folders and back'
esc=$(printf '\033')
deep=$(printf 'a/%.0s' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)a
long=$(printf '%0201d' 0)
for name in .. ../x a/../b a/.. ./a . / //a /etc/passwd a//b a/ .INBOX ..a \
    '~' '~root' '*' '=?a' '=?'  '=?/=?' 'a%' "a${esc}[2J" "$deep" "$long" \
    "$(printf '\300\256\300\256')" "$(printf '\355\240\200')" \
    "$(printf 'a\342\200\256b')" "$(printf 'a\342\200\213b')" -rf; do
	got=$(say "folder $name" "create $name" "delete $name" \
	    "rename $name x" "subscribe $name" "open $name" "status $name")
	is "$got" "$(printf 'error EINVAL\n%.0s' 1 2 3 4 5 6 7)" \
	    "refused everywhere: $(printf %s "$name" | cut -c1-20 | tr -cd ' -~')"
done
fresh
mkdir -p "$md/cur" "$md/new" "$md/tmp"
for bad in '&AC4ALg-' '&AGE-' '&AC8-' '&AAA-' 'a&' '&2AA-' '&Jjo!-' INBOX inbox; do
	mkdir -p "$md/.$bad/cur"
done
mkdir -p "$md/.good/cur" "$md/.nocur"
ln -s /etc "$md/.link"
is "$(say list)" 'INBOX =?&2AA- =?&AAA- =?&AC4ALg- =?&AC8- =?&AGE- =?&Jjo!- =?INBOX =?a& =?inbox good' \
    'foreign folders are shown with their names on disk'

# --- the tree
fresh
is "$(say 'create a/b' 'create a' 'create a' 'create inbox' 'delete x' \
    'delete INBOX' 'rename a a/c' 'rename x y' 'create q' 'rename a q' list \
    'rename a z/a' list 'delete z/a' list 'exists z/a' 'exists z/a/b')" \
'ok
ok
error EEXIST
error EEXIST
error ENOENT
error EBUSY
error EINVAL
error ENOENT
ok
error EEXIST
INBOX a a/b q
ok
INBOX q z/a z/a/b
ok
INBOX q z/a/b
0
1' 'create, rename with children, delete without them'
is "$(say 'subscribe a.b/c' 'subscribe inbox' 'subscribe x' 'unsubscribe x' \
    'subscribe inbox' subs; cat "$md/subscriptions")" \
'ok
ok
ok
ok
ok
INBOX a.b/c
a&AC4-b.c
INBOX' 'subscriptions'
printf 'V\t2\n\nLists\tgo.lang\nINBOX\n' >"$md/subscriptions"
is "$(say subs)" 'INBOX Lists/go.lang' "subscriptions of Dovecot's second form"
v1=$(say 'create v' 'open v' validity | tail -n 1)
v2=$(say 'delete v' 'create v' 'open v' validity | tail -n 1)
ok $((${v1%% *} >= ${v2%% *})) 'a mailbox made anew has a greater UIDVALIDITY'
printf '4294967290\n' >"$md/postern.uidvalidity"
is "$(say 'create w' 'open w' validity | tail -n 1 | cut -d' ' -f1)" 4294967291 \
    'UIDVALIDITY grows past the clock'

# --- messages
fresh
out=$(say 'deliver INBOX one' 'deliver INBOX two' 'status INBOX' \
    'examine INBOX' ls 'open INBOX' ls 'open INBOX' ls)
is "$out" 'ok
ok
messages=2 recent=2 unseen=2 uidnext=3 size=10
ok
1 - recent new
2 - recent new
end
ok
1 - recent
2 - recent
end
ok
1 -
2 -
end' 'deliveries: STATUS and EXAMINE leave them new, the first SELECT has them recent'
like "$(ls "$md/cur" | head -n 1)" ',S=4,W=5,U=1:2,$' 'the name in cur/'
is "$(say 'open INBOX' 'add 1 SF work' 'add 2 T' 'remove 1 F' ls 'set 2 D' ls \
    'add 1 - home' ls)" \
'ok
ok
ok
ok
1 S work
2 T
end
ok
1 S work
2 D
end
ok
1 S work home
2 D
end' 'flags and keywords'
like "$(ls "$md/cur" | tr '\n' ' ')" ',U=1:2,S .*,U=2:2,D ' 'flags in names'
is "$(say 'open INBOX' 'append INBOX SP three' sync ls 'read 3' 'copy * INBOX' \
    sync ls 'expunge 2' ls forget ls)" \
'ok
uid 3
ok
1 S work home
2 D
3 SP appended
end
6 three
uids 4 5 6
ok
1 S work home
2 D
3 SP appended
4 S work home
5 D
6 SP appended
end
ok
1 S work home
2 D gone
3 SP appended
4 S work home
5 D
6 SP appended
end
1 S work home
3 SP appended
4 S work home
5 D
6 SP appended
end' 'append, copy and expunge'
is "$(say 'copy 1 none' 'open INBOX' 'copy 1 none' 'create arch' 'move 3 arch' ls \
    'open arch' ls 'status arch')" \
'what?
ok
error ENOENT
ok
uids 1
1 S work home
3 SP appended gone
4 S work home
5 D
6 SP appended
end
ok
1 SP appended
end
messages=1 recent=0 unseen=0 uidnext=2 size=7' 'move'
is "$(say 'open INBOX' names | sed -n 's/.*\(id=[0-9a-f]*\).*/\1/p' | sort -u | wc -l)" 4 \
    'every copy has an id of its own'
before=$(say 'open INBOX' names | sed -n 's/^1 .*\(id=[0-9a-f]*\).*/\1/p')
is "$(say 'open INBOX' 'move 1 arch' 'open arch' names |
    sed -n 's/^2 .*\(id=[0-9a-f]*\).*/\1/p')" "$before" 'a move keeps the id'
is "$(say 'rename inbox old/in' list 'open old/in' ls 'open INBOX' ls)" \
'ok
INBOX arch old/in
ok
1 S work home
2 D
3 SP appended
end
ok
end' 'renaming INBOX moves its messages'
fresh
is "$(say 'open INBOX' 'deliver INBOX a' sync ls 'open INBOX' \
    "$(printf 'add 1 - %063d' 0)" "$(printf 'add 1 - %064d' 0)" 'add 1 - a"b')" \
'ok
ok
ok
1 - recent
end
ok
ok
error EINVAL
error EINVAL' 'what a keyword can be'
is "$(i=0; { echo open INBOX; while [ $i -lt 65 ]; do echo "add 1 - k$i"; i=$((i + 1)); done; } |
    run | tail -n 3)" \
'ok
error ENOSPC
error ENOSPC' 'no more than 64 keywords'

# --- other programs
fresh
say 'deliver INBOX one' 'deliver INBOX two' 'deliver INBOX three' 'create sub' \
    'open INBOX' 'open sub' >/dev/null
is "$({ echo 'open INBOX'; sleep 0.1
	mv "$md"/cur/*,U=1:2, "$md/$(basename "$md"/cur/*,U=1:2, | sed 's|^|cur/|')S"
	rm "$md"/cur/*,U=2:2,
	printf 'From: x\nfoo\n' >"$md/cur/123.foreign:2,F"
	printf 'y\n' >"$md/new/124.plain"
	mv "$md"/cur/*,U=3:2, "$md/.sub/cur"
	echo sync; echo ls; echo 'read 4'; echo 'open sub'; echo ls; } | run)" \
'ok
ok
1 S changed
2 - gone
3 - gone
4 F
5 - recent
end
12 From: x
foo
ok
1 -
end' 'flags, removals, arrivals and moves of other programs'
like "$(ls "$md/.sub/cur")" ',U=1:2,$' 'a wrong UID in a name is mended'
like "$(ls "$md/cur" | grep foreign)" '^123\.foreign:2,F$' 'a name in cur/ stays'
is "$({ echo 'open INBOX'; sleep 0.1
	mv "$md/cur/123.foreign:2,F" "$md/cur/123.foreign:2,FRa"
	echo 'add 4 S'; echo ls; echo 'read 4'; } | run)" \
'ok
ok
1 S
4 RFS changed
5 -
end
12 From: x
foo' 'a flag is stored on a file that another program renamed'
is "$({ echo 'open INBOX'; sleep 0.1
	mv "$md/cur/123.foreign:2,FRSa" "$md/cur/123.foreign:2,DFRa"
	echo 'read 4'; sleep 0.1; echo sync; sleep 0.1; echo sync; echo 'open INBOX'; echo ls
	} | run | grep '^4')" '4 RFD' 'a name that was looked up to read is journaled, too'
mv "$md/cur/123.foreign:2,DFRa" "$md/cur/123.foreign:2,FRSa"
is "$({ echo 'open INBOX'; sleep 0.1
	mv "$md/cur/1.gone:2," "$md/cur/1.gone:2,P"
	echo 'expunge 6'; echo ls; } | { : >"$md/cur/1.gone:2,"; run; } | sed '1,/^5/d')" \
'6 - gone
end' 'a message that another program renamed is expunged'
is "$({ echo 'open INBOX'; sleep 0.1
	: >"$md/cur/200.empty:2,"; mkdir "$md/cur/201.dir"; mkfifo "$md/cur/202.fifo"
	ln -s /etc/passwd "$md/cur/203.link"; ln -s 203.link "$md/cur/204.link"
	: >"$md/cur/205.x:1,x"; : >"$md/cur/206.y,S=99999999999999999999,W=-1:2,SSSS"
	: >"$md/cur/$(printf '207.\033[2J'):2,F"; : >"$md/cur/.hidden"
	: >"$md/cur/$(printf '208%0252d' 0)"
	echo sync; echo ls; } | run | sed '1,/^5/d')" \
'7 -
8 -
9 -
10 S
11 F
end' 'strange names and things that are no files'
is "$(cat "$md/cur/203.link" | head -c 5)" root: 'links are left alone'
fresh
say 'deliver INBOX x' 'open INBOX' >/dev/null
cp "$md"/cur/*,U=1:2, "$tmp/x"
name=$(ls "$md/cur"); base=${name%%,*}
sleep 0.1; echo other >"$md/cur/$base:2,S"; ln "$md/cur/$name" "$md/new/$base"
is "$(say 'open INBOX' sync 'open INBOX' ls 'read 2')" \
'ok
ok
ok
1 -
2 S
end
6 other' 'a second file with the same base gets its own, a second link goes'
is "$(ls "$md/new")" '' 'the second link is gone'
mv "$md/cur" "$tmp/away"; ln -s "$tmp/away" "$md/cur"
is "$("$tool" "$md" </dev/null 2>&1 | sed 's/.*: //')" 'Not a directory' \
    'a link in the place of cur is not followed'
rm "$md/cur"; mv "$tmp/away" "$md/cur"; rmdir "$md/new"; ln -s /tmp "$md/new"
like "$(say 'open INBOX' 'deliver INBOX x')" 'error (ELOOP|ENOTDIR)' \
    'nor one in the place of new'

# --- damage
build() {
	fresh
	say 'deliver INBOX m1' 'deliver INBOX m2' 'deliver INBOX m3' 'open INBOX' \
	    'add 1 S kw' 'expunge 2' 'append INBOX F m4' 'append INBOX - m5' \
	    sync 'add 4 T' 'expunge 5' sync >/dev/null
}
build
cp -a "$md" "$tmp/good"
want=$(texts)
valid=$(validity)
is "$want" '1 m1
3 m3
4 m4' 'before the damage'
restore() { rm -rf "$md"; cp -a "$tmp/good" "$md"; }
# Every UID that we see now named the same text before, or is a new one.
agrees() {
	texts >"$tmp/now"
	[ "$(cut -d' ' -f2 "$tmp/now" | sort | tr '\n' ' ')" = 'm1 m3 m4 ' ] &&
	    ! awk '$1 == 2 || $1 == 5 || ($1 <= 4 && $0 !~ /^(1 m1|3 m3|4 m4)$/)' \
	        "$tmp/now" | grep -q .
}
size=$(stat -c %s "$md/postern.journal")
bad=
cut=$((size - 1))
while [ $cut -ge $((size - 130)) ]; do
	restore
	truncate -s $cut "$md/postern.journal"
	agrees || bad="$bad $cut"
	if [ $((cut % 8)) -eq 1 ] && [ "$(validity)" != "$valid" ]; then
		bad="$bad $cut"
	fi
	cut=$((cut - 1))
done
is "$bad" '' 'a journal that is cut off at any byte of its end'
restore
printf X | dd of="$md/postern.journal" bs=1 seek=100 conv=notrunc 2>/dev/null
new=$(validity)
ok $((new <= valid)) 'a damaged journal: UIDVALIDITY grows'
is "$(texts)" "$want" 'and all messages are there'
like "$(ls "$md")" '^postern.journal.bad-' 'the damaged one is kept aside'
like "$(say 'open INBOX' ls)" '^1 S' 'with their flags'
restore
rm "$md/postern.journal"
new=$(validity)
ok $((new <= valid)) 'no journal: UIDVALIDITY grows'
is "$(texts)" "$want" 'UIDs are those of the names'
restore
rm "$md/postern.journal" "$md/postern.index"
new=$(validity)
ok $((new <= valid)) 'neither journal nor index: UIDVALIDITY grows'
is "$(texts)" "$want" 'UIDs are those of the names then, too'
restore
: >"$md/postern.journal"
new=$(validity)
ok $((new <= valid)) 'an empty journal: UIDVALIDITY grows'
is "$(texts)" "$want" 'and nothing else happens'
# An index with messages in it.
big() { # big DIR: a folder whose journal has been folded into the index
	fresh
	{ echo 'deliver INBOX b1'; echo 'deliver INBOX b2'; echo 'deliver INBOX b3'
	echo 'open INBOX'; echo 'expunge 2'
	i=0; while [ $i -lt 800 ]; do
		echo 'add 1 F k'; echo 'remove 1 F k'; i=$((i + 1)); done
	echo sync; echo 'append INBOX - b4'; echo sync; } | run >/dev/null
}
big
cp -a "$md" "$tmp/folded"
is "$(texts)" '1 b1
3 b3
4 b4' 'a snapshot was written'
ok $(($(stat -c %s "$md/postern.index") < 200)) 'and holds messages'
valid=$(validity)
rm "$md/postern.index"
is "$(texts; validity)" "1 b1
3 b3
4 b4
$valid" 'index lost, UIDs proven by the names: all stays'
rm -rf "$md"; cp -a "$tmp/folded" "$md"; rm "$md/postern.index"
mv "$md"/cur/*,U=3:2, "$md/cur/9.x:2,"
new=$(validity)
ok $((new <= valid)) 'index lost, a name without its UID: UIDVALIDITY grows'
for at in 0 20 60 130 180 240 300; do
	rm -rf "$md"; cp -a "$tmp/folded" "$md"
	printf '\377' | dd of="$md/postern.index" bs=1 seek=$at conv=notrunc 2>/dev/null
	is "$(texts; validity)" "1 b1
3 b3
4 b4
$valid" "index damaged at byte $at"
done
rm -rf "$md"; cp -a "$tmp/folded" "$md"; cp "$tmp/good/postern.index" "$md"
new=$(validity)
ok $((new <= valid)) 'an index from elsewhere: UIDVALIDITY grows'

# --- UIDs used up
fresh
out=$(say 'exhaust INBOX' 'append INBOX - a' 'deliver INBOX b' 'open INBOX' ls validity)
like "$(echo $out)" '^ok uid 1 ok ok 1 - appended 2 - recent end [0-9]{10} ' \
    'UIDs begin anew, under another UIDVALIDITY'
say 'exhaust INBOX' >/dev/null; rm -f "$md/postern.index"
out=$(say 'open INBOX' ls validity)
like "$(echo $out)" '^ok 1003 - 1004 - end [0-9]{10} 0000000000000001 1005$' \
    'and those that are there get new ones, behind the UIDs in their names'

# --- who can only read
if [ "$(id -u)" -ne 0 ]; then
	fresh
	say 'deliver INBOX one' 'open INBOX' 'deliver INBOX two' >/dev/null
	chmod 500 "$md" "$md/cur" "$md/new"; chmod 400 "$md/postern.journal"
	is "$(say 'open INBOX' ls 'add 1 S')" 'ok
1 -
end
error EROFS' 'a folder that cannot be written'
	rm -f "$md/postern.journal" 2>/dev/null
	chmod 700 "$md" "$md/cur" "$md/new"
	rm "$md/postern.journal"; chmod 500 "$md" "$md/cur" "$md/new"
	is "$(say 'open INBOX' ls 'read 2' 'add 1 S')" 'ok
1 -
2 - recent new
end
4 two
error EROFS' 'nor has an index'
	chmod 700 "$md" "$md/cur" "$md/new"
else
	skip 'a folder that cannot be written' 'root writes everywhere'
fi

# --- being told
fresh
say 'deliver INBOX one' 'open INBOX' >/dev/null
news() { # news WHAT COMMAND...
	what=$1; shift
	mkfifo "$tmp/in" "$tmp/out"
	run <"$tmp/in" >"$tmp/out" & exec 8>"$tmp/in" 9<"$tmp/out"
	echo 'open INBOX' >&8; read -r _ <&9
	sleep 0.1
	# Our own records in the journal may wake us, too, but not for ever.
	for _ in 1 2 3; do
		echo 'wait 150' >&8; read -r _ <&9; read -r quiet <&9
		echo sync >&8; read -r _ <&9
	done
	echo 'wait 5000' >&8; read -r _ <&9
	"$@"
	read -r got <&9
	exec 8>&- 9<&-; wait $!; rm "$tmp/in" "$tmp/out"
	is "$quiet $got" 'error ETIMEDOUT ok' "told of $what and of nothing before"
}
deliver() { say 'deliver INBOX two' >/dev/null; }
store() { say 'open INBOX' 'add 1 S' >/dev/null; }
outside() { mv "$md"/cur/*,U=1:2,S "$md/cur/1.x:2,"; }
news 'a delivery' deliver
news 'a flag' store
news 'a rename of another program' outside

# --- all at once
seed=${STORE_SEED:-$$}
together() { # together WHAT [kill]
	what=$1; shift
	"$model" "$tmp/model" "${STORE_SECONDS:-2}" "$seed" "$@" >"$tmp/said" 2>&1
	status=$?
	sed 's/^ok/# ok/' "$tmp/said" | grep '^#'
	grep '^not ok' "$tmp/said" | sed 's/^/# /'
	ok $((status != 0 || $(grep -c '^not ok' "$tmp/said") > 0)) \
	    "$what (seed $seed)"
	rm -rf "$tmp/model"
}
together 'several processes and another program at once'
together 'the same, and processes are killed' kill
done_testing
