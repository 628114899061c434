/* Sessions that come through the door. */
#include "net/session.h"

#include "base/jail.h"
#include "base/num.h"
#include "base/priv.h"
#include "net/nursery.h"

#include <errno.h>
#include <stdlib.h>

static bool
is_sound(const struct frame_session *s)
{
	return frame_is_text(s->tag, sizeof s->tag) && s->tag[0] != '\0' &&
	       frame_is_text(s->user, sizeof s->user) &&
	       frame_is_text(s->quota, sizeof s->quota) &&
	       frame_is_text(s->uidl, sizeof s->uidl) &&
	       frame_is_text(s->maildir, sizeof s->maildir) &&
	       s->maildir[0] == '/' && s->pace.data_rate > 0;
}

struct session_user
session_user(const struct frame_session *s)
{
	if (s == NULL)
		return (struct session_user){ .tag = getenv("AUTH_TAG"),
			.name = getenv("USER"),
			.quota = getenv("POSTERN_QUOTA") };
	return (struct session_user){ .tag = s->tag,
		.name = s->user,
		.quota = s->quota[0] == '\0' ? NULL : s->quota };
}

/* Who owns no mailbox: below the first, or one of the others. */
struct others {
	uint32_t uid[1 + PRIV_SERVICES];
	size_t n;
};

static int
read_others(struct others *o, char *const *text)
{
	for (; *text && o->n < sizeof o->uid / sizeof *o->uid; text++)
		if (!num_parse_u32(
			span_str(*text), UINT32_MAX, &o->uid[o->n++]))
			return -1;
	return *text ? -1 : 0;
}

/* First of all it becomes the owner. */
static int
become(const struct frame_session *s, const struct others *o)
{
	bool other = s->uid < o->uid[0];

	for (size_t i = 1; i < o->n; i++)
		other |= s->uid == o->uid[i];
	errno = EPERM;
	if (other || priv_become(s->uid, s->gid) == -1)
		return -1;
	errno = EPROTO;
	return is_sound(s) ? 1 : -1;
}

int
session_passed(int argc, char *argv[], struct frame_session *s)
{
	struct nursery n = { .packet = s,
		.size = sizeof *s,
		.least = 2,
		.most = 2, /* the connection, the channel */
		.channel = 1,
		.place = { 0, 0, -1, -1, -1, -1, -1, -1 },
		.plain = true,
		.life = FRAME_LIFE_FD };
	bool nursery = argc > 2 && strcmp(argv[1], "-n") == 0;
	struct others others = { .n = 0 };
	int r;

	if (!nursery && (argc < 3 || strcmp(argv[1], "-1") != 0))
		return 2;
	n.once = !nursery;
	errno = EINVAL;
	if (priv_limit(PRIV_USERS) == -1 ||
	    read_others(&others, argv + 2) == -1 ||
	    jail_tighten(JAIL_SESSIONS) == -1)
		return -1;
	r = nursery_run(&n);
	return r == 1 ? become(s, &others) : r;
}
