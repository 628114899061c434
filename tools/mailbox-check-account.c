/* postern mailbox check: what belongs to no mailbox, but to the account. */
#include "mailbox-check.h"
#include "names.h"

#include "base/io.h"
#include "base/num.h"
#include "store/quota.h"

#include <unistd.h>

/* Folders that are no mailboxes, or no longer. */
static void
check_names(struct check *c)
{
	char name[MAILBOX_NAME];
	struct names l;

	if (names_read(c->t->a.dir, &l) == -1)
		check_failed(c, "folders");
	for (size_t i = 0; i < l.n; i++) {
		struct span s = span_str(l.name[i]);

		if (span_starts(s, "postern.gone."))
			check_found(c, "stale", l.name[i],
			    "what is left of a mailbox that was deleted");
		else if (account_name(s, name) &&
			 account_is_raw(span_str(name)) &&
			 names_folder(c->t->a.dir, l.name[i]))
			check_found(c, "name", l.name[i],
			    "not the name of a mailbox: its bytes are shown");
	}
	names_free(&l);
}

/* "-120 -1": a line of maildirsize. */
static int64_t
take_signed(struct span *s)
{
	bool minus;
	uint64_t n = 0;

	while (span_at(*s, 0) == ' ')
		*s = span_skip(*s, 1);
	minus = span_at(*s, 0) == '-';
	*s = span_skip(*s, minus);
	(void)num_take(s, INT64_MAX / 2, &n);
	return minus ? -(int64_t)n : (int64_t)n;
}

static int
count_all(const struct account *a, int64_t *bytes, int64_t *count)
{
	struct account_list l;
	int r = account_list(a, &l);

	for (size_t i = 0; r == 0 && i < l.n; i++) {
		uint64_t b, n;
		int dir = account_folder_open(a, span_str(l.name[i]));

		if (dir == -1)
			continue; /* deleted meanwhile */
		r = quota_folder(dir, &b, &n);
		close(dir);
		if (r == 0) {
			*bytes += (int64_t)b;
			*count += (int64_t)n;
		}
	}
	if (r == 0)
		account_list_free(&l);
	return r;
}

/* 1 they agree, or there is no such file; 0; -1. */
static int
compare_size(const struct account *a, int64_t said[2], int64_t real[2])
{
	struct buf text = buf_new(1 << 20);
	int r = io_slurp(a->dir, "maildirsize", &text);
	struct span rest = buf_span(&text);

	said[0] = said[1] = real[0] = real[1] = 0;
	(void)span_take(&rest, '\n'); /* the limits */
	while (rest.n > 0) {
		struct span line = span_take(&rest, '\n');

		said[0] += take_signed(&line);
		said[1] += take_signed(&line);
	}
	buf_free(&text);
	if (r <= 0)
		return r == 0 ? 1 : -1;
	if (count_all(a, &real[0], &real[1]) == -1)
		return -1;
	return said[0] == real[0] && said[1] == real[1];
}

/* Mail that comes meanwhile makes a difference once, not twice. */
static void
check_size(struct check *c)
{
	int64_t said[2], real[2], before;
	int r = compare_size(&c->t->a, said, real);

	before = said[0] - real[0];
	if (r == 0)
		r = compare_size(&c->t->a, said, real);
	if (r == -1)
		check_failed(c, "maildirsize");
	if (r == 0 && before == said[0] - real[0])
		check_found(c, "quota", "maildirsize",
		    "says %lld bytes in %lld messages, but there are %lld in "
		    "%lld",
		    (long long)said[0], (long long)said[1], (long long)real[0],
		    (long long)real[1]);
}

void
check_of_account(struct check *c)
{
	check_names(c);
	check_size(c);
}
