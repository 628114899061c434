/* The maildrop of one POP3 session. */
#include "drop.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/*
 * One POP3 session at a time (RFC 1939 section 4 asks for an exclusive
 * lock); IMAP, delivery and others work on.  The file stays: to remove it
 * would let two sessions lock two files of one name.  Where there is no room
 * for it, or nothing can be written, the session goes without: mail has to
 * be fetched to be removed, and messages go by their UIDs.
 */
static int
lock_session(struct drop *d)
{
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	d->lock = openat(d->account.dir, "postern.pop3",
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (d->lock == -1)
		return errno == ENOSPC || errno == EDQUOT || errno == EROFS
			   ? 0
			   : -1;
	if (fcntl(d->lock, F_SETLK, &all) == 0)
		return 0;
	if (errno == EACCES || errno == EAGAIN)
		errno = EBUSY;
	return -1;
}

static int
take_snapshot(struct drop *d)
{
	d->mailbox = mailbox_open(&d->account, span_str("INBOX"), false);
	if (d->mailbox == NULL) {
		if (errno == EBUSY)
			errno = ETIMEDOUT;
		return -1;
	}
	d->n = d->mailbox->n;
	d->arena = arena_new((d->n + 1) * (1 + sizeof(size_t)) + 65536);
	d->marks = arena_alloc(&d->arena, d->n + 1, 1);
	return d->marks ? 0 : -1;
}

int
drop_open(struct drop *d, const char *path)
{
	*d = (struct drop){ .account.dir = -1, .lock = -1 };
	if (account_open(&d->account, path, false) == -1)
		return -1;
	if (lock_session(d) == 0 && take_snapshot(d) == 0)
		return 0;
	drop_close(d);
	return -1;
}

void
drop_close(struct drop *d)
{
	int error = errno;

	if (d->mailbox)
		mailbox_close(d->mailbox);
	if (d->lock != -1)
		close(d->lock);
	if (d->account.dir != -1)
		close(d->account.dir);
	arena_free(&d->arena);
	*d = (struct drop){ .account.dir = -1, .lock = -1 };
	errno = error;
}

void
drop_count(const struct drop *d, size_t *n, uint64_t *size)
{
	*n = 0;
	*size = 0;
	for (size_t i = 0; i < d->n; i++) {
		if (d->marks[i] & DROP_DELETED)
			continue;
		(*n)++;
		*size += drop_size(d, i);
	}
}

uint64_t
drop_size(const struct drop *d, size_t i)
{
	return d->mailbox->msgs[i].wire;
}

/* The messages with exactly this mark that are still there. */
static size_t
marked(const struct drop *d, unsigned mark, size_t *which)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++)
		if (d->marks[i] == mark ||
		    (mark == DROP_DELETED && d->marks[i] & mark))
			if (!d->mailbox->msgs[i].gone)
				which[n++] = i;
	return n;
}

int
drop_update(struct drop *d)
{
	size_t *which = arena_alloc(&d->arena, d->n + 1, sizeof *which);
	size_t n;

	if (which == NULL)
		return -1;
	n = marked(d, DROP_DELETED, which);
	if (n > 0 && mailbox_expunge(d->mailbox, which, n) == -1)
		return -1;
	n = marked(d, DROP_FETCHED, which);
	if (n > 0 &&
	    mailbox_store(d->mailbox, which, n, FLAGS_ADD, FLAG_SEEN, 0) == -1)
		log_error("seen-not-set", "INBOX", errno);
	return 0;
}
