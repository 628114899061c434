/* The probes that are one system call, in a table. */
#include "aim.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	/* In the table, for what the caller names: */
	FIRST = -1000001,
	SECOND = -1000002,
	NUMBER = -1000003 /* the first, as a number */
};

struct call {
	const char *name;
	long number;
	long a[6];
};

static char page[4096];

#define P(p) ((long)(intptr_t)(p))

static union bpf_attr bpf_map = { .map_type = BPF_MAP_TYPE_ARRAY,
	.key_size = 4,
	.value_size = 4,
	.max_entries = 1 };
static struct io_uring_params ring;
static struct perf_event_attr perf = { .type = PERF_TYPE_SOFTWARE,
	.size = sizeof perf,
	.config = PERF_COUNT_SW_CPU_CLOCK };
static struct rlimit limits = { 100, 100 };
static siginfo_t info = { .si_code = SI_QUEUE };
static uint32_t caps[8] = { 0x20080522, 0, 1 << 7, 1 << 7 };
static struct clone_args_0 {
	uint64_t flags, pidfd, child, parent, signal, stack[3];
} clone3_args = { .signal = SIGCHLD };

static struct call calls[] = {
	/* Other processes. */
	{ "ptrace", SYS_ptrace, { PTRACE_SEIZE, NUMBER } },
	{ "kill", SYS_kill, { NUMBER, SIGCONT } },
	{ "tgkill", SYS_tgkill, { NUMBER, NUMBER, SIGCONT } },
	{ "tkill", SYS_tkill, { NUMBER, SIGCONT } },
	{ "queue-signal", SYS_rt_sigqueueinfo, { NUMBER, SIGCONT, P(&info) } },
	{ "pidfd-open", SYS_pidfd_open, { NUMBER } },
	{ "kcmp", SYS_kcmp, { NUMBER, NUMBER, 1 } },
	{ "setpriority", SYS_setpriority, { PRIO_PROCESS, NUMBER, 5 } },
	{ "get-affinity", SYS_sched_getaffinity, { NUMBER, 128, P(page) } },
	{ "get-robust-list", SYS_get_robust_list,
	    { NUMBER, P(page), P(page + 64) } },
	{ "setpgid", SYS_setpgid, { 0, 0 } },
	/* Programs and children. */
	{ "fork", SYS_clone, { SIGCHLD } },
	{ "clone3", SYS_clone3, { P(&clone3_args), sizeof clone3_args } },
	{ "memfd", SYS_memfd_create, { P("x") } },
	{ "personality", SYS_personality, { 0x0400000 } },
	/* Namespaces and file systems. */
	{ "unshare-user", SYS_unshare, { CLONE_NEWUSER } },
	{ "unshare-net", SYS_unshare, { CLONE_NEWNET } },
	{ "unshare-mount", SYS_unshare, { CLONE_NEWNS } },
	{ "clone-user", SYS_clone, { CLONE_NEWUSER | SIGCHLD } },
	{ "clone-net", SYS_clone, { CLONE_NEWNET | SIGCHLD } },
	{ "mount", SYS_mount, { P("none"), FIRST, P("tmpfs") } },
	{ "fsopen", SYS_fsopen, { P("tmpfs") } },
	{ "open-tree", SYS_open_tree, { AT_FDCWD, FIRST, 1 } },
	{ "chroot", SYS_chroot, { FIRST } },
	{ "chdir", SYS_chdir, { FIRST } },
	/* Rights. */
	{ "setuid", SYS_setuid, { 0 } },
	{ "setresuid", SYS_setresuid, { 0, 0, 0 } },
	{ "setgid", SYS_setgid, { 0 } },
	{ "setgroups", SYS_setgroups, { 1, P(page) } },
	{ "setfsuid", SYS_setfsuid, { 0 } },
	{ "capset", SYS_capset, { P(caps), P(caps + 2) } },
	{ "dumpable", SYS_prctl, { PR_SET_DUMPABLE, 1 } },
	{ "raise-limit", SYS_setrlimit, { RLIMIT_CORE, P(&limits) } },
	/* The kernel's wide doors. */
	{ "io-uring", SYS_io_uring_setup, { 1, P(&ring) } },
	{ "bpf", SYS_bpf, { BPF_MAP_CREATE, P(&bpf_map), sizeof bpf_map } },
	{ "keyctl", SYS_keyctl,
	    { KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 1 } },
	{ "add-key", SYS_add_key, { P("user"), P("postern-probe"), P("x"), 1,
		KEY_SPEC_PROCESS_KEYRING } },
	{ "perf", SYS_perf_event_open, { P(&perf), 0, -1, -1, 0 } },
	{ "userfaultfd", SYS_userfaultfd, { 0 } },
	{ "fanotify", SYS_fanotify_init, { 0, O_RDONLY } },
	{ "shmget", SYS_shmget, { IPC_PRIVATE, 4096, 0600 } },
	{ "semget", SYS_semget, { IPC_PRIVATE, 1, 0600 } },
	{ "msgget", SYS_msgget, { IPC_PRIVATE, 0600 } },
	{ "mq-open", SYS_mq_open,
	    { P("postern-probe"), O_RDWR | O_CREAT, 0600, 0 } },
	{ "syslog", SYS_syslog, { 3, P(page), sizeof page } },
	/* The network. */
	{ "socketpair", SYS_socketpair, { AF_UNIX, SOCK_STREAM, 0, P(page) } },
	{ "inet", SYS_socket, { AF_INET, SOCK_STREAM, 0 } },
	{ "inet6", SYS_socket, { AF_INET6, SOCK_DGRAM, 0 } },
	{ "netlink", SYS_socket, { AF_NETLINK, SOCK_RAW, 0 } },
	{ "packet", SYS_socket, { AF_PACKET, SOCK_RAW, 0 } },
	/* Files, by system calls that none of ours makes. */
	{ "symlink", SYS_symlinkat, { FIRST, AT_FDCWD, SECOND } },
	{ "truncate", SYS_truncate, { FIRST, 0 } },
	{ "chmod", SYS_fchmodat, { AT_FDCWD, FIRST, 0666 } },
	{ "chown", SYS_fchownat, { AT_FDCWD, FIRST, 1, 1 } },
	{ "fifo", SYS_mknodat, { AT_FDCWD, FIRST, S_IFIFO | 0600 } },
	{ "device", SYS_mknodat, { AT_FDCWD, FIRST, S_IFCHR | 0600, 259 } },
	{ "setxattr", SYS_setxattr, { FIRST, P("user.x"), P("x"), 1 } },
	{ "readlink", SYS_readlinkat,
	    { AT_FDCWD, P("/proc/self/exe"), P(page), sizeof page } },
	{ "access", SYS_faccessat, { AT_FDCWD, FIRST, R_OK } },
	{ "statfs", SYS_statfs, { FIRST, P(page) } },
	/* Files, by ours. */
	{ "unlink", SYS_unlinkat, { AT_FDCWD, FIRST } },
	{ "mkdir", SYS_mkdirat, { AT_FDCWD, FIRST, 0700 } },
	{ "link", SYS_linkat, { AT_FDCWD, FIRST, AT_FDCWD, SECOND, 0 } },
	{ "rename", SYS_renameat2, { AT_FDCWD, FIRST, AT_FDCWD, SECOND, 0 } },
	{ "exchange", SYS_renameat2,
	    { AT_FDCWD, FIRST, AT_FDCWD, SECOND, 2 } },
	{ "utimes", SYS_utimensat, { AT_FDCWD, FIRST, 0, 0 } },
};

static long
argument(long value, const struct aim *a)
{
	if (value == FIRST)
		return P(a->first);
	if (value == SECOND)
		return P(a->second);
	return value == NUMBER ? a->number : value;
}

static int
make(const struct call *c, const struct aim *a)
{
	long x[6];

	for (int i = 0; i < 6; i++)
		x[i] = argument(c->a[i], a);
	return syscall(c->number, x[0], x[1], x[2], x[3], x[4], x[5]) != -1;
}

int
probe_call(const struct aim *a)
{
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		if (strcmp(calls[i].name, a->name) == 0)
			return make(&calls[i], a);
	return -1;
}
