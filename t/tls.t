#!/bin/sh
# lib/net/tls: ends, deadlines, and peers that do not behave.
. "${POSTERN_SRC:-.}/t/lib.sh"
need openssl
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -days 2 -subj /CN=mail.example.org -keyout "$tmp/key" -out "$tmp/cert" \
    2>/dev/null || plan_skip "openssl makes no certificate"
"$POSTERN_BUILD/t/unit/tls" "$tmp/cert" "$tmp/key"
