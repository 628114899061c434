/* A program with the classic checkpassword interface. */
#include "classic.h"

#include "base/io.h"
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	PASSWORD_FD = 3
};

static pid_t
start_program(const struct conf *c, const char *service, const char *peer,
    int password)
{
	char path[PATH_MAX], from[128], what[64];
	/* What it is to start when the password is right. */
	const char *argv[] = { path, "/bin/true", NULL };
	const char *env[] = { "PATH=/usr/bin:/bin", "PROTO=TCP", from, what,
		NULL };
	int fds[] = { -1, -1, 2, password };
	struct proc p = { .path = path,
		.argv = argv,
		.envp = env,
		.fds = fds,
		.nfds = sizeof fds / sizeof *fds };

	snprintf(from, sizeof from, "TCPREMOTEIP=%s", peer);
	snprintf(what, sizeof what, "SERVICE=%s", service);
	if (conf_program(c, c->checkpassword, path) == -1)
		return -1;
	return proc_spawn(&p);
}

/* Waits for the program, and ends it if checkpw is ended first. */
static _Noreturn void
watch(pid_t pid, int verdict)
{
	struct pollfd p[2] = {
		{ .fd = (int)syscall(SYS_pidfd_open, pid, 0),
		    .events = POLLIN },
		{ .fd = verdict },
	};
	unsigned char code;
	int r;

	while (poll(p, 2, -1) == -1 && errno == EINTR)
		;
	if (p[0].fd == -1 || p[1].revents != 0)
		kill(pid, SIGKILL);
	r = proc_wait(pid);
	code = r >= 0 && r <= 255 ? (unsigned char)r : 111;
	_exit(io_write(verdict, &code, 1) == -1);
}

static _Noreturn void
be_keeper(const struct conf *c, const char *service, const char *peer,
    const int password[2], const int verdict[2])
{
	pid_t pid;

	signal(SIGPIPE, SIG_IGN);
	close(0); /* the way to the porter is checkpw's alone */
	close(password[1]);
	close(verdict[0]);
	pid = start_program(c, service, peer, password[0]);
	close(password[0]);
	if (pid == -1)
		_exit(1);
	watch(pid, verdict[1]);
}

int
classic_start(const struct conf *c, const char *service, const char *peer,
    struct classic *out)
{
	int password[2], verdict[2];
	pid_t pid;

	if (pipe2(password, O_CLOEXEC) == -1)
		return -1;
	if (pipe2(verdict, O_CLOEXEC) == -1) {
		close(password[0]);
		close(password[1]);
		return -1;
	}
	pid = fork();
	if (pid == 0)
		be_keeper(c, service, peer, password, verdict);
	close(password[0]);
	close(verdict[1]);
	out->password = password[1];
	out->verdict = verdict[0];
	signal(SIGPIPE, SIG_IGN);
	return pid == -1 ? -1 : 0;
}

/* name NUL password NUL time NUL */
static int
tell(int fd, struct span user, struct span password)
{
	struct buf b = buf_new(2048);
	int r = -1;

	(void)buf_add_span(&b, user);
	(void)buf_add_byte(&b, '\0');
	(void)buf_add_span(&b, password);
	(void)buf_add_byte(&b, '\0');
	(void)buf_add_u64(&b, (uint64_t)time(NULL));
	(void)buf_add_byte(&b, '\0');
	if (!b.full)
		r = io_write(fd, b.p, b.n);
	buf_wipe(&b);
	return r;
}

enum secrets_verdict
classic_check(struct classic *k, struct span user, struct span password)
{
	unsigned char code = 111;
	int r;

	/* There are servers that say yes to no password, for nobody. */
	if (password.n == 0)
		return SECRETS_NO;
	r = tell(k->password, user, password);
	close(k->password);
	k->password = -1;
	/* It may have left without reading all, and say why by its code. */
	if ((r == -1 && errno != EPIPE) ||
	    io_wait(k->verdict, POLLIN, io_now_ms() + CLASSIC_MS) == -1 ||
	    read(k->verdict, &code, 1) != 1)
		return SECRETS_TEMPFAIL;
	if (code == 0)
		return SECRETS_YES;
	return code == 1 ? SECRETS_NO : SECRETS_TEMPFAIL;
}
