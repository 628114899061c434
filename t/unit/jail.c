/*
 * Each jail, and each system call by its number: which ones end the process.
 * Prints the counts.
 */
#include "base/durable.h"
#include "base/jail.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	NUMBERS = 512,
	X32 = 0x40000000, /* the same calls of another ABI */
	SECONDS = 5       /* a call that blocks was let through */
};

#ifndef POSTERN_SANITIZE

struct jailed {
	const char *name;
	enum jail_kind outer, kind; /* a child's, below a nursery's */
	size_t goal;
};

static const struct jailed jails[] = {
	{ "porter", JAIL_PORTER, JAIL_PORTER, 29 },
	{ "porter's children", JAIL_PORTER, JAIL_LINK, 17 },
	{ "login programs", JAIL_LOGIN, JAIL_LOGIN, 20 },
	{ "login programs below a nursery", JAIL_NURSERY, JAIL_LOGIN, 20 },
	{ "smtpd", JAIL_SMTP, JAIL_SMTP, 26 },
	{ "smtpd below a nursery", JAIL_NURSERY, JAIL_SMTP, 26 },
	{ "checkpw and signer", JAIL_SECRET, JAIL_SECRET, 24 },
	{ "checkpw below a nursery", JAIL_NURSERY, JAIL_SECRET, 24 },
	{ "nurseries", JAIL_NURSERY, JAIL_NURSERY, 39 },
	{ "sessions", JAIL_SESSION, JAIL_SESSION, 44 },
	{ "sessions below a nursery", JAIL_SESSIONS, JAIL_SESSION, 44 },
	{ "nurseries of sessions", JAIL_SESSIONS, JAIL_SESSIONS, 74 },
	{ "deliver", JAIL_DELIVER, JAIL_DELIVER, 41 },
	{ "enqueue and bounce", JAIL_ENQUEUE, JAIL_ENQUEUE, 25 },
	{ "qsend", JAIL_QUEUE, JAIL_QUEUE, 35 },
	{ "postern-mailfs", JAIL_VIEW, JAIL_VIEW, 44 },
	{ "postern-mailbox, postern-adopt", JAIL_TOOL, JAIL_TOOL, 42 },
	{ "remote", JAIL_REMOTE, JAIL_REMOTE, 34 },
};

/* What none of them may: other programs, other processes, rights. */
static const long never[] = { SYS_execve, SYS_execveat, SYS_ptrace, SYS_kill,
	SYS_tkill, SYS_tgkill, SYS_process_vm_readv, SYS_process_vm_writev,
	SYS_setuid, SYS_setresuid, SYS_setgid, SYS_setgroups, SYS_capset,
	SYS_mount, SYS_unshare, SYS_setns, SYS_chroot, SYS_pivot_root,
	SYS_bpf, SYS_keyctl, SYS_init_module, SYS_io_uring_setup,
	SYS_userfaultfd, SYS_perf_event_open, SYS_memfd_create, SYS_personality,
	SYS_pidfd_getfd, SYS_process_madvise, SYS_add_key, SYS_listen,
	SYS_accept4, SYS_symlinkat, SYS_mknodat, SYS_fchmodat, SYS_fchownat };

/* Is the call let through? */
static bool
is_allowed(const struct jailed *j, long number)
{
	struct jail jail = { .kind = j->outer };
	int status, landlock;
	pid_t pid = fork();

	if (pid == 0) {
		alarm(SECONDS);
		close(0);
		if (jail_enter(&jail, &landlock) == -1 ||
		    (j->kind != j->outer && jail_tighten(j->kind) == -1))
			_exit(2);
		/* No arguments that do anything: 0 is no flags, no address
		 * and no open descriptor. */
		(void)syscall(number, 0L, 0L, 0L, 0L, 0L, 0L);
		_exit(0);
	}
	if (pid == -1 || waitpid(pid, &status, 0) == -1)
		abort();
	return !WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS;
}

/* uretprobe and uprobe, which the kernel shows to no filter: they do nothing
 * but where a probe of its own stands. */
static bool
is_probe(long number)
{
#ifdef __x86_64__
	return number == 335 || number == 336;
#else
	return number < 0;
#endif
}

static size_t
count_allowed(const struct jailed *j, long from)
{
	size_t n = 0;

	for (long i = from; i < from + NUMBERS; i++)
		n += !is_probe(i) && is_allowed(j, i);
	return n;
}

/* What a child needs to become the owner, and to drop what it can do; and what
 * the porter does with connections, and its children. */
static bool
may(const struct jailed *j, long number)
{
	if (j->kind == JAIL_PORTER)
		return number == SYS_accept4;
	return j->kind == JAIL_SESSIONS &&
	       (number == SYS_setuid || number == SYS_setresuid ||
		   number == SYS_setgroups || number == SYS_capset);
}

static bool
is_closed(const struct jailed *j)
{
	for (size_t i = 0; i < sizeof never / sizeof *never; i++)
		if (!may(j, never[i]) && is_allowed(j, never[i]))
			return false;
	return true;
}

static void
test_calls(struct tap *t, const struct jailed *j)
{
	size_t n = count_allowed(j, 0);
	char name[128];

	printf("# %s: %zu system calls\n", j->name, n);
	snprintf(name, sizeof name, "%s: at most %zu system calls", j->name,
	    j->goal);
	tap_ok(t, n > 0 && n <= j->goal, name);
	snprintf(name, sizeof name, "%s: none that reaches others", j->name);
	tap_ok(t, is_closed(j), name);
	snprintf(name, sizeof name, "%s: none of another ABI", j->name);
	tap_ok(t, count_allowed(j, X32) == 0, name);
}

/* What can be done with a file: 1 read it, 2 write to it. */
static int
try_file(const char *path)
{
	int r = open(path, O_RDONLY | O_CLOEXEC);
	int w = open(path, O_WRONLY | O_CLOEXEC);

	return (r != -1) + 2 * (w != -1);
}

/* Two bits for each folder; -1: there is no Landlock. */
static int
try_folders(void)
{
	struct jail j = { .kind = JAIL_TOOL, .folder = "a", .also = "b" };
	int status, landlock;
	pid_t pid = fork();

	if (pid == 0) {
		if (jail_enter(&j, &landlock) == -1 || landlock == 0)
			_exit(255);
		_exit(try_file("a/x") | try_file("b/x") << 2 |
		      try_file("c/x") << 4);
	}
	if (pid == -1 || waitpid(pid, &status, 0) == -1 || !WIFEXITED(status))
		abort();
	return WEXITSTATUS(status) == 255 ? -1 : WEXITSTATUS(status);
}

static void
test_folders(struct tap *t)
{
	static const char *const names[] = { "a/x", "b/x", "c/x" };
	static const char *const folders[] = { "a", "b", "c" };
	char here[] = "jail-XXXXXX";
	int got;

	if (mkdtemp(here) == NULL || chdir(here) == -1)
		abort();
	for (size_t i = 0; i < 3; i++) {
		if (mkdir(folders[i], 0700) == -1)
			abort();
		close(open(names[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	}
	got = try_folders();
	for (size_t i = 0; i < 3; i++) {
		unlink(names[i]);
		rmdir(folders[i]);
	}
	if (chdir("..") == -1)
		abort();
	rmdir(here);
	tap_ok(t, got == -1 || got == 7,
	    got == -1 ? "two folders # SKIP no Landlock"
		      : "one folder to write, a second to read, no third");
}

/*
 * For jail_enter (-Wl,--wrap=syscall): with LANDLOCK_1 in the environment the
 * kernel is one of the first with Landlock, which let no file be moved to
 * another folder.
 */
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

long
__wrap_syscall(long number, ...)
{
	long a[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_landlock_create_ruleset &&
	    a[2] == LANDLOCK_CREATE_RULESET_VERSION && getenv("LANDLOCK_1"))
		return 1;
	return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* What is whole moves from tmp to cur. */
static bool
may_move(void)
{
	struct jail j = { .kind = JAIL_DELIVER, .folder = "." };
	int status, landlock;
	pid_t pid = fork();

	if (pid == 0) {
		if (jail_enter(&j, &landlock) == -1)
			_exit(255);
		_exit(durable_rename(AT_FDCWD, "tmp/x", AT_FDCWD, "cur/x"));
	}
	if (pid == -1 || waitpid(pid, &status, 0) == -1)
		abort();
	return status == 0;
}

static void
test_moves(struct tap *t)
{
	char here[] = "jail-XXXXXX";

	if (mkdtemp(here) == NULL || chdir(here) == -1 ||
	    mkdir("tmp", 0700) == -1 || mkdir("cur", 0700) == -1)
		abort();
	for (int old = 0; old < 2; old++) {
		close(open("tmp/x", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
		if (old)
			setenv("LANDLOCK_1", "", 1);
		tap_ok(t, may_move(),
		    old ? "files can be moved with Landlock 1"
			: "files can be moved");
	}
	unsetenv("LANDLOCK_1");
	unlink("tmp/x");
	unlink("cur/x");
	rmdir("tmp");
	rmdir("cur");
	if (chdir("..") == -1)
		abort();
	rmdir(here);
}

static void
test_files(struct tap *t)
{
	static const enum jail_kind shut[] = { JAIL_LOGIN, JAIL_SMTP,
		JAIL_SECRET, JAIL_NURSERY };
	bool open = false, sockets = false;

	for (size_t i = 0; i < sizeof shut / sizeof *shut; i++) {
		struct jailed j = { "", shut[i], shut[i], 0 };

		open |= is_allowed(&j, SYS_openat) ||
			is_allowed(&j, SYS_openat2) ||
			is_allowed(&j, SYS_unlinkat);
	}
	for (int kind = JAIL_LOGIN; kind < JAIL_REMOTE; kind++) {
		struct jailed j = { "", kind, kind, 0 };

		sockets |= is_allowed(&j, SYS_socket) ||
			   is_allowed(&j, SYS_connect) ||
			   is_allowed(&j, SYS_bind);
	}
	test_folders(t);
	test_moves(t);
	tap_ok(t, !open, "who reads the network or secrets opens no file");
	tap_ok(t, !sockets, "only remote makes sockets");
}
#endif

int
main(void)
{
#ifdef POSTERN_SANITIZE
	puts("1..0 # SKIP sanitizers are built in");
	return 0;
#else
	struct tap t = { 0 };

	for (size_t i = 0; i < sizeof jails / sizeof *jails; i++)
		test_calls(&t, &jails[i]);
	test_files(&t);
	return tap_end(&t);
#endif
}
