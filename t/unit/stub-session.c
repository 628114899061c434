/*
 * In place of imapd or pop3d: takes sessions through the door as they do, and
 * becomes a script for each, PROGRAM.sh, with the environment of a session.
 */
#include "base/priv.h"
#include "net/nursery.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int
main(int argc, char *argv[])
{
	struct frame_session s;
	struct nursery n = { .packet = &s,
		.size = sizeof s,
		.least = 2,
		.most = 2,
		.channel = 1,
		.place = { 0, 0, -1, -1, -1, -1, -1, -1 },
		.life = FRAME_LIFE_FD };
	char script[4096];
	int r;

	n.once = argc > 2 && strcmp(argv[1], "-1") == 0;
	if (!n.once && (argc < 3 || strcmp(argv[1], "-n") != 0))
		return 100;
	if (priv_limit(PRIV_USERS) == -1)
		return 111;
	r = nursery_run(&n);
	if (r != 1)
		return r == 0 ? 0 : 111;
	if (priv_become(s.uid, s.gid) == -1 ||
	    setenv("AUTH_TAG", s.tag, 1) == -1 ||
	    setenv("USER", s.user, 1) == -1 ||
	    (s.quota[0] && setenv("POSTERN_QUOTA", s.quota, 1) == -1))
		return 111;
	snprintf(script, sizeof script, "%s.sh", argv[0]);
	execl(script, script, s.maildir, (char *)NULL);
	return 111;
}
