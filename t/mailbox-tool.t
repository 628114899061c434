#!/bin/sh
# postern mailbox, with Python's mailbox module and mutt as second opinions.
. "${POSTERN_SRC:-.}/t/lib.sh"
need python3
if [ "$(id -u)" -eq 0 ]; then
	chmod 711 "$tmp"
	mkdir "$tmp/work"
	chown 65534:65534 "$tmp/work"
else
	mkdir "$tmp/work"
fi
python3 -B "$POSTERN_SRC/t/mailbox-tool.py" "$tmp/work"
