/*
 * Dates and sizes of messages that were taken in by their names: learned
 * when somebody asks, and put into the journal.
 */
#include "base/io.h"
#include "store/folder.h"
#include "store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { MANY = 4096 }; /* are kept at the next sync */

/* A byte more for each LF that no CR stands before. */
int
facts_count(int fd, uint64_t *size, uint64_t *wire)
{
	char chunk[32768], last = '\0';
	ssize_t n;

	*size = *wire = 0;
	while ((n = io_read_full(fd, chunk, sizeof chunk)) > 0) {
		*size += (uint64_t)n;
		*wire += (uint64_t)n;
		for (ssize_t i = 0; i < n; i++) {
			*wire += chunk[i] == '\n' && last != '\r';
			last = chunk[i];
		}
		if (!facts_fits(*size))
			break;
	}
	return n == -1 ? -1 : 0;
}

uint64_t
facts_wire(uint64_t said, uint64_t wire, uint64_t size)
{
	return said == size && wire >= size && wire / 2 <= size ? wire : 0;
}

uint32_t
facts_now(void)
{
	int64_t sec;
	uint32_t usec;

	io_wall(&sec, &usec);
	return sec < 1 ? 1 : sec > UINT32_MAX ? UINT32_MAX : (uint32_t)sec;
}

/*
 * What renames a file, links it or writes to it sets its ctime, so that this
 * is never before the file came; and nobody can choose it.
 */
uint32_t
facts_saved(const struct stat *st, uint32_t most)
{
	if (most == 0)
		most = facts_now();
	if (st->st_ctime < 1)
		return 1;
	return st->st_ctime < most ? (uint32_t)st->st_ctime : most;
}

static void
mark_learned(const struct mailbox *m, struct message *msg)
{
	m->state->nlearned += !msg->learned;
	msg->learned = true;
}

/* The file may have another name by now. */
static int
look(struct mailbox *m, size_t i, struct stat *st)
{
	uint64_t size;
	int fd, r;

	if (fstatat(read_dir_of(m, &m->msgs[i]), mailbox_file(m, i), st,
		AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st->st_mode))
		return 0;
	fd = mailbox_read(m, i, &size);
	if (fd == -1)
		return -1;
	r = fstat(fd, st);
	io_close(fd);
	return r;
}

int
mailbox_learn(struct mailbox *m, size_t i)
{
	struct maildir_name name;
	struct message *msg;
	struct stat st;

	if (!m->msgs[i].vague)
		return 0;
	if (look(m, i, &st) == -1)
		return -1;
	msg = view_edit(m, i);
	msg->vague = false;
	msg->date = st.st_mtime;
	msg->size = facts_size((uint64_t)st.st_size);
	msg->saved = facts_saved(&st, msg->saved);
	msg->wire = 0;
	if (maildir_parse(span_str(mailbox_file(m, i)), &name))
		msg->wire = facts_wire(name.size, name.wire, msg->size);
	mark_learned(m, msg);
	return 0;
}

void
mailbox_measured(struct mailbox *m, size_t i, uint64_t wire)
{
	struct message *msg;

	if (m->msgs[i].wire == wire)
		return;
	msg = view_edit(m, i);
	msg->wire = wire;
	mark_learned(m, msg);
}

int
mailbox_measure(struct mailbox *m, size_t i)
{
	uint64_t size, wire;
	int fd, r;

	if (mailbox_learn(m, i) == -1)
		return -1;
	if (m->msgs[i].wire > 0 || m->msgs[i].size == 0)
		return 0;
	fd = mailbox_read(m, i, &size);
	if (fd == -1)
		return -1;
	r = facts_count(fd, &size, &wire);
	io_close(fd);
	if (r == 0)
		mailbox_measured(m, i, wire);
	return r;
}

int64_t
mailbox_saved(struct mailbox *m, size_t i)
{
	struct stat st;

	if (mailbox_learn(m, i) == -1)
		return 0;
	if (m->msgs[i].saved == 0 && look(m, i, &st) == 0) {
		struct message *msg = view_edit(m, i);

		msg->saved = facts_saved(&st, 0);
		mark_learned(m, msg);
	}
	return m->msgs[i].saved;
}

void
facts_learn_all(struct mailbox *m)
{
	bool all = true;

	if (!m->state->vague && !m->state->unmeasured)
		return;
	for (size_t i = 0; i < m->n; i++)
		if (!m->msgs[i].gone)
			all &= mailbox_measure(m, i) == 0;
	m->state->vague = m->state->unmeasured = !all;
}

void
facts_take(struct mailbox *m, size_t i, const struct message *facts)
{
	struct message *msg = view_edit(m, i);

	msg->vague = false;
	msg->date = facts->date;
	msg->size = facts->size;
	msg->saved = facts->saved;
	msg->wire = facts->wire;
	m->state->nlearned -= msg->learned;
	msg->learned = false;
}

static int
write_learned(struct mailbox *m, struct batch *f)
{
	for (size_t i = 0; i < m->n; i++) {
		if (!m->msgs[i].learned || m->msgs[i].gone)
			continue;
		batch_facts(f, &m->msgs[i]);
		if (f->b.n < JOURNAL_BATCH)
			continue;
		if (journal_append(m, f, false) == -1)
			return -1;
		batch_free(f);
		*f = batch_begin();
	}
	return journal_append(m, f, false);
}

void
facts_kept(struct mailbox *m)
{
	for (size_t i = 0; m->state->nlearned > 0 && i < m->n; i++)
		if (m->msgs[i].learned)
			view_edit(m, i)->learned = false;
	m->state->nlearned = 0;
}

/* What is lost of it is learned again. */
void
facts_keep(struct mailbox *m, bool all)
{
	struct mailbox_state *s = m->state;
	struct batch f;
	int error = errno;

	if (s->nlearned == 0 || (!all && s->nlearned < MANY) || s->stale ||
	    s->memory || !s->writable || view_lock(m) == -1) {
		errno = error;
		return;
	}
	f = batch_begin();
	if (write_learned(m, &f) == 0) {
		facts_kept(m);
		(void)index_write_if_due(m);
	}
	batch_free(&f);
	view_unlock(m);
	errno = error;
}
