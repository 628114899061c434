/* The nursery of sessions. */
#include "net/session.h"

#include "base/jail.h"
#include "base/priv.h"
#include "net/nursery.h"

#include <errno.h>
#include <stdlib.h>

static bool
is_text(const char *p, size_t size)
{
	return memchr(p, '\0', size) != NULL;
}

static bool
is_sound(const struct frame_session *s)
{
	return is_text(s->tag, sizeof s->tag) && s->tag[0] != '\0' &&
	       is_text(s->user, sizeof s->user) &&
	       is_text(s->quota, sizeof s->quota) &&
	       is_text(s->maildir, sizeof s->maildir) &&
	       s->maildir[0] == '/';
}

static int
set_environment(const struct frame_session *s)
{
	if (setenv("AUTH_TAG", s->tag, 1) == -1 ||
	    setenv("USER", s->user, 1) == -1)
		return -1;
	return s->quota[0] == '\0' ? 0
				    : setenv("POSTERN_QUOTA", s->quota, 1);
}

/* First of all the child becomes the owner. */
static int
become(const struct frame_session *s)
{
	if (priv_become(s->uid, s->gid, false) == -1)
		return -1;
	if (is_sound(s))
		return set_environment(s) == -1 ? -1 : 1;
	errno = EPROTO;
	return -1;
}

int
session_nursery(struct frame_session *s)
{
	const struct nursery n = { .packet = s,
		.size = sizeof *s,
		.least = 2,
		.most = 2, /* the connection, the channel */
		.channel = 1,
		.place = { 0, 0, -1, -1, -1, -1, -1, -1 },
		.plain = true };
	int r = jail_tighten(JAIL_SESSIONS);

	if (r == 0)
		r = nursery_run(&n);
	return r == 1 ? become(s) : r;
}
