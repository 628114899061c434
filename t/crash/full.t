#!/bin/sh
# Small file systems, filled to the brim: see full.py.
. "$(dirname "$0")/../lib.sh"
[ "$(id -u)" = 0 ] || plan_skip "mounting needs root"
need python3
need mke2fs
need losetup
losetup -f >/dev/null 2>&1 || plan_skip "there is no loop device"
grep -qw ext4 /proc/filesystems || plan_skip "the kernel has no ext4"
setpriv --reuid=65534 --regid=65534 --clear-groups \
    test -x "$POSTERN_STAGE/imapd" 2>/dev/null ||
	plan_skip "another user cannot run what was built here"
cleanup() {
	for m in "$tmp"/*; do
		mountpoint -q "$m" && umount -l "$m"
	done
	losetup -l -n -O NAME,BACK-FILE | while read -r dev file; do
		case $file in "$tmp"/*) losetup -d "$dev" ;; esac
	done
}
python3 "$(dirname "$0")/full.py" "$tmp"
