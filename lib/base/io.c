/* Descriptors: whole reads and writes, waiting, passing. */
#include "base/io.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int
io_write(int fd, const void *p, size_t n)
{
	const char *at = p;

	while (n > 0) {
		ssize_t r = write(fd, at, n);

		if (r == -1 && errno == EINTR)
			continue;
		if (r == -1)
			return -1;
		at += r;
		n -= (size_t)r;
	}
	return 0;
}

ssize_t
io_read_full(int fd, void *p, size_t n)
{
	char *at = p;
	size_t got = 0;

	while (got < n) {
		ssize_t r = read(fd, at + got, n - got);

		if (r == -1 && errno == EINTR)
			continue;
		if (r == -1)
			return -1;
		if (r == 0)
			break;
		got += (size_t)r;
	}
	return (ssize_t)got;
}

void
io_close(int fd)
{
	int error = errno;

	if (fd != -1)
		close(fd);
	errno = error;
}

int64_t
io_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void
io_wall(int64_t *sec, uint32_t *usec)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	*sec = t.tv_sec;
	*usec = (uint32_t)(t.tv_nsec / 1000);
}

int
io_wait(int fd, short events, int64_t deadline_ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	for (;;) {
		int64_t left = deadline_ms < 0 ? -1 : deadline_ms - io_now_ms();
		int r;

		if (deadline_ms >= 0 && left < 0)
			left = 0;
		if (left > 60000)
			left = 60000;
		r = poll(&p, 1, (int)left);
		if (r > 0)
			return 0;
		if (r == -1 && errno != EINTR)
			return -1;
		if (r == 0 && deadline_ms >= 0 && io_now_ms() >= deadline_ms) {
			errno = ETIMEDOUT;
			return -1;
		}
	}
}

void
io_ack_now(int fd)
{
	int one = 1;

	/* Only a hint: what is no TCP socket does without. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
}

union control {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int) * IO_MAX_FDS)];
};

int
io_send(int sock, const void *p, size_t n, const int *fds, size_t nfds)
{
	union control c = { 0 };
	struct iovec iov = { .iov_len = n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t r;

	/* sendmsg does not write there, but iovec cannot say so. */
	memcpy(&iov.iov_base, &p, sizeof p);
	if (nfds > IO_MAX_FDS) {
		errno = EMSGSIZE;
		return -1;
	}
	if (nfds > 0) {
		struct cmsghdr *h;

		m.msg_control = &c;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(h), fds, sizeof(int) * nfds);
	}
	do
		r = sendmsg(sock, &m, MSG_NOSIGNAL);
	while (r == -1 && errno == EINTR);
	return r == -1 ? -1 : 0;
}

static size_t
take_fds(struct msghdr *m, int *fds, size_t nfds)
{
	size_t got = 0, extra = 0;

	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
		size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(h) + i * sizeof fd, sizeof fd);
			if (got < nfds) {
				fds[got++] = fd;
			} else {
				close(fd);
				extra++;
			}
		}
	}
	return extra;
}

ssize_t
io_recv(int sock, void *p, size_t size, int *fds, size_t nfds)
{
	union control c = { 0 };
	struct iovec iov = { .iov_base = p, .iov_len = size };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &c, .msg_controllen = sizeof c };
	size_t extra;
	ssize_t r;

	for (size_t i = 0; i < nfds; i++)
		fds[i] = -1;
	do
		r = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (r == -1 && errno == EINTR);
	if (r == -1)
		return r;
	extra = take_fds(&m, fds, nfds);
	if (r > 0 && extra == 0 && !(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return r;
	for (size_t i = 0; i < nfds; i++) {
		if (fds[i] != -1)
			close(fds[i]);
		fds[i] = -1;
	}
	errno = EMSGSIZE;
	return r == 0 ? 0 : -1;
}

const char *
io_hostname(char *out, size_t size)
{
	if (gethostname(out, size) == -1 || size == 0 || out[0] == '\0')
		return "localhost";
	out[size - 1] = '\0';
	for (char *c = out; *c; c++)
		if (*c == '/' || *c == ':' || *c == ',' || *c < 0x21)
			*c = '-';
	return out;
}
