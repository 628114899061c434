/* A mailbox's own files, looked at without changing any. */
#include "store/inspect.h"

#include "store/cache.h"
#include "store/cache_file.h"
#include "store/folder.h"
#include "store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { TRIES = 4, PAUSE_MS = 60, TEXT = 128 };

/* What is wrong now; told when it stays so. */
struct fault {
	const char *file;
	char what[TEXT];
};

static void
fault(struct fault *f, const char *file, const char *what)
{
	f->file = file;
	snprintf(f->what, sizeof f->what, "%s", what);
}

/* Index and journal do not make a view: which of them, and why? */
static void
diagnose(struct mailbox *m, struct fault *f)
{
	struct journal_head h;
	int index;

	if (journal_head_load(m->state->journal, &h) != 1) {
		fault(f, JOURNAL_NAME, "its head is damaged");
		return;
	}
	index = index_load(m);
	if (index == -1)
		fault(f, INDEX_NAME, "damaged");
	else if (index == 0 && h.count > 0)
		fault(f, INDEX_NAME, "missing");
	else if (index == 1 && m->state->generation != h.generation &&
		 m->state->generation != h.generation + 1)
		fault(f, JOURNAL_NAME, "of another generation than the index");
	else
		fault(f, JOURNAL_NAME, "damaged");
}

/* 1; 0: there is none; -1. */
static int
open_journal(struct mailbox *m)
{
	struct mailbox_state *s = m->state;
	struct stat st;
	int fd = folder_file(s->dir, JOURNAL_NAME, &st);

	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	if (s->journal != -1)
		close(s->journal);
	s->journal = fd;
	return 1;
}

static void
look_at_end(const struct mailbox *m, struct fault *f)
{
	struct stat st;

	if (m->state->ahead || fstat(m->state->journal, &st) == -1 ||
	    (uint64_t)st.st_size <= m->state->offset)
		return;
	f->file = JOURNAL_NAME;
	snprintf(f->what, sizeof f->what,
	    "torn: the last %llu bytes are no whole record",
	    (unsigned long long)st.st_size - m->state->offset);
}

/* 1: a view; 0: none; -1.  f->file is set where something is wrong. */
static int
try(struct mailbox *m, struct fault *f)
{
	struct stat st;
	int r = open_journal(m);

	f->file = NULL;
	if (r == -1 && errno != ELOOP && errno != EINVAL)
		return -1;
	if (r == -1) {
		fault(f, JOURNAL_NAME, "not a regular file");
		return 0;
	}
	if (r == 0) {
		if (fstatat(m->state->dir, INDEX_NAME, &st,
			AT_SYMLINK_NOFOLLOW) == 0)
			fault(f, JOURNAL_NAME, "missing");
		return 0;
	}
	r = view_load_pair(m);
	if (r == 0)
		diagnose(m, f);
	else if (r == 1)
		look_at_end(m, f);
	return r;
}

static int
look(struct mailbox *m, inspect_found *found, void *ctx)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };
	struct fault f;
	int r = 0;

	for (unsigned i = 0; i < TRIES; i++) {
		r = try(m, &f);
		if (r == -1 || f.file == NULL)
			return r;
		nanosleep(&pause, NULL);
	}
	found(ctx, f.file, f.what);
	return r;
}

struct mailbox *
inspect_open(const struct account *a, struct span name, inspect_found *found,
    void *ctx, bool *failed)
{
	int dir = account_folder_open(a, name), r = -1, error;
	struct mailbox *m;

	*failed = dir == -1;
	if (dir == -1)
		return NULL;
	m = view_make(fcntl(a->dir, F_DUPFD_CLOEXEC, 3), dir, false);
	m->read_only = true;
	m->state->cur = folder_open(dir, "cur");
	m->state->fresh = folder_open(dir, "new");
	if (m->state->cur != -1)
		r = look(m, found, ctx);
	*failed = r == -1;
	if (r == 1)
		return m;
	error = errno;
	view_free(m);
	errno = error;
	return NULL;
}

void
inspect_close(struct mailbox *m)
{
	if (m)
		view_free(m);
}

uint32_t
inspect_uidvalidity(const struct account *a, struct span name)
{
	int dir = account_folder_open(a, name), fd;
	struct journal_head h = { 0 };
	struct stat st;

	if (dir == -1)
		return 0;
	fd = folder_file(dir, JOURNAL_NAME, &st);
	if (fd != -1 && journal_head_load(fd, &h) != 1)
		h.uidvalidity = 0;
	if (fd != -1)
		close(fd);
	close(dir);
	return h.uidvalidity;
}

bool
inspect_is_current(const struct mailbox *m)
{
	struct scan_times now;

	return m->state->times.proven && m->state->fresh != -1 &&
	       scan_stat(m, &now) == 0 && scan_same(&now, &m->state->times);
}

/* The records behind the head: how far they are good. */
static uint64_t
good_records(struct cache *c, uint64_t size)
{
	uint64_t at = CACHE_FILE_HEAD;
	struct cache_record r;
	struct cache_key key;
	struct span s;

	while (size - at >= CACHE_HEAD && cache_look(c, at, CACHE_HEAD, &s)) {
		size_t n = cache_head(s, &key);

		if (n == 0 || n > size - at || !cache_look(c, at, n, &s) ||
		    !cache_decode(s, &r))
			break;
		at += n;
	}
	return at;
}

static void
look_at_cache(struct cache *c, uint64_t size, inspect_found *found, void *ctx)
{
	char what[TEXT];
	uint64_t good;
	struct span s;

	if (!cache_look(c, 0, CACHE_FILE_HEAD, &s) || !cache_is_file_head(s)) {
		found(ctx, CACHE_NAME,
		    "its head is damaged, or of another "
		    "format: it is made anew");
		return;
	}
	good = good_records(c, size);
	if (good == size)
		return;
	snprintf(what, sizeof what,
	    "%llu bytes from %llu on are no good records",
	    (unsigned long long)(size - good), (unsigned long long)good);
	found(ctx, CACHE_NAME, what);
}

int
inspect_cache(int dir, inspect_found *found, void *ctx)
{
	struct stat st;
	int fd = folder_file(dir, CACHE_NAME, &st);
	struct cache c;

	if (fd == -1 && (errno == EINVAL || errno == ELOOP)) {
		found(ctx, CACHE_NAME, "not a regular file");
		return 0;
	}
	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	cache_none(&c);
	c.fd = fd;
	if (st.st_size > 0)
		look_at_cache(&c, (uint64_t)st.st_size, found, ctx);
	cache_forget(&c);
	return 0;
}
