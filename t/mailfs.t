#!/bin/sh
# postern-mailfs: a mounted Maildir, looked at with ordinary tools.
. "${POSTERN_SRC:-$(cd "$(dirname "$0")/.." && pwd)}/t/lib.sh"

[ -e /dev/fuse ] || plan_skip "no /dev/fuse"
LC_ALL=C.UTF-8
export LC_ALL
box=$tmp/Maildir
mnt=$tmp/mnt
keeper=

mounted() { grep -q " $mnt " /proc/self/mounts; }
unmounted() { ! mounted; }
cleanup() {
	cd /
	[ -z "$keeper" ] || kill "$keeper" 2>/dev/null
	if mounted; then
		umount -l "$mnt" 2>/dev/null || fusermount3 -uqz "$mnt"
	fi
	wait_for unmounted
}
# put NAME [FOLDER]: delivers stdin, as a whole.
put() {
	cat >"$box/${2:-.}/tmp/$1"
	mv "$box/${2:-.}/tmp/$1" "$box/${2:-.}/new/$1"
}
shows() { ls "$mnt/${2:-INBOX}" | grep -q "$1"; }
hidden() { ! shows "$@"; }
# The processes that have the mount, by their parent.
daemon() { ps -o pid= --ppid "$keeper" | tr -d ' '; }
start() {
	postern-mailfs -f "$@" "$box" "$mnt" 2>"$tmp/err" &
	keeper=$!
	wait_for mounted
}

umask 022
chmod 755 "$tmp"
mkdir -p "$mnt" "$box"
chmod 700 "$box"
mkdir "$box/cur" "$box/new" "$box/tmp"
for f in .Lists.golang .Lists.golang.old; do
	mkdir "$box/$f" "$box/$f/cur" "$box/$f/new" "$box/$f/tmp"
done

{
	printf 'From: =?utf-8?q?Alice_Ex=C3=A4mple?= <alice@example.org>\n'
	printf 'To: bob@example.org\nSubject: =?utf-8?q?Mittagessen_am'
	printf '_Freitag=3F?=\nMIME-Version: 1.0\n'
	printf 'Content-Type: text/plain; charset=iso-8859-1\n'
	printf 'Content-Transfer-Encoding: quoted-printable\n\n'
	printf 'Gr=FC=DFe\nlast line\n'
} | put 1000000001.M1P1Q1.h
{
	printf 'From: shop@example.com\nSubject: Invoice\nMIME-Version: 1.0\n'
	printf 'Content-Type: multipart/mixed; boundary=b\n\n--b\n\nsee below\n'
	for i in 1 2; do
		printf -- '--b\nContent-Type: application/pdf\n'
		printf 'Content-Disposition: attachment; filename="in voice.pdf"\n'
		printf 'Content-Transfer-Encoding: base64\n\n'
		printf 'pdf %s\n' "$i" | base64
	done
	printf -- '--b--\n'
} | put 1000000002.M1P1Q1.h
printf 'From: dev@go.example\nSubject: generics\n\nlong thread\n' |
	put 1000000003.M1P1Q1.h .Lists.golang

postern-mailfs "$tmp/none" "$mnt" 2>/dev/null; is $? 111 'no Maildir: 111'
postern-mailfs 2>/dev/null; is $? 100 'usage: 100'
postern-mailfs -o suid "$box" "$mnt" 2>/dev/null
is $? 100 'suid is no option'
start || plan_skip "cannot mount here: $(head -n 1 "$tmp/err")"
wait_for ls "$mnt/INBOX"

# Names.
is "$(ls "$mnt")" "INBOX
Lists
README" 'the top lists mailboxes and README'
is "$(ls "$mnt/Lists" "$mnt/Lists/golang/old")" "$mnt/Lists:
golang

$mnt/Lists/golang/old:" 'mailboxes nest'
day='[0-9]{4}-[0-9]{2}-[0-9]{2}_[0-9]{4}'
id='[0-9a-hjkmnp-tv-z]{12}'
like "$(ls "$mnt/INBOX")" \
	"^${day}_Alice-Exämple_Mittagessen-am-Freitag\\.$id\\.txt\$" \
	'a message is named by date, sender, subject and id'
like "$(ls "$mnt/INBOX")" "^${day}_shop_Invoice\\.$id\\.txt\$" \
	'without a name the local part'
alice=$(echo "$mnt"/INBOX/*Alice*.txt)
shop=$(echo "$mnt"/INBOX/*shop*.txt)
grep -q INBOX "$mnt/README"; ok $? 'README can be read'

# The text view, by every way to read.
is "$(cat "$alice")" 'From: Alice Exämple <alice@example.org>
To: bob@example.org
Subject: Mittagessen am Freitag?

Grüße
last line' 'cat shows decoded text'
is "$(tail -n 1 "$alice")" 'last line' 'tail'
is "$(grep -rl Grüße "$mnt/INBOX")" "$alice" 'grep -r finds decoded text once'
cp "$alice" "$tmp/copy" && cmp -s "$tmp/copy" "$alice"; ok $? 'cp'
n=$(stat -c %s "$alice")
is "$(wc -c <"$alice") $(cat "$alice" | wc -c) $(dd if="$alice" bs=7 \
	2>/dev/null | wc -c)" "$n $n $n" 'all tools count the same bytes'
like "$(cat "$shop")" 'in.voice\.pdf.*application/pdf' \
	'an attachment is one line of the text'

# Sizes of everything, before it is opened for the first time.
sizes() {
	find "$1" -type f -size -100k | while read -r f; do
		s=$(stat -c %s "$f")
		[ "$(cat "$f" | wc -c)" -eq "$s" ] || echo "$f $s"
	done
}
is "$(sizes "$mnt"; sizes "$mnt/.eml"; sizes "$mnt/.msg")" '' \
	'every size is exact, in all trees'
is "$(find "$mnt" -type f | wc -l)" 4 'find sees each message once'

# Other views.
base=$(basename "$alice" .txt)
m1=$(find "$box/cur" "$box/new" -name '1000000001*')
m2=$(find "$box/cur" "$box/new" -name '1000000002*')
cmp -s "$mnt/.eml/INBOX/$base.eml" "$m1"; ok $? '.eml is the exact bytes'
cmp -s "$mnt/INBOX/$base.eml" "$m1"; ok $? 'and beside the text, unlisted'
is "$(sed -n 's/^Subject: //p' "$mnt/INBOX/$base.hdr")" \
	'Mittagessen am Freitag?' '.hdr is the decoded header'
is "$(ls "$mnt/.eml/INBOX" | grep -c 'eml$')" 2 '.eml lists .eml'
key=${base##*.}
cmp -s "$mnt/INBOX/$key.txt" "$alice"; ok $? 'the id alone names a message'
cmp -s "$mnt/INBOX/@last.txt" "$shop"; ok $? '@last is the newest'
cmp -s "$mnt/INBOX/@-2.txt" "$alice"; ok $? '@-2 the last but one'
cmp -s "$mnt/INBOX/@$(cat "$mnt/.msg/$key/uid").txt" "$alice"
ok $? '@UID names a message'
for f in x.txt "wrong.$key.txt" @0.txt @99.txt @-9.txt @x.txt .git "$key"; do
	[ ! -e "$mnt/INBOX/$f" ]; ok $? "no $f"
done
dir=$mnt/.msg/INBOX/$(basename "$shop" .txt)
is "$(ls "$dir/attach")" "$(printf '%s\n' "$(ls "$dir/attach" |
	grep '^[0-9]*_in-voice.pdf')" in-voice.pdf)" \
	'attachments have their own names'
is "$(cat "$dir/attach/in-voice.pdf")" 'pdf 1' 'an attachment is decoded'
is "$(cd "$mnt" && sed -n 's/^\[.* bytes: \(.*\)\]$/\1/p' "$shop" |
	while read -r f; do cat "$f" && echo; done | grep -c '^pdf [12]$')" 2 \
	'the paths in the text lead to the attachments'
is "$(cat "$dir"/attach/[0-9]*)" 'pdf 2' 'the second of that name too'
is "$(cat "$dir/subject" "$dir/from" "$dir/mailbox" "$dir/flags")" "Invoice
shop@example.com
INBOX" 'fields of .msg'
is "$(cat "$dir/2/type")" 'application/pdf' 'parts of .msg'
cmp -s "$dir/raw" "$m2"; ok $? '.msg/raw is the exact bytes'
is "$(cat "$mnt/.msg/$key/subject")" 'Mittagessen am Freitag?' \
	'.msg by id alone'

# Extended attributes, by python: getfattr is not everywhere.
if command -v python3 >/dev/null; then
	is "$(python3 - "$alice" "$mnt/README" <<'EOF'
import errno, os, sys
f, readme = sys.argv[1:]
for n in "subject", "mailbox":
    print(os.getxattr(f, "user.mail." + n).decode())
print(all(os.getxattr(f, n) is not None for n in os.listxattr(f)))
print(len(os.listxattr(f)) > 5, os.listxattr(readme))
for n in "user.none", "security.selinux", "system.posix_acl_access":
    try:
        os.getxattr(f, n)
    except OSError as e:
        print(errno.errorcode[e.errno])
EOF
	)" "Mittagessen am Freitag?
INBOX
True
True []
ENODATA
ENOTSUP
ENOTSUP" 'extended attributes'
else
	skip 'extended attributes' 'no python3'
fi

# Reading changes nothing.
is "$(find "$box/new" -type f | wc -l) $(find "$box/cur" -type f | wc -l)" \
	'2 0' 'messages stay in new'

# Flags and times.
unread() { [ "$(stat -c %X "$1")" -lt "$(stat -c %Y "$1")" ]; }
unread "$alice"; ok $? 'unread: newer than its last reading'
mv "$box/new/1000000001.M1P1Q1.h" "$box/cur/1000000001.M1P1Q1.h:2,FS"
is_flagged() { [ "$(stat -c %A "$1")" = -r-x------ ]; }
wait_for is_flagged "$alice"; ok $? 'flagged: the x bit'
! unread "$alice"; ok $? 'read: not newer'
"$alice" 2>/dev/null; is $? 126 'nothing can be run'
is "$(cat "$mnt/.msg/$key/flags")" 'seen flagged' '.msg/flags'
is "$(stat -c %Y "$alice")" "$(cat "$mnt/.msg/$key/unixdate")" \
	'mtime is the arrival'

# Others change the mailbox.
printf 'From: carol@x.example\nSubject: news\n\nhello\n' |
	put 1000000009.M1P1Q1.h
ls "$mnt/INBOX" | grep -q news; ok $? 'a new message shows at once'
rm "$box/new/1000000009.M1P1Q1.h"
wait_for hidden news; ok $? 'a removed message goes'
exec 5<"$mnt/.eml/INBOX/$(basename "$shop" .txt).eml"
stat "$shop" >/dev/null
rm "$m2"
gone() { [ ! -e "$shop" ]; }
wait_for gone; ok $? 'so does a name that was known'
cat <&5 | grep -q '^Subject: Invoice'; ok $? 'an open file stays'
exec 5<&-
mkdir "$box/.New" "$box/.New/cur" "$box/.New/new" "$box/.New/tmp"
ls "$mnt" | grep -qx New; ok $? 'a new mailbox shows'
printf 'Subject: x\n\n' | put 1000000010.M1P1Q1.h .New
shows no-subject New || shows x New; ok $? 'with its messages'
mv "$box/.New" "$box/.Old"
mkdir "$box/.New" "$box/.New/cur" "$box/.New/new" "$box/.New/tmp"
is "$(ls "$mnt/New")" '' 'another one of its name is another one'
shows no-subject Old || shows x Old; ok $? 'a renamed one keeps its messages'
rm -r "$box/.New"
ls "$mnt" | grep -qx New; is $? 1 'a deleted one goes'
rm -r "$box/.Old"

# A mailbox that is busy for a while: what is gone from it is soon not shown.
i=0
while [ $i -lt 60 ]; do
	i=$((i + 1))
	printf 'Subject: churn\n\n' | put $((1200000000 + i)).M1P1Q1.h
	ls "$mnt/INBOX" >/dev/null
	[ $i -le 5 ] || rm "$box/new/$((1200000000 + i - 5)).M1P1Q1.h"
done
settled() { [ "$(ls "$mnt/INBOX" | grep -c churn)" -eq 5 ]; }
n=0
until settled || [ $n -ge 30 ]; do n=$((n + 1)); sleep 0.1; done
settled; ok $? 'after much coming and going the list is right'
rm "$box"/new/12000000*

# Names that are meant to harm (T-TTY-1).
i=20
esc=$(printf '\033')
while IFS= read -r subject; do
	i=$((i + 1))
	printf 'From: "%s" <a@x>\nSubject: %s\n\n%s\n' "$subject" "$subject" \
		"$subject" | put "10000000$i.M1P1Q1.h" .Lists.golang
done <<EOF
${esc}]0;x$(printf '\007')${esc}[6n${esc}[2J
${esc}]52;c;cm0gLXJm$(printf '\007')
../../../etc/passwd
-rf * ; rm x \`id\` \$(id) | > < & ! # ~ ? [a] {b} ' "
$(printf '\302\23331m C1 \177 \b')
$(printf 'evil \342\200\256txt.exe \342\201\246 \342\200\213 \363\240\200\201')
$(printf 'bad \377\376 \300\257 \355\240\200 utf8')
$(printf 'Z\314\200\314\201\314\202\314\203\314\204\314\205 marks')
.hidden
=?utf-8?q?=1b=5d0;x=07=0a=0dHeader:_x/..?=
$(printf '%0300d' 7)
שלום مرحبا привет 你好
EOF
names=$(ls "$mnt/Lists/golang")
is "$(printf '%s\n' "$names" | wc -l)" 14 'all are listed'
is "$(printf '%s\n' "$names" | LC_ALL=C tr -d '[:alnum:]\200-\377@.+=,_\n-')" \
	'' 'by letters, digits and a few signs'
is "$(printf '%s\n' "$names" | LC_ALL=C grep -vE "^(old|$day.*$id\\.txt)$")" \
	'' 'in the one form'
is "$(printf '%s\n' "$names" | iconv -f utf-8 -t utf-8 | LC_ALL=C awk \
	'length > 120')" '' 'in UTF-8, of at most 120 bytes'
is "$(printf '%s\n' "$names" | grep -P '[\p{Cc}\p{Cf}\p{Co}\p{Cn}]')" '' \
	'without controls and formats'
like "$names" 'שלום-مرحبا-привет-你好' 'letters of any script stay'
is "$(cat "$mnt"/Lists/golang/*.txt | grep -aP '[\x00-\x08\x0b-\x1f\x7f]')" \
	'' 'no control reaches the terminal from the text'
good=0
for f in $(ls "$mnt/Lists/golang"); do
	[ -e "$mnt/Lists/golang/$f" ] && good=$((good + 1))
done
is "$good" 14 'no name needs quotes'

# Many: a listing is read in pieces, each message once.
i=0
while [ $i -lt 600 ]; do
	i=$((i + 1))
	printf 'From: s%s@x\nSubject: number %s\n\nbody %s\n' $i $i $i \
		>"$box/.Lists.golang.old/new/$((1100000000 + i)).M1P1Q1.h"
done
old=$mnt/Lists/golang/old
is "$(ls "$old" | sort -u | wc -l) $(ls -l "$old" | grep -c number) \
$(find "$old" -type f | wc -l)" '600 600 600' '600 messages are listed'
is "$(grep -rh '^body' "$old" | sort -u | wc -l)" 600 'and read'

# Read only.
for c in "touch $mnt/x" "mkdir $mnt/x" "rm $alice" "mv $alice $mnt/x" \
	"chmod +x $alice" "rmdir $mnt/Lists" "ln -s x $mnt/x" \
	"cp $mnt/README $mnt/x" "truncate -s 0 $alice" "touch $alice"
do
	like "$(LC_ALL=C $c 2>&1)" 'Read-only file system' "EROFS: ${c%% *}"
done
opts=$(grep " $mnt " /proc/self/mounts | cut -d' ' -f4)
for o in ro nosuid nodev noexec noatime; do
	like ",$opts," ",$o," "mounted $o"
done
unlike "$opts" 'allow_other' 'for the owner alone'

# The daemon: jailed, and another one takes over when it dies.
d=$(daemon)
if grep -q POSTERN_SANITIZE.1 "$POSTERN_BUILD/config.h" 2>/dev/null; then
	skip 'the daemon is jailed' 'not with sanitizers'
else
	like "$(cat "/proc/$d/status")" '^Seccomp:[^0-9]*2$' \
		'the daemon is jailed'
fi
stat "$alice" >/dev/null
inodes() { find "$mnt" -printf '%i %P\n' | sort | cksum; }
before=$(inodes)
exec 5<"$alice" 6<"$mnt/.msg/$key/subject"
mkdir "$box/.Aaa" "$box/.Aaa/cur" "$box/.Aaa/new" "$box/.Aaa/tmp"
kill -9 "$d"
wait_for ls "$mnt"
rmdir "$box/.Aaa"/* "$box/.Aaa"
is "$(tail -n 1 "$alice")" 'last line' 'the mount outlives its daemon'
is "$(ls "$old" | wc -l)" 600 'with the same names'
is "$(inodes)" "$before" 'and inode numbers'
exec 7<"$mnt/README"
is "$(cat <&5 | tail -n 1)" 'last line' 'an open file is what it was'
cat <&6 >/dev/null 2>&1
exec 5<&- 6<&-
is "$(head -n 1 <&7)" 'This is your mail.' 'so is one that was opened since'
exec 7<&-
[ "$(daemon)" != "$d" ]; ok $? 'by another one'
mkdir "$box/.README" "$box/.README/cur" "$box/.README/new" "$box/.README/tmp"
is "$(ls -F "$mnt" | grep README)" README/ 'a mailbox README hides the file'
rmdir "$box/.README"/* "$box/.README"

# A header that is longer than what is read first, and cut within a line.
{
	for i in $(seq 60); do
		printf 'Received: from host%03d.example.org by mx.example.org; a long line of 80 bytes\n' "$i"
	done
	printf 'From: far@example.org\nSubject: behind it all\n\nx\n'
} | put 1000000008.M1P1Q1.h
wait_for shows far_behind-it-all; ok $? 'names from a long header'

# Somebody copied a folder: the ids are there twice.
mkdir "$box/.Orig" "$box/.Orig/cur" "$box/.Orig/new" "$box/.Orig/tmp"
printf 'From: twice@example.org\nSubject: twice\n\nx\n' | put 1000000007.M1P1Q1.h .Orig
wait_for shows twice Orig
cp -a "$box/.Orig" "$box/.Copy"
rm -f "$box"/.Copy/postern.*
wait_for shows twice Copy
cat "$mnt"/Copy/* >"$tmp/copy"; ok $? 'a copied folder'
cat "$mnt"/Orig/* >"$tmp/orig"; ok $? 'and the one it was copied from'
cmp -s "$tmp/copy" "$tmp/orig"; ok $? 'have the same message'
rm -r "$box/.Copy" "$box/.Orig" "$box"/new/1000000008.* "$box"/cur/1000000008.* 2>/dev/null
wait_for hidden far_behind

# A walk leaves inotify to other programs: 128 instances for all of a user.
for i in $(seq 60); do
	mkdir "$box/.Many.$i" "$box/.Many.$i/cur" "$box/.Many.$i/new" \
		"$box/.Many.$i/tmp"
done
find "$mnt" >/dev/null
n=$(ls -l "/proc/$(daemon)/fd" | grep -c inotify)
[ "$n" -gt 0 ] && [ "$n" -le 32 ]; ok $? "few folders are watched: $n"
printf 'From: late@example.org\nSubject: unwatched\n\nx\n' |
	put 1000000009.M1P1Q1.h .Many.60
wait_for shows late_unwatched Many/60; ok $? 'the others are looked at'

# The end.
kill "$keeper"
wait_for unmounted; ok $? 'SIGTERM unmounts'
wait "$keeper"; is $? 0 'and ends with 0'
is "$(ls -A "$mnt")" '' 'nothing is left'
start -o view=eml
wait_for ls "$mnt/INBOX"
is "$(ls "$mnt/INBOX")" "$base.eml" 'view=eml lists the bytes'
(cd "$mnt/INBOX" && kill "$keeper" && wait_for unmounted && ls >/dev/null)
ok $? 'a busy mount goes when its last user does'
wait "$keeper"; is $? 0 'then the daemon ends'
keeper=

# Started by root for somebody else.
if [ "$(id -u)" -ne 0 ] || ! command -v setpriv >/dev/null; then
	skip 'root mounts for the owner' 'not root'
else
	chown -R 64123:64123 "$box" "$mnt"
	start
	as="setpriv --reuid 64123 --regid 64123 --clear-groups"
	wait_for $as ls "$mnt/INBOX"; ok $? 'root mounts for the owner'
	ls "$mnt/INBOX" >/dev/null 2>&1
	[ $? -ne 0 ]; ok $? 'root itself is kept out'
	is "$($as stat -c %u "$mnt/INBOX")" 64123 'files are the owner'"'"'s'
	is "$(ps -o uid= -p "$(daemon)" | tr -d ' ')" 64123 \
		'the daemon is the owner'
	kill "$keeper"
	wait_for unmounted; ok $? 'root'"'"'s keeper unmounts'
	wait "$keeper"
	start -o allow_other
	wait_for ls "$mnt/INBOX"; ok $? 'with allow_other root may look'
	setpriv --reuid 64124 --regid 64124 --clear-groups \
		ls "$mnt/INBOX" >/dev/null 2>&1
	[ $? -ne 0 ]; ok $? 'and nobody else'
	kill "$keeper"
	wait_for unmounted
	wait "$keeper"
	keeper=
	mkdir -p "$tmp/root/etc/postern"
	echo 'uid_min 70000' >"$tmp/root/etc/postern/postern.conf"
	postern-mailfs -r "$tmp/root" "$box" "$mnt" 2>/dev/null
	is $? 100 'no uid below uid_min'
fi

done_testing
