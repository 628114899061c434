#!/bin/sh
# Names of mailboxes on the wire and on disk: see folders.py.
. "${POSTERN_SRC:-.}/t/lib.sh"
need python3
[ -x "$POSTERN_BUILD/t/unit/store-tool" ] || plan_skip "store-tool is not built"
if [ "$(id -u)" -eq 0 ]; then
	chmod 755 "$tmp"
	chown 65534 "$tmp"
fi
python3 "$POSTERN_SRC/t/folders.py" "$tmp"
