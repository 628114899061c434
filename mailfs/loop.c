/* The daemon: answers the kernel, and takes in what happens to the mail. */
#include "fs.h"

#include "base/err.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

enum {
	WATCHES = 4096,
	SPIN_NS = 50000 /* see wait_request */
};

struct loop {
	struct fs *fs;
	struct fuse_buf request;
	struct pollfd *fds; /* request, notices, then the watches */
	int64_t last_ns;    /* when the last request was answered */
};

static int64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Handles one request that is there: 1; 0 there is none; -1 the end. */
static int
take_request(struct loop *l)
{
	struct fs *fs = l->fs;
	const struct fuse_in_header *h;
	int n = fuse_session_receive_buf(fs->session, &l->request);

	if (n == -EAGAIN || n == -EINTR)
		return 0;
	if (n <= 0)
		return -1;
	h = l->request.mem;
	fs->shared->unique = h->unique;
	fuse_session_process_buf(fs->session, &l->request);
	fs->shared->unique = 0;
	l->last_ns = now_ns();
	return 1;
}

/* *ms: how long nothing need be looked for; -1: for ever. */
static size_t
gather(struct loop *l, int *ms)
{
	struct fs *fs = l->fs;
	size_t n = 2;

	*ms = -1;

	l->fds[0] = (struct pollfd){ .fd = fuse_session_fd(fs->session),
		.events = POLLIN };
	l->fds[1] = (struct pollfd){ .fd = fs->notice_fd,
		.events = fs->notices.n > 0 ? POLLOUT : 0 };
	for (uint32_t i = 1; i < tree_count(&fs->tree) && n < WATCHES; i++) {
		const struct folder *f = tree_folder(&fs->tree, i);
		int wait = tree_wait_ms(f);

		if (f->watch != -1)
			l->fds[n++] = (struct pollfd){
				.fd = f->watch, .events = POLLIN
			};
		if (wait != -1 && (*ms == -1 || wait < *ms))
			*ms = wait;
	}
	return n;
}

/*
 * Who asked is likely to ask again at once, and to be woken from sleep costs
 * more than the answer: so the first 50 microseconds are spent asking.
 */
static int
wait_request(struct loop *l)
{
	size_t n;
	int ms, r;

	if (l->fs->spins && now_ns() - l->last_ns < SPIN_NS)
		return 0;
	n = gather(l, &ms);
	r = poll(l->fds, (nfds_t)n, ms);
	if (r == -1)
		return errno == EINTR ? 0 : -1;
	if (r == 0)
		tree_sync_open(&l->fs->tree);
	if (l->fds[1].revents & (POLLERR | POLLHUP))
		return -1; /* the keeper is gone */
	for (size_t i = 2; i < n; i++)
		if (l->fds[i].revents) {
			tree_sync_open(&l->fs->tree);
			break;
		}
	return 0;
}

int
loop_run(struct fs *fs)
{
	struct loop l = { .fs = fs };
	struct buf memory = buf_new(WATCHES * sizeof *l.fds);
	int fd = fuse_session_fd(fs->session), r = 0;

	l.fds =
	    (struct pollfd *)(void *)buf_room(&memory, WATCHES * sizeof *l.fds);
	if (l.fds == NULL ||
	    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == -1)
		return -1;
	while (r != -1) {
		r = take_request(&l);
		if (r == 0)
			r = wait_request(&l);
		if (fs->notices.n > 0)
			notice_send(fs);
	}
	free(l.request.mem);
	buf_free(&memory);
	return fuse_session_exited(fs->session) ? 0 : -1;
}
