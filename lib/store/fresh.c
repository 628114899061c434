/* New files in cur/ and new/: what they are and in which order they came. */
#include "base/durable.h"
#include "base/io.h"
#include "base/num.h"
#include "store/folder.h"
#include "store/state.h"
#include "store/sum.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	MANY = 1000,
	SECOND = 1000000 /* microseconds */
};
static const uint64_t LATEST = INT64_MAX / SECOND; /* s */

static int
folder_of(const struct mailbox *m, const struct sighting *at)
{
	return at->in_new ? m->state->fresh : m->state->cur;
}

/* The numbers in the name, where they fit; else those of the bytes, for
 * which nobody waits where there are many. */
static void
fill_size(
    const struct mailbox *m, struct sighting *at, uint64_t size, bool many)
{
	uint64_t wire = facts_wire(at->msg.size, at->msg.wire, size);
	struct stat st;
	int fd;

	at->msg.size = facts_size(size);
	at->msg.wire = wire;
	if (at->msg.wire > 0 || many)
		return;
	fd = folder_file(folder_of(m, at), at->name, &st);
	if (fd == -1)
		return;
	if (facts_count(fd, &size, &wire) == 0) {
		at->msg.size = facts_size(size);
		at->msg.wire = wire;
	}
	close(fd);
}

/* 1; 0: no message; -1.  Of many, no file is asked for that says itself that
 * it is no longer than it may be. */
static int
fill(const struct mailbox *m, struct scan *s, struct sighting *at, bool many)
{
	struct stat st;

	if (many && at->regular && at->msg.size > 0) {
		at->msg.vague = true;
		at->msg.saved = s->now;
		at->msg.size = 0;
		at->msg.wire = 0;
		return 1;
	}
	if (fstatat(folder_of(m, at), at->name, &st, AT_SYMLINK_NOFOLLOW) ==
	    -1) {
		s->dirty = true;
		return errno == ENOENT ? 0 : -1;
	}
	if (!S_ISREG(st.st_mode) || !facts_fits((uint64_t)st.st_size))
		return 0;
	at->msg.date = st.st_mtime;
	at->msg.saved = facts_saved(&st, s->now);
	fill_size(m, at, (uint64_t)st.st_size, many);
	return 1;
}

uint64_t
scan_arrival(struct span base)
{
	uint64_t sec = 0, usec = 0;

	if (num_take(&base, LATEST, &sec) && span_starts(base, ".M")) {
		base = span_skip(base, 2);
		(void)num_take(&base, SECOND - 1, &usec);
	}
	return sec * SECOND + usec;
}

static int
compare_bases(const char *a, const char *b)
{
	struct span x = scan_base(a), y = scan_base(b);
	int r = memcmp(x.p, y.p, x.n < y.n ? x.n : y.n);

	return r ? r : (x.n > y.n) - (x.n < y.n);
}

/* What a new file is sorted by. */
struct turn {
	uint64_t at;
	size_t i;
};

/* By the byte at `shift', in a stable way, from one array into the other;
 * false where all have the same. */
static bool
sort_by_byte(
    const struct turn *from, struct turn *to, size_t n, unsigned shift)
{
	size_t place[256] = { 0 }, sum = 0;

	for (size_t i = 0; i < n; i++)
		place[from[i].at >> shift & 255]++;
	if (place[from[0].at >> shift & 255] == n)
		return false;
	for (size_t c = 0; c < 256; c++) {
		size_t count = place[c];

		place[c] = sum;
		sum += count;
	}
	for (size_t i = 0; i < n; i++)
		to[place[from[i].at >> shift & 255]++] = from[i];
	return true;
}

/* Names with one base stand together, those in cur/ first. */
static int
by_name(const void *a, const void *b)
{
	const struct sighting *x = a, *y = b;
	int r = compare_bases(x->name, y->name);

	if (r == 0)
		r = x->in_new - y->in_new;
	return r ? r : strcmp(x->name, y->name);
}

/* Puts all in their places, each once, around the circles that they make. */
static void
put_in_place(struct sighting *at, struct turn *turn, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct sighting first = at[i];
		size_t to = i, from;

		while ((from = turn[to].i) != i) {
			at[to] = at[from];
			turn[to].i = to;
			to = from;
		}
		at[to] = first;
		turn[to].i = to;
	}
}

/* By arrival; those of one moment by name. */
static void
sort(struct scan *s)
{
	size_t n, end;
	struct sighting *at = sightings(&s->fresh, &n);
	struct buf room = buf_new(SIZE_MAX / 2);
	struct turn *turn =
	    (void *)buf_room(&room, n * 2 * sizeof *turn);
	struct turn *other = turn + n;

	for (size_t i = 0; i < n; i++)
		turn[i] = (struct turn){ at[i].arrival, i };
	for (unsigned shift = 0; shift < 64; shift += 8)
		if (sort_by_byte(turn, other, n, shift)) {
			struct turn *swap = turn;

			turn = other;
			other = swap;
		}
	put_in_place(at, turn, n);
	for (size_t i = 0; i < n; i = end) {
		for (end = i + 1; end < n && turn[end].at == turn[i].at;)
			end++;
		if (end - i > 1)
			qsort(&at[i], end - i, sizeof *at, by_name);
	}
	buf_free(&room);
}

static bool
is_one_file(int a, const char *a_name, int b, const char *b_name)
{
	struct stat x, y;

	return fstatat(a, a_name, &x, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstatat(b, b_name, &y, AT_SYMLINK_NOFOLLOW) == 0 &&
	       x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

/*
 * Two names of one file, or one name that was changed between our two looks:
 * in tmp/ nobody renames it, and there the question can be answered.  Under
 * the name that is kept a repair would find it, should we die.
 */
static void
drop_second_name(struct mailbox *m, int dir, const char *name, int keep_dir,
    const char *keep)
{
	int tmp = folder_open(m->state->dir, "tmp");

	if (tmp == -1)
		return;
	if (durable_move(dir, name, tmp, keep) == 0) {
		if (is_one_file(tmp, keep, keep_dir, keep))
			(void)unlinkat(tmp, keep, 0);
		else
			(void)durable_move(tmp, keep, dir, name);
	}
	close(tmp);
}

void
scan_mend_double(struct mailbox *m, struct scan *s,
    const struct sighting *other, int keep_dir, const char *keep)
{
	int dir = folder_of(m, other);
	char base[MAILDIR_BASE], name[MAILDIR_NAME * 2];
	int n;

	if (!m->state->locked || m->read_only ||
	    read_exists(dir, other->name) != 1 ||
	    read_exists(keep_dir, keep) != 1)
		return;
	s->dirty = true;
	if (is_one_file(dir, other->name, keep_dir, keep)) {
		drop_second_name(m, dir, other->name, keep_dir, keep);
		return;
	}
	if (maildir_base(base) == -1)
		return;
	n = snprintf(name, sizeof name, "%s%s", base,
	    other->name + scan_base(other->name).n);
	if (n > 0 && n < MAILDIR_NAME)
		(void)durable_move(dir, other->name, dir, name);
	else
		(void)durable_move(dir, other->name, dir, base);
}

static bool
is_double(struct mailbox *m, struct scan *s, const struct sighting *kept,
    const struct sighting *one)
{
	if (kept->msg.id != one->msg.id ||
	    compare_bases(kept->name, one->name) != 0)
		return false;
	scan_mend_double(m, s, one, folder_of(m, kept), kept->name);
	return true;
}

int
scan_fill(struct mailbox *m, struct scan *s)
{
	size_t n, good = 0, kept = 0;
	struct sighting *at = sightings(&s->fresh, &n);

	s->now = facts_now();
	for (size_t i = 0; i < n; i++) {
		int r = fill(m, s, &at[i], n > MANY);

		if (r == -1)
			return -1;
		if (r == 1)
			at[good++] = at[i];
	}
	s->fresh.n = good * sizeof *at;
	if (good > 0)
		sort(s);
	at = sightings(&s->fresh, &good);
	for (size_t i = 0; i < good; i++)
		if (kept == 0 || !is_double(m, s, &at[kept - 1], &at[i]))
			at[kept++] = at[i];
	s->fresh.n = kept * sizeof *at;
	return 0;
}
