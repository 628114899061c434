/* What lies in cur/ and new/, compared with what is known. */
#include "base/io.h"
#include "store/folder.h"
#include "store/state.h"
#include "store/sum.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
	/* A clock tick, where times have parts of a second; and where not. */
	FINE_MS = 50,
	COARSE_MS = 2000,
	PASSES = 3,
	DAY_S = 86400,
	LARGE = 262144, /* bytes of names */
	ZFS_MAGIC = 0x2fc12fc1,
	PATIENCE_MS = 2000 /* between two waits for a busy folder */
};

struct span
scan_base(const char *name)
{
	return span_of(name, strcspn(name, ",:"));
}

static bool
same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool
scan_same(const struct scan_times *a, const struct scan_times *b)
{
	return same_time(&a->cur, &b->cur) && same_time(&a->fresh, &b->fresh);
}

int
scan_stat(const struct mailbox *m, struct scan_times *t)
{
	struct stat cur, fresh;

	if (fstat(m->state->cur, &cur) == -1 ||
	    fstat(m->state->fresh, &fresh) == -1)
		return -1;
	t->cur = cur.st_mtim;
	t->fresh = fresh.st_mtim;
	t->proven = false;
	if (m->state->last_ms == 0 || !scan_same(t, &m->state->last)) {
		m->state->last = *t;
		m->state->last_ms = io_now_ms();
	}
	return 0;
}

static int64_t
tick_ms(const struct timespec *t)
{
	return t->tv_nsec ? FINE_MS : COARSE_MS;
}

static bool
is_young(const struct timespec *t)
{
	int64_t sec, ms, limit = tick_ms(t);
	uint32_t usec;

	io_wall(&sec, &usec);
	sec -= t->tv_sec;
	if (sec > 60 || sec < -60)
		return false;
	ms = sec * 1000 + (int64_t)usec / 1000 - t->tv_nsec / 1000000;
	return ms < limit && ms > -limit;
}

/* Times on file systems of other machines are those of their clocks. */
static bool
has_our_clock(int dir)
{
	struct statfs st;

	if (fstatfs(dir, &st) == -1)
		return false;
	switch (st.f_type) {
	case EXT4_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC:
	case TMPFS_MAGIC:
	case OVERLAYFS_SUPER_MAGIC:
	case ZFS_MAGIC:
		return true;
	default:
		return false;
	}
}

static bool
is_old(const struct timespec *t)
{
	int64_t sec;
	uint32_t usec;

	io_wall(&sec, &usec);
	return t->tv_sec < sec - DAY_S;
}

/* Where the clock is another's, we must have seen the times for a tick by
 * ourselves, but for those that are old by any clock. */
bool
scan_is_young(const struct mailbox *m, const struct scan_times *t)
{
	int64_t seen = io_now_ms() - m->state->last_ms;

	if (is_young(&t->cur) || is_young(&t->fresh))
		return true;
	if (is_old(&t->cur) && is_old(&t->fresh))
		return false;
	if (scan_same(t, &m->state->last) && seen >= tick_ms(&t->cur) &&
	    seen >= tick_ms(&t->fresh))
		return false;
	return !has_our_clock(m->state->cur);
}

static uint32_t *
table_slot(const struct scan *s, uint64_t id, size_t step)
{
	size_t slots = s->table.n / sizeof(uint32_t);

	return (uint32_t *)(void *)s->table.p + ((id + step) & (slots - 1));
}

static int
make_table(const struct mailbox *m, struct scan *s)
{
	size_t slots = 16;
	char *p;

	while (slots < m->n * 2)
		slots *= 2;
	s->table = buf_new(slots * sizeof(uint32_t));
	s->seen = buf_new(m->n + 1);
	p = buf_room(&s->table, slots * sizeof(uint32_t));
	if (p == NULL || buf_room(&s->seen, m->n + 1) == NULL)
		return -1;
	memset(p, 0, slots * sizeof(uint32_t));
	memset(s->seen.p, 0, m->n + 1);
	s->table.n = slots * sizeof(uint32_t);
	for (size_t i = 0; i < m->n; i++) {
		size_t step = 0;

		if (m->msgs[i].gone)
			continue;
		while (*table_slot(s, m->msgs[i].id, step) != 0)
			step++;
		*table_slot(s, m->msgs[i].id, step) = (uint32_t)i + 1;
	}
	return 0;
}

static size_t
look_up(const struct mailbox *m, const struct scan *s, struct span base,
    uint64_t id)
{
	for (size_t step = 0;; step++) {
		uint32_t at = *table_slot(s, id, step);

		if (at == 0)
			return SIZE_MAX;
		if (m->msgs[at - 1].id == id &&
		    (span_eq(scan_base(view_file(m, at - 1)), base) ||
			view_is_mangled(m, at - 1)))
			return at - 1;
	}
}

/* The first pass takes in everything, later ones what was missing. */
static int
see(const struct mailbox *m, struct scan *s, const struct dirent *e,
    bool in_new, bool first)
{
	struct sighting got = { .in_new = in_new,
		.regular = e->d_type == DT_REG };
	struct span file = span_str(e->d_name);
	struct maildir_name name;
	uint64_t id;

	if (!maildir_parse(file, &name))
		return 0;
	id = sum_id(name.base);
	got.i = look_up(m, s, name.base, id);
	if (got.i != SIZE_MAX) {
		const struct message *msg = &m->msgs[got.i];

		if (!first && s->seen.p[got.i])
			return 0;
		if (s->seen.p[got.i] == 0)
			s->seen.p[got.i] = 1;
		/* A name that was only looked up is news to the journal; and
		 * where the two disagree, the folder is right. */
		if (!msg->looked_up && msg->in_new == in_new &&
		    (name.flags == msg->flags || msg->late) &&
		    strcmp(view_file(m, got.i), e->d_name) == 0) {
			s->seen.p[got.i] = 2;
			return 0;
		}
	} else if (!first) {
		s->dirty = true;
		return 0;
	}
	got.hint = name.uid;
	got.arrival = scan_arrival(name.base);
	got.msg = (struct message){ .flags = name.flags & FLAG_ALL,
		.id = id,
		.size = facts_fits(name.size) ? (uint32_t)name.size : 0,
		.wire = name.wire,
		.in_new = in_new };
	got.name = arena_copy(&s->text, file).p;
	return buf_add(
	    got.i == SIZE_MAX ? &s->fresh : &s->moved, &got, sizeof got);
}

static int
read_folder(const struct mailbox *m, struct scan *s, bool in_new, bool first)
{
	int fd = openat(in_new ? m->state->fresh : m->state->cur, ".",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *e;
	int error;

	if (dir == NULL) {
		if (fd != -1)
			close(fd);
		return -1;
	}
	while (errno = 0, (e = readdir(dir)) != NULL)
		if ((e->d_type == DT_REG || e->d_type == DT_UNKNOWN) &&
		    see(m, s, e, in_new, first) == -1)
			break;
	error = errno;
	closedir(dir);
	errno = error;
	return error == 0 ? 0 : -1;
}

static size_t
count_missing(const struct mailbox *m, const struct scan *s)
{
	size_t missing = 0;

	for (size_t i = 0; i < m->n; i++)
		missing += !m->msgs[i].gone && s->seen.p[i] == 0;
	return missing;
}

/* Both folders once: 1 nothing can have changed meanwhile; 0; -1. */
static int
read_folders(const struct mailbox *m, struct scan *s, bool first)
{
	struct scan_times before, after;
	bool young;

	if (scan_stat(m, &before) == -1)
		return -1;
	young = scan_is_young(m, &before);
	if (read_folder(m, s, true, first) == -1 ||
	    read_folder(m, s, false, first) == -1 || scan_stat(m, &after) == -1)
		return -1;
	s->missing = count_missing(m, s);
	return !young && scan_same(&before, &after);
}

/* Until the clock has ticked since the last change; false where that takes
 * too long for somebody who holds the lock, or was tried just now. */
static bool
wait_for_tick(struct mailbox *m)
{
	struct timespec t = { .tv_nsec = (FINE_MS + 5) * 1000000L };
	int64_t now_ms = io_now_ms();
	struct scan_times now;

	if (now_ms < m->state->patient_ms || scan_stat(m, &now) == -1 ||
	    now.cur.tv_nsec == 0 || now.fresh.tv_nsec == 0)
		return false;
	m->state->patient_ms = now_ms + PATIENCE_MS;
	if (scan_is_young(m, &now))
		nanosleep(&t, NULL);
	return true;
}

/*
 * new/ first: what moves to cur/ meanwhile is seen twice and not missed.  A
 * file that is renamed while cur/ is read may be missed, and again the next
 * time: nothing is missing for sure but after a reading during which the
 * folders stood still.  Where there is none, `unsure' says so.
 */
int
scan_folder(struct mailbox *m, struct scan *s, bool patient)
{
	int still = 0;

	*s = (struct scan){ .text = arena_new(SIZE_MAX / 2),
		.moved = buf_new(SIZE_MAX / 2),
		.fresh = buf_new(SIZE_MAX / 2) };
	if (make_table(m, s) == -1 || scan_stat(m, &s->times) == -1)
		return -1;
	s->times.proven = !scan_is_young(m, &s->times);
	for (unsigned pass = 0; pass < PASSES; pass++) {
		still = read_folders(m, s, pass == 0);
		if (still == -1)
			return -1;
		if (still == 1 || s->missing == 0 ||
		    (pass == 1 && (!patient || !wait_for_tick(m))))
			break;
	}
	s->unsure = still == 0 && s->missing > 0;
	s->dirty |= s->unsure;
	return 0;
}

void
scan_free(struct scan *s)
{
	bool large = s->text.used > LARGE;

	arena_free(&s->text);
	buf_free(&s->table);
	buf_free(&s->seen);
	buf_free(&s->moved);
	buf_free(&s->fresh);
	/* A session that read a large folder once may sit idle for days. */
	if (large)
		malloc_trim(0);
}
