/* Who programs are to run as. */
#include "base/priv.h"

#include "base/conf.h"
#include "base/num.h"

#include <errno.h>
#include <pwd.h>

int
priv_find(const char *user, uid_t *uid, gid_t *gid)
{
	uint32_t number;
	struct passwd *pw;

	if (num_parse_u32(span_str(user), UINT32_MAX - 1, &number)) {
		*uid = number;
		*gid = number;
		return 0;
	}
	errno = 0;
	pw = getpwnam(user);
	if (pw == NULL) {
		if (errno == 0)
			errno = ENOENT;
		return -1;
	}
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return 0;
}

int
priv_find_service(const char *user, uid_t *uid, gid_t *gid)
{
	if (priv_find(user, uid, gid) == -1)
		return -1;
	if (*uid != 0 && *gid != 0)
		return 0;
	errno = EPERM;
	return -1;
}

void
priv_services(const struct conf *c, uid_t uids[PRIV_SERVICES])
{
	const char *const users[PRIV_SERVICES] = { c->auth_user, c->key_user,
		c->net_user, c->porter_user, c->queue_user };
	gid_t gid;

	for (size_t i = 0; i < PRIV_SERVICES; i++)
		if (priv_find(users[i], &uids[i], &gid) == -1)
			uids[i] = (uid_t)-1;
}
