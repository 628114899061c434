/* Jails. */
#include "base/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef POSTERN_SANITIZE

int
jail_enter(const struct jail *j, int *landlock)
{
	(void)j;
	*landlock = 0;
	umask(077);
	return 0;
}

#else

#include <linux/landlock.h>

enum {
	LANDLOCK_READ = LANDLOCK_ACCESS_FS_READ_FILE |
	    LANDLOCK_ACCESS_FS_READ_DIR
};

static uint64_t
handled(int abi)
{
	uint64_t all = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

	if (abi >= 2)
		all |= UINT64_C(1) << 13; /* REFER: between folders */
	if (abi >= 3)
		all |= UINT64_C(1) << 14; /* TRUNCATE */
	return all;
}

static int
let_below(int ruleset, const char *path, uint64_t rights)
{
	struct landlock_path_beneath_attr a = { .allowed_access = rights };
	int r, error;

	a.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (a.parent_fd == -1)
		return errno == ENOENT ? 0 : -1;
	r = (int)syscall(SYS_landlock_add_rule, ruleset,
	    LANDLOCK_RULE_PATH_BENEATH, &a, 0);
	error = errno;
	close(a.parent_fd);
	errno = error;
	return r;
}

/* A session reads its Maildir, and the modules and tables of iconv. */
static int
let_session(int ruleset, const char *folder, uint64_t all)
{
	uint64_t never = LANDLOCK_ACCESS_FS_EXECUTE |
	    LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
	    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
	    LANDLOCK_ACCESS_FS_MAKE_SYM;

	if (let_below(ruleset, folder, all & ~never) == -1)
		return -1;
	if (let_below(ruleset, "/usr/lib", LANDLOCK_READ) == -1 ||
	    let_below(ruleset, "/lib", LANDLOCK_READ) == -1 ||
	    let_below(ruleset, "/etc/ld.so.cache",
		LANDLOCK_ACCESS_FS_READ_FILE) == -1)
		return -1;
	return 0;
}

static int
lock_files(const struct jail *j, int *landlock)
{
	struct landlock_ruleset_attr a = { 0 };
	int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	int ruleset, r = 0;

	*landlock = abi > 0 ? abi : 0;
	if (abi <= 0)
		return 0;
	a.handled_access_fs = handled(abi);
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &a,
	    sizeof a.handled_access_fs, 0);
	if (ruleset == -1)
		return -1;
	if (j->folder)
		r = let_session(ruleset, j->folder, a.handled_access_fs);
	if (r == 0)
		r = (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
	close(ruleset);
	return r;
}

static int
drop_capabilities(void)
{
	struct __user_cap_header_struct h = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct d[2] = { 0 };

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == -1)
		return -1;
	return (int)syscall(SYS_capset, &h, d);
}

/* Without the capability (not started by root) there is no chroot. */
static int
leave_file_system(const char *empty)
{
	if (empty == NULL)
		return 0;
	if (chroot(empty) == -1)
		return errno == EPERM ? 0 : -1;
	return chdir("/");
}

static int
limit(void)
{
	struct rlimit none = { 0, 0 };

	umask(077);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1 ||
	    setrlimit(RLIMIT_CORE, &none) == -1)
		return -1;
	return 0;
}

/* Landlock comes before the uid's capabilities go, the filter last. */
int
jail_enter(const struct jail *j, int *landlock)
{
	if (limit() == -1 || lock_files(j, landlock) == -1 ||
	    leave_file_system(j->empty) == -1 || drop_capabilities() == -1)
		return -1;
	return calls_limit(j->kind);
}

#endif

int
jail_tighten(enum jail_kind kind)
{
	return calls_limit(kind);
}
