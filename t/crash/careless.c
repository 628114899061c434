/*
 * What enqueue and deliver must not be: writes a message under its final
 * name, and answers before it is written.  The test of kills must notice.
 *
 * careless enqueue MESS     reads a submission on fd 0
 * careless deliver NEW      reads a queue file on fd 0
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/io.h"
#include "queue/envelope.h"
#include "queue/queue.h"
#include "queue/submit.h"

static void
put(int fd, struct span s)
{
	if (io_write(fd, s.p, s.n) == -1)
		err_die_sys(EXIT_LATER, "write");
}

static void
enqueue(int dir)
{
	char room[4096], id[QUEUE_ID], head[ENVELOPE_HEAD];
	struct in in = in_fd(0, room, sizeof room);
	struct submit_reader r = { .in = &in };
	struct buf fields = buf_new(65536), body = buf_new(65536);
	struct buf again = buf_new(65536);
	struct arena arena = arena_new(65536);
	struct envelope e;
	struct span s;
	int fd;

	if (submit_read_envelope(&r, &fields) == -1 ||
	    !envelope_parse(buf_span(&fields), &arena, &e) ||
	    queue_id(id) == -1)
		err_die(EXIT_LATER, "submission");
	while (submit_read_body(&r, &s) == 1)
		(void)buf_add_span(&body, s);
	e.id = span_str(id);
	e.size = body.n;
	if (envelope_write(&e, &again) == -1)
		err_die(EXIT_LATER, "envelope");
	fd = openat(dir, id, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	put(0, span_str("K "));
	put(0, span_str(id));
	put(0, span_of("\n", 1));
	envelope_head(again.n, head);
	put(fd, span_of(head, sizeof head));
	put(fd, buf_span(&again));
	put(fd, buf_span(&body));
}

static void
deliver(int dir)
{
	int fd = openat(dir, "1.careless", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct buf text = buf_new(65536);
	struct arena arena = arena_new(65536);
	struct envelope e;
	char chunk[64];
	int64_t at;
	ssize_t n;

	if (envelope_load(0, &text, &arena, &e, &at) == -1)
		err_die_sys(EXIT_LATER, "queue file");
	for (; (n = pread(0, chunk, sizeof chunk, at)) > 0; at += n)
		put(fd, span_of(chunk, (size_t)n));
}

int
main(int argc, char **argv)
{
	int dir;

	err_program("careless");
	if (argc != 3)
		err_die(EXIT_NEVER, "usage: careless enqueue|deliver folder");
	dir = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1)
		err_die_sys(EXIT_LATER, "%s", argv[2]);
	if (strcmp(argv[1], "enqueue") == 0)
		enqueue(dir);
	else
		deliver(dir);
	return 0;
}
