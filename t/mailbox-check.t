#!/bin/sh
# postern mailbox check and rebuild: what is found, and what is mended.
. "${POSTERN_SRC:-.}/t/lib.sh"
need python3
mkdir "$tmp/work"
if [ "$(id -u)" -eq 0 ]; then
	chmod 711 "$tmp"
	chown 65534:65534 "$tmp/work"
fi
python3 -B "$POSTERN_SRC/t/mailbox-check.py" "$tmp/work"
