/* Many messages at once into a mailbox. */
#include "base/durable.h"
#include "store/cache.h"
#include "store/quota.h"
#include "store/sum.h"
#include "store/target.h"

#include <fcntl.h>
#include <unistd.h>

/* All of them on the disk.  The kernel begins with all before the first one
 * is waited for, so that one commit of the file system takes them along. */
static int
settle_drafts(struct mailbox_draft *d, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		if (maildir_finish(&d[k].draft, d[k].date) == -1)
			return -1;
		buf_free(&d[k].draft.out);
		(void)sync_file_range(
		    d[k].draft.file.fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	}
	for (size_t k = 0; k < n; k++)
		if (fsync(d[k].draft.file.fd) == -1)
			return -1;
	return 0;
}

/* As prepare, of a draft. */
static int
prepare_draft(struct target *t, struct mailbox_draft *d, char **name)
{
	char full[MAILDIR_NAME];
	struct message msg;
	struct span copy;

	if (target_message(&msg, &d->draft, d->flags) == -1)
		return -1;
	for (size_t i = 0; i < d->nkeywords; i++)
		msg.keywords |= target_keyword(t, d->keywords[i]);
	msg.uid = t->uid;
	msg.id = sum_id(span_str(d->draft.base));
	if (target_name(d->draft.base, &msg, full) == -1 ||
	    durable_move(d->draft.file.dir, d->draft.file.name, t->tmp, full) ==
		-1)
		return -1;
	copy = arena_copy(&t->names, span_str(full));
	batch_new(&t->f, &msg, full);
	memcpy(name, &copy.p, sizeof *name);
	t->uid++;
	return 0;
}

static int
append_all_locked(
    struct target *t, struct mailbox_draft *d, size_t n, char **names)
{
	uint32_t first = t->uid;
	size_t k;

	for (k = 0; k < n; k++)
		if (prepare_draft(t, &d[k], &names[k]) == -1)
			break;
	return target_commit(t, names, k, n, first);
}

/* They are in; what is left of the drafts is their bytes. */
static void
note_arrivals(const struct mailbox *m, struct mailbox_draft *d, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		int fd = d[k].draft.file.fd;

		d[k].draft.file.fd = -1;
		if (lseek(fd, 0, SEEK_SET) == 0)
			cache_arrived(m->state->dir, fd, d[k].draft.base);
		else
			close(fd);
	}
}

/* Locked, in, and unlocked again. */
static int
append_all(const struct account *a, struct span name,
    struct mailbox_draft *drafts, size_t n, uint32_t *uid,
    uint32_t *uidvalidity)
{
	struct buf names = buf_new(SIZE_MAX / 2);
	char *room = buf_room(&names, n * sizeof(char *));
	struct target t;
	int r = target_begin(&t, a, name, true);

	if (r == 0) {
		*uid = t.uid;
		*uidvalidity = t.m->uidvalidity;
		r = append_all_locked(&t, drafts, n, (char **)(void *)room);
	}
	if (r == 0) {
		view_unlock(t.m);
		note_arrivals(t.m, drafts, n);
	}
	target_end(&t, a, name);
	buf_free(&names);
	return r;
}

int
mailbox_append_all(const struct account *a, struct span name,
    struct mailbox_draft *drafts, size_t n, uint32_t *uid,
    uint32_t *uidvalidity)
{
	uint64_t bytes = 0;
	int r = settle_drafts(drafts, n);

	for (size_t k = 0; k < n; k++)
		bytes += drafts[k].draft.size;
	if (r == 0)
		r = quota_take(a, bytes, n);
	if (r == 0) {
		r = append_all(a, name, drafts, n, uid, uidvalidity);
		if (r == -1)
			quota_give(a->dir, bytes, n);
	}
	for (size_t k = 0; k < n; k++)
		maildir_abort(&drafts[k].draft);
	return r;
}
