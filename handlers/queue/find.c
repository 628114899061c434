/* Finding messages: who is told of them, and who looks for them. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/durable.h"
#include "base/io.h"
#include "base/log.h"
#include "qsend.h"

enum {
	SCAN_MS = 600000,     /* between looks for messages nobody told of */
	TRIGGER_LOST = 32768, /* so much in the FIFO: some may have been lost */
	STEP = 512            /* names, before something else has its turn */
};

static void
tidy(const struct qsend *q, const char *name)
{
	struct log l;

	log_start(&l, "damaged");
	log_str(&l, "file", name);
	log_end(&l);
	if (queue_bury(&q->queue, name) == -1)
		log_error("not-moved", name, errno);
}

/*
 * A message's mtime says when it is due, so that a long queue need not be
 * read to know it.  It is a hint: what is far from now is not believed.
 */
static int64_t
due_hint(const struct qsend *q, const char *name)
{
	struct stat st;
	uint32_t usec;
	int64_t now, wait;

	io_wall(&now, &usec);
	if (fstatat(q->queue.mess, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return 0;
	wait = st.st_mtime - now;
	if (wait <= 0 || wait > (int64_t)q->conf.retry_max_s)
		return 0;
	return io_now_ms() + wait * 1000;
}

static void
see_message(struct qsend *q, const char *name)
{
	if (!queue_is_id(span_str(name)))
		tidy(q, name);
	else if (table_find(&q->table, name) == TABLE_NONE)
		table_add(&q->table, name, due_hint(q, name));
}

/* Left behind by a crash: its message is gone. */
static void
see_state(const struct qsend *q, const char *name)
{
	struct stat st;

	if (queue_is_id(span_str(name)) &&
	    table_find(&q->table, name) != TABLE_NONE)
		return;
	if (fstatat(q->queue.mess, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ||
	    errno != ENOENT)
		return;
	if (unlinkat(q->queue.state, name, 0) == -1 && errno != ENOENT)
		log_error("not-removed", name, errno);
}

static void
see_unfinished(const struct qsend *q, const char *name)
{
	struct stat st;
	uint32_t usec;
	int64_t now;

	io_wall(&now, &usec);
	if (fstatat(q->queue.tmp, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    now - st.st_mtime > QUEUE_TMP_LIFE_S &&
	    unlinkat(q->queue.tmp, name, 0) == -1)
		log_error("not-removed", name, errno);
}

static void
see(struct qsend *q, const char *name)
{
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return;
	if (q->find.which == FIND_MESS)
		see_message(q, name);
	else if (q->find.which == FIND_TMP)
		see_unfinished(q, name);
	else
		see_state(q, name);
}

/* ---- looking ---- */

static void
open_folder(struct qsend *q)
{
	const int folder[] = { [FIND_MESS] = q->queue.mess,
		[FIND_TMP] = q->queue.tmp, [FIND_STATE] = q->queue.state };
	int fd = openat(folder[q->find.which], ".",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	q->find.folder = fd == -1 ? NULL : fdopendir(fd);
	if (q->find.folder == NULL) {
		log_error("scan", "folder", errno);
		io_close(fd);
	}
}

void
find_begin(struct qsend *q, bool at_start)
{
	if (q->find.folder) {
		q->find.again = true;
		return;
	}
	q->find.again = false;
	q->find.at_start = at_start;
	q->find.next_ms = io_now_ms() + SCAN_MS;
	q->find.which = FIND_MESS;
	open_folder(q);
}

static void
end_folder(struct qsend *q)
{
	struct find *f = &q->find;

	closedir(f->folder);
	f->folder = NULL;
	f->which++;
	if (f->which == FIND_TMP)
		open_folder(q);
	/* What was removed before a crash may come back after the next. */
	else if (f->which == FIND_STATE && f->at_start &&
	    durable_sync(q->queue.mess) == 0)
		open_folder(q);
	if (f->folder == NULL && f->again)
		find_begin(q, false);
}

void
find_step(struct qsend *q)
{
	struct find *f = &q->find;

	if (f->folder == NULL && f->next_ms <= io_now_ms())
		find_begin(q, false);
	if (f->folder == NULL)
		return;
	/* No state goes before the removal of its message is durable. */
	if (f->which == FIND_STATE)
		gone_sync(q);
	for (int n = 0; n < STEP; n++) {
		struct dirent *e = readdir(f->folder);

		if (e == NULL) {
			end_folder(q);
			return;
		}
		see(q, e->d_name);
	}
}

int64_t
find_next(const struct qsend *q)
{
	return q->find.folder ? io_now_ms() : q->find.next_ms;
}

bool
find_done(const struct qsend *q)
{
	return q->find.folder == NULL;
}

/* ---- being told ---- */

/* A line of the FIFO.  New mail goes before what waits from earlier, also
 * where a look has found it first. */
static void
take_line(struct qsend *q)
{
	uint32_t i;

	q->find.line[q->find.partial] = '\0';
	q->find.partial = 0;
	if (!queue_is_id(span_str(q->find.line)))
		return;
	i = table_find(&q->table, q->find.line);
	if (i == TABLE_NONE)
		table_add(&q->table, q->find.line, -1);
	else if (table_entry(&q->table, i)->due_ms == 0 &&
	    table_entry(&q->table, i)->at != TABLE_NONE)
		table_schedule(&q->table, i, -1, false);
}

void
find_told(struct qsend *q)
{
	size_t got = 0;
	char text[4096];
	ssize_t n;

	while ((n = read(q->trigger, text, sizeof text)) > 0) {
		got += (size_t)n;
		for (ssize_t i = 0; i < n; i++)
			if (text[i] == '\n')
				take_line(q);
			else if (q->find.partial + 1 < sizeof q->find.line)
				q->find.line[q->find.partial++] = text[i];
	}
	if (got >= TRIGGER_LOST)
		find_begin(q, false);
}
