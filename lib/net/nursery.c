/* The nursery. */
#include "net/nursery.h"

#include "base/io.h"
#include "net/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	SIGNER = NURSERY_FDS, /* a socket of ours */
	ALL,
	ABOVE = 16, /* all places */
	GAP = 4096, /* bytes: larger ones are left open */
	ROOM = 122880, /* less than malloc would map by itself */
	KEEP = 262144
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

/* True if a child was ended by a signal, but not for another's sake. */
static bool
reap(int signals)
{
	struct signalfd_siginfo s;
	bool crashed = false;
	int status;

	(void)!read(signals, &s, sizeof s);
	while (waitpid(-1, &status, WNOHANG) > 0)
		crashed |= WIFSIGNALED(status) && WTERMSIG(status) != SIGTERM;
	return crashed;
}

/* Each descriptor to where nothing is put, then to its places. */
static int
put(const struct nursery *n, int fds[ALL])
{
	for (int i = 0; i < ALL; i++)
		if (fds[i] != -1 &&
		    (fds[i] = fcntl(fds[i], F_DUPFD, ABOVE)) == -1)
			return -1;
	for (int to = 0; to < NURSERY_PLACES; to++) {
		int from = n->place[to] == -1 ? -1 : fds[n->place[to]];

		if (n->signer && to == FRAME_KEY_FD)
			from = fds[SIGNER];
		if (from != -1 && dup2(from, to) == -1)
			return -1;
		if (from == -1 && to != STDERR_FILENO && !(n->kept & 1u << to))
			close(to);
	}
	return (int)syscall(SYS_close_range, NURSERY_PLACES, ~0U, 0);
}

/* In the child: the porter gets to know it, and nothing of the nursery stays. */
static int
settle(const struct nursery *n, int fds[ALL])
{
	uint32_t hello = FRAME_HELLO;
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	sigset_t none;

	sigemptyset(&none);
	if (self == -1 ||
	    io_send(fds[n->channel], &hello, sizeof hello, &self, 1) == -1 ||
	    put(n, fds) == -1 || sigprocmask(SIG_SETMASK, &none, NULL) == -1)
		return -1;
	return 1;
}

/* fork() itself writes to pages that would be shared else. */
static pid_t
fork_plain(void)
{
#ifdef HAVE__FORK
	return _Fork();
#else
	return fork();
#endif
}

/* 1 or -1 in the child, 0 in the nursery. */
static int
bear(const struct nursery *n, int fds[ALL])
{
	pid_t pid;

	if (fds[n->least - 1] == -1)
		return 0;
	if (n->signer && (fds[SIGNER] = sign_register(FRAME_KEY_FD)) == -1)
		return shutdown(FRAME_FD, SHUT_RD);
	pid = n->once ? 0 : n->plain ? fork_plain() : fork();
	/* Without a child the porter sees the channel closed, and helps itself. */
	return pid == 0 ? settle(n, fds) : 0;
}

static int
take(const struct nursery *n, bool *gone)
{
	int fds[ALL] = { -1, -1, -1, -1, -1 }, r = 0;
	ssize_t got = io_recv(FRAME_FD, n->packet, n->size, fds, n->most);

	*gone = got == 0;
	if (got == -1 && errno != EMSGSIZE)
		return errno == EAGAIN ? 0 : -1;
	if (got == (ssize_t)n->size)
		r = bear(n, fds);
	for (int i = 0; r == 0 && i < ALL; i++)
		if (fds[i] != -1)
			close(fds[i]);
	return r;
}

/* What is behind the door waits for the next nursery. */
static int
leave(const struct nursery *n, bool *gone)
{
	*gone = n->life > 0;
	return n->life > 0 ? 0 : shutdown(FRAME_FD, SHUT_RD);
}

/*
 * What children allocate comes to lie behind what is shared, not in the gaps
 * of it: a page is copied for whoever writes to it.  (front has set tunables,
 * so that malloc keeps no freed memory by its size.)  There is room for what
 * most children need, so that the heap ends where it did (base/rest.c).
 */
static void
close_gaps(void)
{
#ifndef POSTERN_SANITIZE
	uintptr_t end = (uintptr_t)sbrk(0) - mallinfo2().keepcost;
	void *volatile room;

	(void)mallopt(M_MXFAST, 0);
	for (size_t n = GAP; n > 0; n -= 16) {
		void *p;

		do
			p = malloc(n);
		while (p && (uintptr_t)p < end);
		free(p);
	}
	(void)mallopt(M_TRIM_THRESHOLD, KEEP);
	room = malloc(ROOM);
	free(room);
#endif
}

/* A number that is free now may be another descriptor's soon. */
static unsigned
open_ones(unsigned kept)
{
	for (int fd = 0; fd < NURSERY_PLACES; fd++)
		if ((kept & 1u << fd) && fcntl(fd, F_GETFD) == -1)
			kept &= ~(1u << fd);
	return kept;
}

int
nursery_run(const struct nursery *wanted)
{
	struct nursery all = *wanted;
	const struct nursery *n = &all;
	struct pollfd p[3] = { { .fd = FRAME_FD, .events = POLLIN },
		{ .events = POLLIN },
		{ .fd = -1, .events = POLLIN } };
	bool gone = false;
	int r;

	all.kept = open_ones(all.kept);
	if (n->life > 0 && fcntl(n->life, F_GETFD) != -1)
		p[2].fd = n->life;
	r = block_children(&p[1].fd);
	/* Others are at the door, too: one of them may be first. */
	if (r == 0 && n->life > 0)
		r = fcntl(FRAME_FD, F_SETFL, O_NONBLOCK);

	if (!n->once)
		close_gaps();
	while (r == 0 && !gone) {
		if (poll(p, 3, -1) == -1 && errno != EINTR)
			return -1;
		if (p[1].revents && reap(p[1].fd) && leave(n, &gone) == -1)
			return -1;
		/* Whoever leaves looks once more: what is there may have been
		 * left to it by one that took what was its own. */
		if ((p[0].revents || p[2].revents) && !gone)
			r = take(n, &gone);
		if (r == 0 && p[2].revents)
			return 0;
	}
	return r;
}
