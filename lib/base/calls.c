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
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
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
#ifndef SYS_renameat
#define SYS_renameat SYS_renameat2
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
 * that grows where it is (store/space.h); sysinfo, for qsort; uname, for the
 * names of files. */
#define CALLS_FILES \
	SYS_clock_nanosleep, SYS_dup, SYS_fallocate, SYS_fchmod, SYS_fcntl, \
	    SYS_fdatasync, SYS_fstatfs, SYS_fsync, SYS_ftruncate, \
	    SYS_getdents64, SYS_linkat, SYS_mkdirat, SYS_mprotect, \
	    SYS_mremap, SYS_openat, SYS_openat2, SYS_poll, SYS_pwrite64, SYS_renameat, \
	    SYS_renameat2, SYS_syncfs, SYS_sysinfo, SYS_uname, SYS_unlinkat, \
	    SYS_utimensat
/* inotify, and its timer, as one descriptor. */
#define CALLS_WATCH \
	SYS_epoll_create1, SYS_epoll_ctl, SYS_inotify_add_watch, \
	    SYS_inotify_init1, SYS_timerfd_create, SYS_timerfd_settime

static const unsigned login_calls[] = { CALLS_BASE, CALLS_LOG, CALLS_SOCKET,
	CALLS_FRAMES };
static const unsigned smtp_calls[] = { CALLS_SMTP };
/* fcntl: checkpw counts failures in a file, under locks. */
static const unsigned secret_calls[] = { CALLS_BASE, CALLS_LOG, CALLS_FRAMES,
	CALLS_READ, SYS_fcntl, SYS_mremap, SYS_poll, SYS_sendto };
/* What its children need, and to fork and arrange their descriptors. */
static const unsigned nursery_calls[] = { CALLS_SMTP, SYS_clone, SYS_clone3,
	SYS_close_range, SYS_dup2, SYS_fcntl, SYS_pidfd_open, SYS_prlimit64,
	SYS_rseq, SYS_rt_sigprocmask, SYS_seccomp, SYS_set_robust_list,
	SYS_signalfd4, SYS_socketpair, SYS_wait4 };
static const unsigned session_calls[] = { CALLS_BASE, CALLS_LOG, CALLS_SOCKET,
	CALLS_READ, CALLS_FILES, CALLS_WATCH,
	SYS_ioctl /* is it a terminal? */ };
/* rt_sigaction: once the message is there, a fault is no failure. */
static const unsigned deliver_calls[] = { CALLS_BASE, CALLS_LOG, CALLS_READ,
	CALLS_FILES, SYS_rt_sigaction };
static const unsigned view_calls[] = { CALLS_BASE, CALLS_LOG, CALLS_READ,
	CALLS_FILES, CALLS_WATCH, SYS_writev };
/* The resolver looks for files that the jail does not have. */
static const unsigned remote_calls[] = { CALLS_SMTP, SYS_bind, SYS_connect,
	SYS_ioctl, SYS_openat, SYS_sendmmsg, SYS_socket, SYS_uname, SYS_writev };

struct list {
	const unsigned *calls;
	size_t n;
};
#define LIST(a) { a, sizeof a / sizeof *a }

static const struct list lists[] = {
	[JAIL_LOGIN] = LIST(login_calls),
	[JAIL_SMTP] = LIST(smtp_calls),
	[JAIL_SECRET] = LIST(secret_calls),
	[JAIL_NURSERY] = LIST(nursery_calls),
	[JAIL_SESSION] = LIST(session_calls),
	[JAIL_DELIVER] = LIST(deliver_calls),
	[JAIL_VIEW] = LIST(view_calls),
	[JAIL_REMOTE] = LIST(remote_calls),
};

enum {
	CALLS = 100, /* of the longest list; a jump spans up to 255 */
	FIXED = 6    /* instructions beside the calls */
};

/* A call of another architecture's numbers is no call of ours. */
int
calls_limit(enum jail_kind kind)
{
	const struct list *l = &lists[kind];
	struct sock_filter code[CALLS + FIXED] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
	};
	struct sock_fprog program = { .filter = code };
	unsigned short n = 4;

	if (l->n > CALLS) {
		errno = E2BIG;
		return -1;
	}
	for (size_t i = 0; i < l->n; i++)
		code[n++] = (struct sock_filter)BPF_JUMP(
		    BPF_JMP | BPF_JEQ | BPF_K, l->calls[i],
		    (unsigned char)(l->n - i), 0);
	code[n++] = (struct sock_filter)BPF_STMT(
	    BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	code[n++] = (struct sock_filter)BPF_STMT(
	    BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program.len = n;
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
