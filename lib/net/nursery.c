/* The nursery. */
#include "net/nursery.h"

#include "base/io.h"
#include "net/sign.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	CONNECTION,
	CHANNEL,
	USERS,
	PASSED,
	SIGNER = PASSED, /* a socket of ours */
	ALL
};

static int
block_children(int *signals)
{
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &chld, NULL) == -1)
		return -1;
	*signals = signalfd(-1, &chld, SFD_NONBLOCK | SFD_CLOEXEC);
	return *signals == -1 ? -1 : 0;
}

/* True if a child was ended by a signal. */
static bool
reap(int signals)
{
	struct signalfd_siginfo s;
	bool crashed = false;
	int status;

	(void)!read(signals, &s, sizeof s);
	while (waitpid(-1, &status, WNOHANG) > 0)
		crashed |= WIFSIGNALED(status);
	return crashed;
}

static int
put(int from, int to)
{
	return from == to || dup2(from, to) == to ? 0 : -1;
}

/* In the child: front gets to know it, and nothing of the nursery stays. */
static int
settle(const int fds[ALL])
{
	uint32_t hello = FRAME_HELLO;
	unsigned above = fds[USERS] == -1 ? FRAME_USERS_FD : FRAME_USERS_FD + 1;
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	sigset_t none;

	sigemptyset(&none);
	if (self == -1 ||
	    io_send(fds[CHANNEL], &hello, sizeof hello, &self, 1) == -1 ||
	    put(fds[CONNECTION], 0) == -1 || put(fds[CONNECTION], 1) == -1 ||
	    put(fds[CHANNEL], FRAME_FD) == -1)
		return -1;
	if (fds[SIGNER] == -1)
		close(FRAME_KEY_FD);
	else if (put(fds[SIGNER], FRAME_KEY_FD) == -1)
		return -1;
	if (fds[USERS] != -1 && put(fds[USERS], FRAME_USERS_FD) == -1)
		return -1;
	close(FRAME_CERT_FD);
	if (syscall(SYS_close_range, above, ~0U, 0) == -1 ||
	    sigprocmask(SIG_SETMASK, &none, NULL) == -1)
		return -1;
	return 1;
}

/* 1 or -1 in the child, 0 in the nursery. */
static int
bear(int fds[ALL], bool signer)
{
	pid_t pid;

	if (fds[CHANNEL] == -1)
		return 0;
	if (signer && (fds[SIGNER] = sign_register(FRAME_KEY_FD)) == -1)
		return shutdown(FRAME_FD, SHUT_RD);
	pid = fork();
	/* Without a child front sees the channel closed, and helps itself. */
	return pid == 0 ? settle(fds) : 0;
}

static int
take(struct frame_connection *c, bool signer, bool *gone)
{
	int fds[ALL] = { [SIGNER] = -1 }, r = 0;
	ssize_t n = io_recv(FRAME_FD, c, sizeof *c, fds, PASSED);

	*gone = n == 0;
	if (n == -1 && errno != EMSGSIZE)
		return -1;
	if (n == (ssize_t)sizeof *c &&
	    memchr(c->peer, '\0', sizeof c->peer) != NULL)
		r = bear(fds, signer);
	for (int i = 0; r == 0 && i < ALL; i++)
		if (fds[i] != -1)
			close(fds[i]);
	return r;
}

int
nursery_run(struct frame_connection *c, bool signer)
{
	struct pollfd p[2] = { { .fd = FRAME_FD, .events = POLLIN },
		{ .events = POLLIN } };
	bool gone = false;
	int r = block_children(&p[1].fd);

	while (r == 0 && !gone) {
		if (poll(p, 2, -1) == -1 && errno != EINTR)
			return -1;
		if (p[1].revents && reap(p[1].fd) &&
		    shutdown(FRAME_FD, SHUT_RD) == -1)
			return -1;
		if (p[0].revents)
			r = take(c, signer, &gone);
	}
	return r;
}
