#!/bin/sh
# Power is cut at every moment of a life of mailboxes and queue: see power.py.
# The disk is changed under a file system that is not mounted any more.  It
# would be, in a copy of our mounts that another program makes for itself.
if [ -z "${POWER_APART:-}" ] && unshare -m true 2>/dev/null; then
	POWER_APART=1 exec unshare -m sh "$0" "$@"
fi
# The disks are written again and again: in memory, where there is room.
if [ -z "${TMPDIR:-}" ] && [ -w /dev/shm ] &&
    [ "$(df -k --output=avail /dev/shm | tail -n 1)" -gt 500000 ]; then
	TMPDIR=/dev/shm; export TMPDIR
fi
. "$(dirname "$0")/../lib.sh"
[ "$(id -u)" = 0 ] || plan_skip "a loop device needs root"
need python3
need mke2fs
need e2fsck
need losetup
need fusermount3
[ -c /dev/fuse ] || plan_skip "there is no /dev/fuse"
losetup -f >/dev/null 2>&1 || plan_skip "there is no loop device"
grep -qw ext4 /proc/filesystems || plan_skip "the kernel has no ext4"
command -v "${CC:-cc}" >/dev/null || plan_skip "no compiler for the controls"
setpriv --reuid=65534 --regid=65534 --clear-groups \
    test -x "$POSTERN_STAGE/imapd" 2>/dev/null ||
	plan_skip "another user cannot run what was built here"
grep -q '^#define POSTERN_SANITIZE 1' "$POSTERN_BUILD/config.h" &&
	plan_skip "built with sanitizers, which the controls cannot be put before"
cleanup() {
	for m in "$tmp"/mnt*; do
		mountpoint -q "$m" && umount -l "$m"
	done
	# Before the recorder's folder goes, and with it the name of its disk.
	losetup -l -n -O NAME,BACK-FILE | while read -r dev file; do
		case $file in "$tmp"/*) losetup -d "$dev" ;; esac
	done
	for m in "$tmp"/disk*; do
		mountpoint -q "$m" && umount -l "$m"
	done
}
python3 "$(dirname "$0")/power.py" "$tmp" "$@"
