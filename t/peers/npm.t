#!/bin/sh
# nodemailer sends and imapflow reads, both from the npm registry.
. "${POSTERN_SRC:-.}/t/peers/lib.sh"
need node
need npm
# Kept beside the build for the next run.
modules=${POSTERN_NPM:-${POSTERN_BUILD:-$tmp}/npm}
if [ ! -d "$modules/node_modules/imapflow" ]; then
	mkdir -p "$modules"
	timeout 120 npm install --prefix "$modules" --no-save --ignore-scripts \
	    --no-audit --no-fund imapflow@2 nodemailer@10 >"$tmp/npm.out" 2>&1 \
	    </dev/null || plan_skip "npm cannot get imapflow and nodemailer"
fi
set -a # the variables go to node
NODE_PATH=$modules/node_modules
start_try --no-mount
timeout 120 node "$POSTERN_SRC/t/peers/npm.js" </dev/null
failed=$?
exit $failed
