#!/bin/sh
# A queue full of mail that nobody takes: a slice of t/queue-load.py.
. "${POSTERN_SRC:-.}/t/lib.sh"
need python3
python3 -B "$POSTERN_SRC/t/queue-load.py"
