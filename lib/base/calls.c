/*
 * Which system calls a jailed program may make.
 *
 * The lists hold what our code and the libraries below it were seen to call
 * or are written to call, on glibc 2.36 and later; the kernel remembers the
 * answer for each number, so that long lists cost no time.  abort() is not
 * on them: it ends the process by SIGSYS in place of SIGABRT.
 */
#include "base/calls.h"

#ifndef POSTERN_SANITIZE

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#else
#error "no list of system calls for this architecture: add it here"
#endif

/* Where a call has no number of its own, libc makes the newer one. */
#ifndef SYS_poll
#define SYS_poll SYS_ppoll
#endif
#ifndef SYS_dup2
#define SYS_dup2 SYS_dup3
#endif

/* Memory, time and the end; restart_syscall: after SIGSTOP and SIGCONT. */
#define CALLS_BASE \
	SYS_brk, SYS_clock_gettime, SYS_close, SYS_exit_group, SYS_futex, \
	    SYS_getrandom, SYS_madvise, SYS_mmap, SYS_munmap, \
	    SYS_restart_syscall
#define CALLS_LOG SYS_getpid, SYS_getsockopt, SYS_write
#define CALLS_SOCKET \
	SYS_poll, SYS_recvfrom, SYS_sendto, SYS_setsockopt, SYS_shutdown
#define CALLS_FRAMES SYS_recvmsg, SYS_sendmsg
/* Reading what is open. */
#define CALLS_READ \
	SYS_fstat, SYS_lseek, SYS_newfstatat, SYS_pread64, SYS_read
#define CALLS_SMTP \
	CALLS_BASE, CALLS_LOG, CALLS_SOCKET, CALLS_FRAMES, CALLS_READ, \
	    SYS_mremap
/* Files below a folder; mprotect, for the modules of iconv and for memory
 * that grows where it is (store/space.h); uname, for the names of files. */
#define CALLS_FILES \
	SYS_clock_nanosleep, SYS_fallocate, SYS_fchmod, SYS_fcntl, \
	    SYS_fdatasync, SYS_fstatfs, SYS_fsync, SYS_ftruncate, \
	    SYS_getdents64, SYS_linkat, SYS_mkdirat, SYS_mprotect, \
	    SYS_mremap, SYS_openat, SYS_poll, SYS_pwrite64, SYS_renameat2, \
	    SYS_sync_file_range, SYS_syncfs, SYS_uname, SYS_unlinkat, SYS_utimensat
#define CALLS_WATCH SYS_inotify_add_watch, SYS_inotify_init1

/* To fork and to arrange descriptors. */
#define CALLS_NURSERY \
	SYS_clone, SYS_close_range, SYS_dup2, SYS_pidfd_open, SYS_prlimit64, \
	    SYS_rseq, SYS_rt_sigprocmask, SYS_seccomp, \
	    SYS_set_robust_list, SYS_signalfd4, SYS_wait4
#define CALLS_BECOME \
	SYS_capget, SYS_geteuid, SYS_getresgid, SYS_getresuid, SYS_setgroups, \
	    SYS_setresgid, SYS_setresuid, SYS_setuid
/* sysinfo: qsort, once. */
#define CALLS_JAIL \
	SYS_capset, SYS_landlock_add_rule, SYS_landlock_create_ruleset, \
	    SYS_landlock_restrict_self, SYS_prctl, SYS_rt_sigaction, \
	    SYS_shutdown, SYS_sysinfo, SYS_umask

/* One connection of the porter's: frames, and waiting. */
#define CALLS_LINK \
	CALLS_LOG, CALLS_FRAMES, SYS_brk, SYS_clock_gettime, SYS_close, \
	    SYS_exit_group, SYS_getpeername, SYS_mmap, SYS_munmap, SYS_poll, \
	    SYS_restart_syscall, SYS_setsockopt, SYS_shutdown, SYS_socketpair
static const unsigned link_calls[] = { CALLS_LINK };
/* It forks for each, and waits for it and for its session. */
static const unsigned porter_calls[] = { CALLS_LINK, SYS_accept4, SYS_clone,
	SYS_close_range, SYS_epoll_ctl, SYS_epoll_wait, SYS_getrandom,
	SYS_prlimit64, SYS_read, SYS_rt_sigprocmask, SYS_seccomp,
	SYS_set_robust_list, SYS_waitid };
static const unsigned login_calls[] = { CALLS_BASE, CALLS_LOG, CALLS_SOCKET,
	CALLS_FRAMES };
static const unsigned smtp_calls[] = { CALLS_SMTP };
/* fcntl: checkpw counts failures in a file, under locks. */
static const unsigned secret_calls[] = { CALLS_BASE, CALLS_LOG, CALLS_FRAMES,
	CALLS_READ, SYS_fcntl, SYS_mremap, SYS_poll, SYS_sendto };
/* What its children need, and to fork and arrange their descriptors. */
static const unsigned nursery_calls[] = { CALLS_SMTP, CALLS_NURSERY,
	SYS_fcntl, SYS_socketpair };
static const unsigned session_calls[] = { CALLS_BASE, CALLS_LOG, CALLS_READ,
	CALLS_FILES, CALLS_WATCH, SYS_sendto, SYS_setsockopt };
/* And to become the owner, and what jail_enter() calls. */
static const unsigned sessions_calls[] = { CALLS_BASE, CALLS_LOG, CALLS_READ,
	CALLS_FILES, CALLS_WATCH, SYS_sendto, SYS_setsockopt, CALLS_FRAMES,
	CALLS_NURSERY, CALLS_BECOME, CALLS_JAIL };
/* rt_sigaction: once the message is there, a fault is no failure. */
static const unsigned deliver_calls[] = { CALLS_BASE, CALLS_LOG, CALLS_READ,
	CALLS_FILES, SYS_rt_sigaction };
/* A file that is new, whole, and told of. */
#define CALLS_PUT \
	SYS_fsync, SYS_linkat, SYS_mremap, SYS_openat, SYS_poll, \
	    SYS_renameat2, SYS_unlinkat
static const unsigned enqueue_calls[] = { CALLS_BASE, CALLS_LOG, CALLS_READ,
	CALLS_PUT };
static const unsigned queue_calls[] = { CALLS_BASE, CALLS_LOG, CALLS_READ,
	CALLS_PUT, CALLS_FRAMES, SYS_fcntl, SYS_fdatasync, SYS_ftruncate,
	SYS_getdents64, SYS_geteuid, SYS_pipe2, SYS_socketpair,
	SYS_utimensat };
static const unsigned view_calls[] = { CALLS_BASE, CALLS_LOG, CALLS_READ,
	CALLS_FILES, CALLS_WATCH, SYS_timerfd_settime, SYS_writev };
/* stdio asks whether it writes to a terminal, `check' who owns the files. */
static const unsigned tool_calls[] = { CALLS_BASE, CALLS_LOG, CALLS_READ,
	CALLS_FILES, SYS_geteuid, SYS_ioctl };
/* The resolver looks for files that the jail does not have. */
static const unsigned remote_calls[] = { CALLS_SMTP, SYS_bind, SYS_connect,
	SYS_ioctl, SYS_openat, SYS_sendmmsg, SYS_socket, SYS_uname, SYS_writev };

/*
 * Arguments that a call on the lists must not have: `bits' of argument
 * `arg' and, where there are any, `and_bits' of argument `and' as well.
 */
struct rule {
	unsigned call;
	unsigned arg;
	uint32_t bits;
	unsigned and;
	uint32_t and_bits;
};

enum {
	UPPER = 16, /* in arg: the upper half of it */
	TMPFILE = O_TMPFILE & ~O_DIRECTORY,
	NAMESPACES = (int)(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |
			   CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS |
			   CLONE_NEWCGROUP)
};

/* What can be written is never run.  fcntl: no signals to whom we choose
 * (F_SETOWN and its like). */
#define RULES_ALL \
	{ SYS_mprotect, 2, PROT_EXEC, 0, 0 }, { SYS_fcntl, 1, 8, 0, 0 }
#define RULES_NO_CODE RULES_ALL, { SYS_mmap, 2, PROT_EXEC, 0, 0 }
static const struct rule closed_rules[] = { RULES_NO_CODE };
static const struct rule remote_rules[] = { RULES_NO_CODE,
	{ SYS_socket, 0, ~(uint32_t)(AF_INET | AF_INET6), 0, 0 } };
static const struct rule nursery_rules[] = { RULES_NO_CODE,
	{ SYS_clone, 0, NAMESPACES, 0, 0 } };
/* The modules of iconv are mapped as they are.  No file that runs as its
 * owner; utimensat for open files only, as Landlock does not know it. */
#define RULES_OPEN \
	{ SYS_openat, 2, O_CREAT | TMPFILE, 3, S_ISUID | S_ISGID }, \
	    { SYS_utimensat, 1, UINT32_MAX, 0, 0 }, \
	    { SYS_utimensat, 1 | UPPER, UINT32_MAX, 0, 0 }
#define FILE_RULES \
	RULES_ALL, { SYS_mmap, 2, PROT_EXEC, 2, PROT_WRITE }, \
	    { SYS_mmap, 2, PROT_EXEC, 3, MAP_ANONYMOUS | MAP_SHARED }, \
	    RULES_OPEN, { SYS_fchmod, 1, S_ISUID | S_ISGID, 0, 0 }
static const struct rule file_rules[] = { FILE_RULES };
static const struct rule queue_rules[] = { RULES_NO_CODE, RULES_OPEN };
/* ioctl for that question only. */
static const struct rule tool_rules[] = { FILE_RULES,
	{ SYS_ioctl, 1, ~(uint32_t)TCGETS, 0, 0 } };
static const struct rule sessions_rules[] = { RULES_ALL,
	{ SYS_clone, 0, NAMESPACES, 0, 0 } };

struct list {
	const unsigned *calls;
	size_t n;
	const struct rule *rules;
	size_t nrules;
};
#define LIST(a, r) { a, sizeof a / sizeof *a, r, sizeof r / sizeof *r }

static const struct list lists[] = {
	[JAIL_PORTER] = LIST(porter_calls, nursery_rules),
	[JAIL_LINK] = LIST(link_calls, closed_rules),
	[JAIL_LOGIN] = LIST(login_calls, closed_rules),
	[JAIL_SMTP] = LIST(smtp_calls, closed_rules),
	[JAIL_SECRET] = LIST(secret_calls, closed_rules),
	[JAIL_NURSERY] = LIST(nursery_calls, nursery_rules),
	[JAIL_SESSION] = LIST(session_calls, file_rules),
	[JAIL_SESSIONS] = LIST(sessions_calls, sessions_rules),
	[JAIL_DELIVER] = LIST(deliver_calls, file_rules),
	[JAIL_ENQUEUE] = LIST(enqueue_calls, queue_rules),
	[JAIL_QUEUE] = LIST(queue_calls, queue_rules),
	[JAIL_VIEW] = LIST(view_calls, file_rules),
	[JAIL_TOOL] = LIST(tool_calls, tool_rules),
	[JAIL_REMOTE] = LIST(remote_calls, remote_rules),
};

enum {
	CALLS = 100, /* of the longest list; a jump spans up to 255 */
	RULES = 10,
	RULE = 7, /* instructions of one */
	FIXED = 6 /* instructions beside these */
};

struct code {
	struct sock_filter at[CALLS + RULES * RULE + FIXED];
	unsigned short n;
};

static void
load(struct code *c, size_t offset)
{
	c->at[c->n++] = (struct sock_filter)BPF_STMT(
	    BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset);
}

/* Where the argument holds none of the bits: past n instructions. */
static void
test_bits(struct code *c, unsigned arg, uint32_t bits, unsigned char n)
{
	size_t half = (arg & UPPER) != 0 ? 4 : 0;

	load(c,
	    offsetof(struct seccomp_data, args) + (arg % UPPER) * 8 + half);
	c->at[c->n++] = (struct sock_filter)BPF_JUMP(
	    BPF_JMP | BPF_JSET | BPF_K, bits, 0, n);
}

/* Begins and ends with the call's number loaded. */
static void
add_rule(struct code *c, const struct rule *r)
{
	bool two = r->and_bits != 0;

	c->at[c->n++] = (struct sock_filter)BPF_JUMP(
	    BPF_JMP | BPF_JEQ | BPF_K, r->call, 0, two ? 6 : 4);
	test_bits(c, r->arg, r->bits, two ? 3 : 1);
	if (two)
		test_bits(c, r->and, r->and_bits, 1);
	c->at[c->n++] = (struct sock_filter)BPF_STMT(
	    BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	load(c, offsetof(struct seccomp_data, nr));
}

/* A call of another architecture's numbers is no call of ours. */
int
calls_limit(enum jail_kind kind)
{
	const struct list *l = &lists[kind];
	struct code c = { .at = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
	}, .n = 4 };
	struct sock_fprog program = { .filter = c.at };

	if (l->n > CALLS || l->nrules > RULES) {
		errno = E2BIG;
		return -1;
	}
	for (size_t i = 0; i < l->nrules; i++)
		add_rule(&c, &l->rules[i]);
	for (size_t i = 0; i < l->n; i++)
		c.at[c.n++] = (struct sock_filter)BPF_JUMP(
		    BPF_JMP | BPF_JEQ | BPF_K, l->calls[i],
		    (unsigned char)(l->n - i), 0);
	c.at[c.n++] = (struct sock_filter)BPF_STMT(
	    BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	c.at[c.n++] = (struct sock_filter)BPF_STMT(
	    BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program.len = c.n;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

#else

int
calls_limit(enum jail_kind kind)
{
	(void)kind;
	return 0;
}

#endif
