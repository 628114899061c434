/* The probes that take more than one system call. */
#include "aim.h"
#include "probe.h"

#include "base/num.h"
#include "base/span.h"
#include "net/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/openat2.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	WORD = 1024,
	FAMILIES = 46,
	MANY = 5000 /* descriptors: far more than a program of ours has */
};

static char page[4096];

/* Something is read, written or listed at the path. */
static int
read_at(int dir, const char *path)
{
	int fd = (int)syscall(SYS_openat, dir, path, O_RDONLY);

	return fd != -1 && read(fd, page, sizeof page) > 0;
}

static int
read_file(const struct aim *a)
{
	return read_at(AT_FDCWD, a->first);
}

static int
read_openat2(const struct aim *a)
{
	struct open_how how = { .flags = O_RDONLY };
	int fd = (int)syscall(
	    SYS_openat2, AT_FDCWD, a->first, &how, sizeof how);

	return fd != -1 && read(fd, page, sizeof page) > 0;
}

/* From every folder that is held, by the way up. */
static int
read_above(const struct aim *a)
{
	int last = EBADF;

	for (int fd = 3; fd < 64; fd++) {
		if (read_at(fd, a->first))
			return 1;
		if (errno != EBADF)
			last = errno;
	}
	errno = last;
	return read_at(AT_FDCWD, a->first);
}

static int
write_file(const struct aim *a)
{
	int fd = (int)syscall(
	    SYS_openat, AT_FDCWD, a->first, O_WRONLY | O_APPEND);

	return fd != -1 && write(fd, "x", 1) == 1;
}

static int
create_file(const struct aim *a)
{
	return syscall(SYS_openat, AT_FDCWD, a->first,
		   O_WRONLY | O_CREAT | O_EXCL, 0600) != -1;
}

static int
list_folder(const struct aim *a)
{
	int fd = (int)syscall(
	    SYS_openat, AT_FDCWD, a->first, O_RDONLY | O_DIRECTORY);

	return fd != -1 && syscall(SYS_getdents64, fd, page, sizeof page) > 0;
}

/* A program for others that runs with our uid. */
static int
is_setuid(int fd)
{
	struct stat st;

	return fd != -1 && fstat(fd, &st) == 0 && (st.st_mode & S_ISUID) != 0;
}

static int
setuid_open(const struct aim *a)
{
	return is_setuid((int)syscall(SYS_openat, AT_FDCWD, a->first,
	    O_RDWR | O_CREAT | O_EXCL, 04755));
}

static int
setuid_openat2(const struct aim *a)
{
	struct open_how how = { .flags = O_RDWR | O_CREAT | O_EXCL,
		.mode = 04755 };

	return is_setuid((int)syscall(
	    SYS_openat2, AT_FDCWD, a->first, &how, sizeof how));
}

static int
setuid_chmod(const struct aim *a)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, a->first, O_RDWR);

	return fd != -1 && syscall(SYS_fchmod, fd, 04755) == 0 &&
	       is_setuid(fd);
}

static int
execute(const struct aim *a)
{
	char ran[] = "ran";
	char *const argv[] = { page, ran, NULL };

	/* What runs says so. */
	return syscall(SYS_execve, a->first, argv, NULL) != -1;
}

static int
execute_at(const struct aim *a)
{
	char ran[] = "ran";
	char *const argv[] = { page, ran, NULL };
	int fd = (int)syscall(SYS_openat, AT_FDCWD, a->first, O_RDONLY);

	return syscall(SYS_execveat, fd, "", argv, NULL, AT_EMPTY_PATH) != -1;
}

/* Code of ours in memory that can be written. */
static int
run_in(void *p)
{
#if defined(__x86_64__)
	static const unsigned char code[] = { 0xb8, 1, 0, 0, 0, 0xc3 };
#else
	static const uint32_t code[] = { 0x52800020, 0xd65f03c0 };
#endif
	int (*function)(void);

	if (p == MAP_FAILED)
		return 0;
	memcpy(p, code, sizeof code);
	__builtin___clear_cache(p, (char *)p + sizeof code);
	memcpy(&function, &p, sizeof p);
	return function();
}

static int
code_mapped(const struct aim *a)
{
	(void)a;
	return run_in(mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static int
code_made_executable(const struct aim *a)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)a;
	if (p == MAP_FAILED)
		return 0;
	memset(p, 0, 4096);
	return mprotect(p, 4096, PROT_READ | PROT_EXEC | PROT_WRITE) == 0 &&
	       run_in(p);
}

static int
code_anonymous(const struct aim *a)
{
	(void)a;
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

/* Another ABI's numbers: open(2) of i386. */
static int
other_abi(const struct aim *a)
{
#if defined(__x86_64__)
	int r;
	char *path = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	if (path == MAP_FAILED)
		return 0;
	snprintf(path, 4096, "%s", a->first);
	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(5), "b"(path), "c"(O_RDONLY), "d"(0)
			 : "memory");
	errno = r < 0 ? -r : 0;
	return r >= 0;
#else
	errno = ENOSYS;
	return 0;
#endif
}

static int
families(const struct aim *a)
{
	bool but_ip = strcmp(a->first, "but-ip") == 0;

	for (int f = 0; f < FAMILIES; f++)
		for (int type = SOCK_STREAM; type <= SOCK_SEQPACKET; type++)
			if (!(but_ip && (f == AF_INET || f == AF_INET6)) &&
			    syscall(SYS_socket, f, type, 0) != -1)
				return 1;
	return 0;
}

/* The first is a name; one that begins with @ is abstract. */
static int
unix_socket(const struct aim *a, long call)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = (int)syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);

	snprintf(to.sun_path, sizeof to.sun_path, "%s", a->first);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0';
	return fd != -1 &&
	       syscall(call, fd, &to,
		   offsetof(struct sockaddr_un, sun_path) +
		       strlen(a->first)) == 0;
}

static int
unix_connect(const struct aim *a)
{
	return unix_socket(a, SYS_connect);
}

static int
unix_bind(const struct aim *a)
{
	return unix_socket(a, SYS_bind);
}

/* A signal of our choice, from the kernel, when input comes. */
static int
signal_by_owner(const struct aim *a)
{
	return syscall(SYS_fcntl, 0, F_SETOWN, a->number) == 0;
}

static int
pidfd_signal(const struct aim *a)
{
	int fd = (int)syscall(SYS_pidfd_open, a->number, 0);

	return fd != -1 &&
	       syscall(SYS_pidfd_send_signal, fd, SIGCONT, NULL, 0) == 0;
}

static int
pidfd_steal(const struct aim *a)
{
	int fd = (int)syscall(SYS_pidfd_open, a->number, 0);

	return fd != -1 && syscall(SYS_pidfd_getfd, fd, 0, 0) != -1;
}

/* At the address that the second is. */
static int
memory_of(const struct aim *a, long call)
{
	struct iovec ours = { page, 1 };
	struct iovec theirs = { (void *)(uintptr_t)a->address, 1 };

	return syscall(call, a->number, &ours, 1, &theirs, 1, 0) == 1;
}

static int
memory_read(const struct aim *a)
{
	return memory_of(a, SYS_process_vm_readv);
}

static int
memory_write(const struct aim *a)
{
	return memory_of(a, SYS_process_vm_writev);
}

static int
by_handle(const struct aim *a)
{
	struct {
		struct file_handle h;
		char bytes[128];
	} h = { .h.handle_bytes = 128 };
	int mount, root = open("/", O_RDONLY | O_DIRECTORY);

	return syscall(SYS_name_to_handle_at, AT_FDCWD, a->first, &h, &mount,
		   0) == 0 &&
	       syscall(SYS_open_by_handle_at, root, &h, O_RDONLY) != -1;
}

/* A filter of our own that answers for the kernel. */
static int
filter(const struct aim *a)
{
	struct sock_filter code = BPF_STMT(
	    BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog p = { 1, &code };

	(void)a;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		   SECCOMP_FILTER_FLAG_NEW_LISTENER, &p) != -1;
}

/* May a program of ours have it?  A session, its owner's uid given, has
 * folders and files of the owner's, a login program its channel to the porter
 * and to the signer, smtpd also users.cdb. */
static bool
is_known(int fd, const struct aim *a)
{
	struct stat st;

	if (strcmp(a->first, "login") == 0)
		return fd == FRAME_FD || fd == FRAME_KEY_FD;
	if (strcmp(a->first, "smtp") == 0)
		return fd == FRAME_FD || fd == FRAME_KEY_FD ||
		       fd == FRAME_USERS_FD;
	return fstat(fd, &st) == 0 &&
	       (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)) &&
	       st.st_uid == (uid_t)a->number;
}

/* What front or another program has open and forgot to keep. */
static int
inherited(const struct aim *a)
{
	int type;

	for (int fd = 3; fd < 1024; fd++) {
		socklen_t n = sizeof type;

		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == -1 &&
		    errno == EBADF)
			continue;
		if (!is_known(fd, a))
			return 1;
	}
	errno = EBADF;
	return 0;
}

/* A hole is a file, too. */
static int
huge_file(const struct aim *a)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, a->first,
	    O_WRONLY | O_CREAT | O_EXCL, 0600);

	return fd != -1 && pwrite(fd, "x", 1, INT64_C(1) << 40) == 1;
}

static int
many_descriptors(const struct aim *a)
{
	int n = 0;

	(void)a;
	while (n < MANY &&
	       fcntl(0, F_DUPFD_CLOEXEC, 0) != -1)
		n++;
	return n == MANY;
}

/* More than any program of ours may come to. */
static int
much_memory(const struct aim *a)
{
	(void)a;
	return mmap(NULL, (size_t)1 << 42, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		   0) != MAP_FAILED;
}

/* The caller looks for what is left of us. */
static int
dump(const struct aim *a)
{
	(void)a;
	*(volatile char *)(uintptr_t)a->number = 0;
	return 0;
}

static const struct {
	const char *name;
	int (*run)(const struct aim *);
} probes[] = {
	{ "read", read_file },
	{ "read-openat2", read_openat2 },
	{ "read-above", read_above },
	{ "read-i386", other_abi },
	{ "write", write_file },
	{ "create", create_file },
	{ "list", list_folder },
	{ "setuid-open", setuid_open },
	{ "setuid-openat2", setuid_openat2 },
	{ "setuid-chmod", setuid_chmod },
	{ "exec", execute },
	{ "execveat", execute_at },
	{ "code-mapped", code_mapped },
	{ "code-mprotect", code_made_executable },
	{ "code-anonymous", code_anonymous },
	{ "families", families },
	{ "unix-connect", unix_connect },
	{ "unix-bind", unix_bind },
	{ "signal-by-owner", signal_by_owner },
	{ "pidfd-signal", pidfd_signal },
	{ "pidfd-steal", pidfd_steal },
	{ "memory-read", memory_read },
	{ "memory-write", memory_write },
	{ "by-handle", by_handle },
	{ "filter", filter },
	{ "inherited", inherited },
	{ "huge-file", huge_file },
	{ "many-descriptors", many_descriptors },
	{ "much-memory", much_memory },
	{ "dump", dump },
};

/* The next word, as a string and as a number. */
static const char *
next_word(struct span *text, char word[WORD], long *number)
{
	uint64_t n = 0;

	if (span_copy(span_take(text, ' '), word, WORD) == -1)
		word[0] = '\0';
	(void)num_parse(span_str(word), INT64_MAX, &n);
	*number = (long)n;
	return word;
}

int
probe_run(const char *text)
{
	static char words[3][WORD];
	struct span rest = span_str(text);
	struct aim a = { 0 };

	a.name = next_word(&rest, words[0], &a.number);
	a.first = next_word(&rest, words[1], &a.number);
	a.second = next_word(&rest, words[2], &a.address);
	errno = 0;
	for (size_t i = 0; i < sizeof probes / sizeof *probes; i++)
		if (strcmp(probes[i].name, a.name) == 0)
			return probes[i].run(&a);
	return probe_call(&a);
}

void
probe_tell(int fd, const char *text, int result)
{
	int error = errno;
	char line[256], name[WORD];
	struct span rest = span_str(text);
	int n;

	(void)span_copy(span_head(span_take(&rest, ' '), 64), name, WORD);
	n = snprintf(line, sizeof line, "PROBE %.64s %s: %s\n",
	    name,
	    result == 1 ? "yes" : result == 0 ? "no" : "unknown",
	    strerror(error));

	if (write(fd, line, (size_t)n) != n)
		_exit(2);
}
