#!/bin/sh
# IDLE where the kernel watches no more folders for this user
# (fs.inotify.max_user_instances).
. "${POSTERN_SRC:-.}/t/lib.sh"
need python3
need unshare
unshare --user --map-root-user test -w /proc/sys/user/max_inotify_instances \
    2>/dev/null || plan_skip "no limit of inotify can be set here"
PYTHONDONTWRITEBYTECODE=1 unshare --user --map-root-user \
    python3 "$POSTERN_SRC/t/idle.py" "$POSTERN_STAGE" "$tmp"
