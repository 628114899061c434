/* Frames, as the program that asks sees them. */
#include "net/frame.h"

#include "base/io.h"

#include <errno.h>
#include <unistd.h>

static bool
is_sound(const struct frame_reply *a, ssize_t n)
{
	return n == (ssize_t)sizeof *a && a->status <= FRAME_MORE &&
	       a->n <= sizeof a->data &&
	       memchr(a->user, '\0', sizeof a->user) != NULL;
}

int
frame_ask(
    int channel, const struct frame_request *q, struct frame_reply *a, int *fd)
{
	ssize_t n;

	*fd = -1;
	if (io_send(channel, q, sizeof *q, NULL, 0) == -1)
		return -1;
	n = io_recv(channel, a, sizeof *a, fd, 1);
	if (n > 0 && is_sound(a, n))
		return 0;
	if (*fd != -1) {
		close(*fd);
		*fd = -1;
	}
	*a = (struct frame_reply){ .status = FRAME_TEMPFAIL };
	errno = EPROTO;
	return -1;
}

int
frame_fill(struct frame_request *q, enum frame_type type, struct span tag,
    struct span message, bool tls)
{
	*q = (struct frame_request){ .type = type, .tls = tls };
	if (message.n > sizeof q->data || tag.n >= sizeof q->tag) {
		errno = EMSGSIZE;
		return -1;
	}
	if (tag.n > 0)
		memcpy(q->tag, tag.p, tag.n);
	if (message.n > 0)
		memcpy(q->data, message.p, message.n);
	q->n = (uint32_t)message.n;
	return 0;
}
