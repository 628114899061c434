/* One new message of the queue. */
#include "queue/add.h"

#include "base/io.h"
#include "base/jail.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

int
add_jail(const struct conf *c)
{
	char mess[PATH_MAX], tmp[PATH_MAX];
	struct jail j = { .kind = JAIL_ENQUEUE,
		.folder = mess,
		.also = tmp,
		.also_writes = true };
	int landlock;

	if (conf_path(c, QUEUE_FOLDER "/mess", mess) == -1 ||
	    conf_path(c, QUEUE_FOLDER "/tmp", tmp) == -1)
		return -1;
	return jail_enter(&j, &landlock);
}

int
add_begin(struct add *a, const struct queue *q, int trigger, struct envelope *e)
{
	uint32_t usec;

	*a = (struct add){ .queue = q,
		.envelope = e,
		.trigger = trigger,
		.file.fd = -1,
		.head = buf_new(ENVELOPE_SIZE) };
	if (queue_id(a->id) == -1)
		return -1;
	e->id = span_str(a->id);
	e->size = 0;
	io_wall(&e->time, &usec);
	if (envelope_write(e, &a->head) == -1) {
		errno = EMSGSIZE;
		return -1;
	}
	if (durable_begin(&a->file, q->tmp, a->id) == -1)
		return -1;
	if (lseek(a->file.fd, (off_t)(ENVELOPE_HEAD + a->head.n), SEEK_SET) !=
	    -1)
		return 0;
	durable_abort(&a->file);
	return -1;
}

int
add_bytes(struct add *a, struct span bytes)
{
	a->envelope->size += bytes.n;
	return io_write(a->file.fd, bytes.p, bytes.n);
}

static int
put_head(struct add *a)
{
	char head[ENVELOPE_HEAD];
	size_t n = a->head.n;

	buf_reset(&a->head);
	if (envelope_write(a->envelope, &a->head) == -1)
		return -1;
	/* The size has a fixed width. */
	if (a->head.n != n) {
		errno = EINVAL;
		return -1;
	}
	envelope_head(n, head);
	if (lseek(a->file.fd, 0, SEEK_SET) == -1 ||
	    io_write(a->file.fd, head, sizeof head) == -1)
		return -1;
	return io_write(a->file.fd, a->head.p, a->head.n);
}

int
add_commit(struct add *a)
{
	if (put_head(a) == -1) {
		add_abort(a);
		return -1;
	}
	if (durable_commit(&a->file, a->queue->mess, a->id) == -1)
		return -1;
	queue_poke(a->trigger, a->id);
	return 0;
}

void
add_abort(struct add *a)
{
	durable_abort(&a->file);
}
