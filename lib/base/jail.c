/* Jails. */
#include "base/jail.h"

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

int
jail_list(struct jail_list *l, enum jail_kind kind)
{
	(void)kind;
	l->n = 0;
	return 0;
}

int
jail_tighten(const struct jail_list *l)
{
	(void)l;
	return 0;
}

#else

#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <seccomp.h>

/* What any process needs once it has its descriptors. */
static const int common_calls[] = {
	SCMP_SYS(brk), SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep),
	SCMP_SYS(close), SCMP_SYS(dup), SCMP_SYS(exit), SCMP_SYS(exit_group),
	SCMP_SYS(fcntl), SCMP_SYS(fstat), SCMP_SYS(futex), SCMP_SYS(getpid),
	SCMP_SYS(getrandom), SCMP_SYS(gettid), SCMP_SYS(gettimeofday),
	SCMP_SYS(lseek), SCMP_SYS(madvise), SCMP_SYS(mmap), SCMP_SYS(mremap),
	SCMP_SYS(munmap), SCMP_SYS(newfstatat), SCMP_SYS(poll),
	SCMP_SYS(ppoll), SCMP_SYS(pread64), SCMP_SYS(read), SCMP_SYS(readv),
	SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(restart_syscall),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(sendmsg), SCMP_SYS(sendto),
	SCMP_SYS(shutdown), SCMP_SYS(sysinfo), SCMP_SYS(time),
	SCMP_SYS(write), SCMP_SYS(writev),
	SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
	SCMP_SYS(getpeername), SCMP_SYS(getsockname), SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
};

/* To fork, to arrange a child's descriptors, and for it to go on. */
static const int nursery_calls[] = {
	SCMP_SYS(clone), SCMP_SYS(clone3), SCMP_SYS(close_range),
	SCMP_SYS(dup2), SCMP_SYS(pidfd_open), SCMP_SYS(prctl),
	SCMP_SYS(prlimit64), SCMP_SYS(rseq), SCMP_SYS(seccomp),
	SCMP_SYS(set_robust_list), SCMP_SYS(setrlimit), SCMP_SYS(signalfd4),
	SCMP_SYS(socketpair), SCMP_SYS(wait4),
};

/* What a session does to files below its folder (and iconv's modules). */
static const int session_calls[] = {
	SCMP_SYS(access), SCMP_SYS(chdir), SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_wait),
	SCMP_SYS(fchmod),
	SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(fadvise64),
	SCMP_SYS(fallocate), SCMP_SYS(fdatasync), SCMP_SYS(fstatfs),
	SCMP_SYS(fsync), SCMP_SYS(ftruncate), SCMP_SYS(getcwd),
	SCMP_SYS(getdents64), SCMP_SYS(getegid), SCMP_SYS(getgid),
	SCMP_SYS(inotify_add_watch), SCMP_SYS(inotify_init1),
	SCMP_SYS(inotify_rm_watch), SCMP_SYS(ioctl), SCMP_SYS(link),
	SCMP_SYS(linkat), SCMP_SYS(mkdir), SCMP_SYS(mkdirat),
	SCMP_SYS(mprotect), SCMP_SYS(open), SCMP_SYS(openat),
	SCMP_SYS(openat2), SCMP_SYS(pwrite64), SCMP_SYS(readlink),
	SCMP_SYS(readlinkat), SCMP_SYS(rename), SCMP_SYS(renameat),
	SCMP_SYS(renameat2), SCMP_SYS(rmdir), SCMP_SYS(sendfile),
	SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(statfs), SCMP_SYS(statx),
	SCMP_SYS(syncfs),
	SCMP_SYS(uname), SCMP_SYS(unlink), SCMP_SYS(unlinkat),
	SCMP_SYS(utimensat), SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime),
};

static const int remote_calls[] = {
	SCMP_SYS(bind), SCMP_SYS(connect), SCMP_SYS(fdatasync),
	SCMP_SYS(ioctl), SCMP_SYS(mprotect), SCMP_SYS(sendmmsg),
	SCMP_SYS(socket), SCMP_SYS(uname), SCMP_SYS(stat), SCMP_SYS(lstat),
	/* The resolver looks for files that the jail does not have. */
	SCMP_SYS(open), SCMP_SYS(openat),
};

static int
allow(scmp_filter_ctx f, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int r = seccomp_rule_add(f, SCMP_ACT_ALLOW, calls[i], 0);

		/* A call that this architecture lacks cannot be made. */
		if (r != 0 && r != -EDOM) {
			errno = -r;
			return -1;
		}
	}
	return 0;
}

/* abort() signals itself; other processes of the same uid are not ours to
 * end. */
static int
allow_abort(scmp_filter_ctx f)
{
	int r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
	    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));

	if (r == 0)
		return 0;
	errno = -r;
	return -1;
}

static int
add_calls(scmp_filter_ctx f, enum jail_kind kind)
{
	if (allow(f, common_calls,
		sizeof common_calls / sizeof *common_calls) == -1)
		return -1;
	if (kind == JAIL_NURSERY)
		return allow(f, nursery_calls,
		    sizeof nursery_calls / sizeof *nursery_calls);
	if (kind == JAIL_SESSION)
		return allow(f, session_calls,
		    sizeof session_calls / sizeof *session_calls);
	if (kind == JAIL_REMOTE)
		return allow(f, remote_calls,
		    sizeof remote_calls / sizeof *remote_calls);
	return 0;
}

static int
filter_calls(enum jail_kind kind)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r;

	if (f == NULL) {
		errno = ENOMEM;
		return -1;
	}
	r = add_calls(f, kind);
	if (r == 0)
		r = allow_abort(f);
	if (r == 0 && (r = seccomp_load(f)) < 0) {
		errno = -r;
		r = -1;
	}
	seccomp_release(f);
	return r;
}

/* libseccomp writes the program to a descriptor only. */
static ssize_t
export(scmp_filter_ctx f, void *code, size_t size)
{
	int fd = memfd_create("list", MFD_CLOEXEC), r;
	ssize_t n = -1;

	if (fd == -1)
		return -1;
	r = seccomp_export_bpf(f, fd);
	if (r == 0)
		n = pread(fd, code, size, 0);
	else
		errno = -r;
	close(fd);
	return n;
}

/* No pid is in it: a child's abort() ends it as well, by SIGSYS. */
int
jail_list(struct jail_list *l, enum jail_kind kind)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
	ssize_t n = -1;

	_Static_assert(sizeof *l->code == sizeof(struct sock_filter), "size");
	if (f == NULL) {
		errno = ENOMEM;
		return -1;
	}
	if (add_calls(f, kind) == 0)
		n = export(f, l->code, sizeof l->code);
	seccomp_release(f);
	if (n == (ssize_t)sizeof l->code) {
		errno = EMSGSIZE;
		return -1;
	}
	l->n = n > 0 ? (size_t)n / sizeof *l->code : 0;
	return n > 0 ? 0 : -1;
}

int
jail_tighten(const struct jail_list *l)
{
	struct sock_fprog p = { .len = (unsigned short)l->n };
	const void *code = l->code;

	/* The kernel reads it only. */
	memcpy(&p.filter, &code, sizeof code);
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p);
}

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
	if (j->kind == JAIL_SESSION)
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
	return filter_calls(j->kind);
}

#endif
