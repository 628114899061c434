/* Jails. */
#include "base/calls.h"
#include "base/io.h"
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
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
	*landlock = 0;
	umask(077);
	return j->leaves ? proc_leave() : 0;
}

int
jail_tighten(enum jail_kind kind)
{
	(void)kind;
	return 0;
}

int
jail_leave(void)
{
	return proc_leave();
}

#else

#include <linux/landlock.h>

enum {
	LANDLOCK_READ = LANDLOCK_ACCESS_FS_READ_FILE |
	    LANDLOCK_ACCESS_FS_READ_DIR
};

/* From a later version: to move files between folders. */
#define REFER (UINT64_C(1) << 13)

static const uint64_t NEVER = LANDLOCK_ACCESS_FS_EXECUTE |
    LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
    LANDLOCK_ACCESS_FS_MAKE_SYM;

static uint64_t
handled(int abi)
{
	uint64_t all = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

	if (abi >= 2)
		all |= REFER;
	if (abi >= 3)
		all |= UINT64_C(1) << 14; /* TRUNCATE */
	return all;
}

static int
let_below(int ruleset, const char *path, uint64_t rights)
{
	struct landlock_path_beneath_attr a = { .allowed_access = rights };
	int r;

	a.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (a.parent_fd == -1)
		return errno == ENOENT ? 0 : -1;
	r = (int)syscall(SYS_landlock_add_rule, ruleset,
	    LANDLOCK_RULE_PATH_BENEATH, &a, 0);
	io_close(a.parent_fd);
	return r;
}

/* What is made elsewhere comes into the folder, or is taken back. */
static const uint64_t PUT = LANDLOCK_ACCESS_FS_MAKE_REG |
    LANDLOCK_ACCESS_FS_REMOVE_FILE | REFER;

/* Whatever somebody has put into the queue is moved aside; the list of system
 * calls has none that would make such a thing. */
static const uint64_t BURY = LANDLOCK_ACCESS_FS_MAKE_SOCK |
    LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM;

/* Programs that read mail read the modules and tables of iconv, too. */
static int
let_folder(int ruleset, const struct jail *j, uint64_t all)
{
	uint64_t rights = all & ~NEVER;

	if (j->kind == JAIL_ENQUEUE)
		rights = PUT;
	else if (j->kind == JAIL_QUEUE)
		rights |= BURY;
	if (let_below(ruleset, j->folder, rights) == -1)
		return -1;
	if (j->kind == JAIL_ENQUEUE || j->kind == JAIL_QUEUE)
		return 0;
	if (let_below(ruleset, "/usr/lib", LANDLOCK_READ) == -1 ||
	    let_below(ruleset, "/lib", LANDLOCK_READ) == -1 ||
	    let_below(ruleset, "/etc/ld.so.cache",
		LANDLOCK_ACCESS_FS_READ_FILE) == -1)
		return -1;
	return 0;
}

/* A folder that cannot be reached cannot be opened either. */
static int
let_also(int ruleset, const struct jail *j, uint64_t all)
{
	uint64_t rights = j->also_writes ? all & ~NEVER : LANDLOCK_READ;
	int r = let_below(ruleset, j->also, rights);

	return r == -1 && (errno == EACCES || errno == ENOTDIR) ? 0 : r;
}

static int
lock_files(const struct jail *j, int *landlock)
{
	struct landlock_ruleset_attr a = { 0 };
	int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	int ruleset, r = 0;

	/* The first Landlock lets nobody move a file to another folder. */
	if (abi == 1 && j->folder)
		abi = 0;
	*landlock = abi > 0 ? abi : 0;
	if (abi <= 0)
		return 0;
	a.handled_access_fs = handled(abi);
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &a,
	    sizeof a.handled_access_fs, 0);
	if (ruleset == -1)
		return -1;
	if (j->folder)
		r = let_folder(ruleset, j, a.handled_access_fs);
	if (r == 0 && j->also)
		r = let_also(ruleset, j, a.handled_access_fs);
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

/* What a program that was taken over might try to eat; 0: as it was. */
struct limits {
	rlim_t files;  /* that are open */
	rlim_t memory; /* address space, libraries included */
	rlim_t bytes;  /* of a file */
};

#define MIB ((rlim_t)1 << 20)
#define GIB ((rlim_t)1 << 30)
static const struct limits limits[] = {
	[JAIL_PORTER] = { 0, 0, 0 },
	/* As many as its user has on their way count for it. */
	[JAIL_LINK] = { 0, 256 * MIB, 0 },
	[JAIL_LOGIN] = { 32, 256 * MIB, 0 },
	[JAIL_SMTP] = { 32, 256 * MIB, 0 },
	/* Of the signer one for each of its clients; memory for crypt. */
	[JAIL_SECRET] = { 512, GIB, 0 },
	[JAIL_NURSERY] = { 0, 0, 0 },
	/* space.h sets addresses aside. */
	[JAIL_SESSIONS] = { 0, 0, 0 },
	[JAIL_SESSION] = { 256, 8 * GIB, 16 * GIB },
	[JAIL_DELIVER] = { 256, 8 * GIB, 16 * GIB },
	[JAIL_ENQUEUE] = { 32, 8 * GIB, 16 * GIB },
	/* A message, a report and a process for each of a thousand workers. */
	[JAIL_QUEUE] = { 4096, 32 * GIB, 16 * GIB },
	[JAIL_VIEW] = { 0, 0, 16 * GIB },
	[JAIL_TOOL] = { 4096, 64 * GIB, 0 },
	[JAIL_REMOTE] = { 64, GIB, 0 },
};

static int
set_limit(int what, rlim_t most)
{
	struct rlimit r;

	if (getrlimit((__rlimit_resource_t)what, &r) == -1)
		return -1;
	if (r.rlim_max < most)
		most = r.rlim_max;
	r.rlim_cur = r.rlim_max = most;
	return setrlimit((__rlimit_resource_t)what, &r);
}

static int
limit(enum jail_kind kind)
{
	const struct limits *l = &limits[kind];

	if (l->files != 0 && set_limit(RLIMIT_NOFILE, l->files) == -1)
		return -1;
	if (l->memory != 0 && set_limit(RLIMIT_AS, l->memory) == -1)
		return -1;
	if (l->bytes != 0 && (signal(SIGXFSZ, SIG_IGN) == SIG_ERR ||
				 set_limit(RLIMIT_FSIZE, l->bytes) == -1))
		return -1;
	return kind == JAIL_PORTER || kind == JAIL_NURSERY ||
		       kind == JAIL_SESSIONS
		   ? 0
		   : set_limit(RLIMIT_NPROC, 0);
}

static int
no_trace(void)
{
	umask(077);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		return -1;
	return set_limit(RLIMIT_CORE, 0);
}

static int
by_first_byte(const void *a, const void *b)
{
	return *(const unsigned char *)a - *(const unsigned char *)b;
}

/* qsort asks once how much memory there is: before there is nobody to ask. */
static void
settle_qsort(void)
{
	unsigned char two[2][2048] = { { 1 }, { 0 } };

	qsort(two, 2, sizeof two[0], by_first_byte);
}

/* Landlock comes before the uid's capabilities go, the filter last. */
int
jail_enter(const struct jail *j, int *landlock)
{
	settle_qsort();
	if (no_trace() == -1 || lock_files(j, landlock) == -1 ||
	    (j->leaves && proc_leave() == -1) || drop_capabilities() == -1)
		return -1;
	return limit(j->kind) == -1 ? -1 : calls_limit(j->kind);
}

int
jail_leave(void)
{
	return proc_leave() == -1 ? -1 : drop_capabilities();
}

int
jail_tighten(enum jail_kind kind)
{
	/* A nursery's children have this in common. */
	settle_qsort();
	return limit(kind) == -1 ? -1 : calls_limit(kind);
}

#endif
