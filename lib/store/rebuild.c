/* Index and cache, made anew when somebody asks for it. */
#include "store/cache.h"
#include "store/cache_file.h"
#include "store/state.h"

#include <errno.h>
#include <unistd.h>

/* The recorded times are no reason to leave the folder unread. */
static int
read_anew(struct mailbox *m)
{
	if (view_lock(m) == -1)
		return -1;
	m->state->times = (struct scan_times){ 0 };
	view_unlock(m);
	return mailbox_sync(m);
}

static int
write_index(struct mailbox *m)
{
	int r;

	if (view_lock(m) == -1)
		return -1;
	r = index_write(m);
	view_unlock(m);
	return r;
}

/* A file that somebody wrote to, or whose name says what is not true, has
 * another size than the index believes. */
static void
count_again(struct mailbox *m, size_t i, int fd)
{
	uint64_t size, wire;

	if (facts_count(fd, &size, &wire) == -1 ||
	    lseek(fd, 0, SEEK_SET) == -1)
		return;
	if (m->msgs[i].size != facts_size(size)) {
		struct message *msg = view_edit(m, i);

		msg->size = facts_size(size);
		msg->wire = 0;
	}
	mailbox_measured(m, i, wire);
}

/* Who has the old cache open reads on in it; who writes sees the new one. */
static int
make_cache(struct mailbox *m, mailbox_step *step, void *ctx)
{
	struct cache c;

	if (unlinkat(m->state->dir, CACHE_NAME, 0) == -1 && errno != ENOENT)
		return -1;
	cache_open(&c, m);
	for (size_t i = 0; i < m->n; i++) {
		uint64_t size;
		int fd = mailbox_read(m, i, &size);

		step(ctx, i, m->n);
		if (fd == -1)
			continue; /* it is gone, or cannot be read now */
		count_again(m, i, fd);
		cache_keep(&c, fd, cache_key(&m->msgs[i]));
		close(fd);
	}
	cache_close(&c, NULL);
	return 0;
}

int
mailbox_rebuild(struct mailbox *m, mailbox_step *step, void *ctx)
{
	if (read_anew(m) == -1)
		return -1;
	mailbox_forget(m);
	if (make_cache(m, step, ctx) == -1)
		return -1;
	facts_keep(m, true);
	return write_index(m);
}
