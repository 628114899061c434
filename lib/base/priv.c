/* Becoming somebody else, for good. */
#include "base/priv.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int
priv_effect(bool all)
{
	struct __user_cap_header_struct h = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct d[2] = { 0 };

	if (syscall(SYS_capget, &h, d) == -1)
		return -1;
	for (size_t i = 0; i < 2; i++)
		d[i].effective = all ? d[i].permitted : 0;
	return (int)syscall(SYS_capset, &h, d);
}

static int
check_gone(uid_t uid, gid_t gid)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	if (getresuid(&r, &e, &s) == -1 || getresgid(&rg, &eg, &sg) == -1)
		return -1;
	if (r == uid && e == uid && s == uid && rg == gid && eg == gid &&
	    sg == gid && uid != 0 && setuid(0) == -1)
		return 0;
	errno = EPERM;
	return -1;
}

int
priv_become(uid_t uid, gid_t gid)
{
	if (geteuid() != 0) {
		if (geteuid() == uid)
			return 0;
		errno = EPERM;
		return -1;
	}
	if (uid == 0 || gid == 0) {
		errno = EPERM;
		return -1;
	}
	if (priv_effect(true) == -1)
		return -1;
	if (setgroups(0, NULL) == -1 || setresgid(gid, gid, gid) == -1 ||
	    setresuid(uid, uid, uid) == -1)
		return -1;
	return check_gone(uid, gid);
}

int
priv_limit(uint32_t kept)
{
	struct __user_cap_header_struct h = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct d[2] = { 0 };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return -1;
	if (geteuid() != 0)
		return 0;
	if (syscall(SYS_capget, &h, d) == -1)
		return -1;
	d[0].permitted &= kept;
	d[0].effective = d[0].inheritable = 0;
	d[1] = (struct __user_cap_data_struct){ 0 };
	return (int)syscall(SYS_capset, &h, d);
}
