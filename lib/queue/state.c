/* What became of a message's recipients. */
#include "queue/state.h"

#include "base/durable.h"
#include "base/io.h"
#include "base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
	const char *name, *code;
} words[] = {
	[OUTCOME_TEMP] = { "temp", "4.0.0" },
	[OUTCOME_OK] = { "ok", "2.0.0" },
	[OUTCOME_PERM] = { "perm", "5.0.0" },
	[OUTCOME_TOLD] = { "told", "5.0.0" },
	[OUTCOME_ALIAS] = { "alias", "2.1.5" },
	[OUTCOME_FAULT] = { "fault", "4.3.0" },
	[OUTCOME_LATE] = { "late", "4.4.7" },
};

enum {
	WORDS = sizeof words / sizeof *words,
	PAGE = 4096
};

/* D.D.D of RFC 3463, whose class fits the word. */
static bool
is_code(struct span s, enum outcome_word word)
{
	struct span rest = s;
	uint64_t n;

	if (s.n >= STATE_CODE || span_at(s, 0) != words[word].code[0] ||
	    span_at(s, 1) != '.')
		return false;
	rest = span_skip(rest, 2);
	if (!num_take(&rest, 999, &n) || span_at(rest, 0) != '.')
		return false;
	rest = span_skip(rest, 1);
	return num_take(&rest, 999, &n) && rest.n == 0;
}

static bool
find_word(struct span name, enum outcome_word *word)
{
	for (unsigned i = 0; i < WORDS; i++)
		if (span_is(name, words[i].name)) {
			*word = (enum outcome_word)i;
			return true;
		}
	return false;
}

static size_t
count(struct span list)
{
	size_t n = 1;

	for (size_t i = 0; i < list.n; i++)
		n += list.p[i] == ',';
	return n;
}

int
state_begin(struct state *s, const struct envelope *e, struct arena *a)
{
	*s = (struct state){ .n = e->nrcpt, .room = e->nrcpt };
	s->rcpt = arena_alloc(a, e->nrcpt, sizeof *s->rcpt);
	if (s->rcpt == NULL)
		return -1;
	for (size_t i = 0; i < e->nrcpt; i++) {
		s->rcpt[i].address = e->rcpt[i];
		s->rcpt[i].origin = i;
	}
	return 0;
}

/* Room for n recipients, at least twice what it was: what many aliases cost
 * grows with their number, not with its square. */
static bool
make_room(struct state *s, struct arena *a, size_t n)
{
	struct rcpt *r;

	if (n <= s->room)
		return true;
	if (n < 2 * s->room)
		n = 2 * s->room;
	r = arena_alloc(a, n, sizeof *r);
	if (r == NULL)
		return false;
	memcpy(r, s->rcpt, s->n * sizeof *r);
	s->rcpt = r;
	s->room = n;
	return true;
}

/* The recipients that take the place of number index. */
static bool
add_aliases(struct state *s, struct arena *a, size_t index, struct span list)
{
	for (struct span rest = list, one; rest.n > 0;) {
		one = span_take(&rest, ',');
		if (one.n == 0 || one.n > ENVELOPE_FIELD)
			return false;
	}
	if (!make_room(s, a, s->n + count(list)))
		return false;
	while (list.n > 0) {
		s->rcpt[s->n].address = span_take(&list, ',');
		s->rcpt[s->n].origin = s->rcpt[index].origin;
		s->n++;
	}
	return true;
}

bool
state_is_late(const struct rcpt *r)
{
	return r->state == RCPT_PENDING && r->tries > 0 && !r->told_late;
}

static bool
is_legal(const struct rcpt *r, enum outcome_word word)
{
	if (word == OUTCOME_LATE)
		return state_is_late(r);
	if (word == OUTCOME_TOLD)
		return r->state == RCPT_PERM;
	return r->state == RCPT_PENDING;
}

bool
state_apply(struct state *s, struct arena *a, const struct outcome *o)
{
	static const enum rcpt_state after[] = {
		[OUTCOME_TEMP] = RCPT_PENDING, [OUTCOME_OK] = RCPT_OK,
		[OUTCOME_PERM] = RCPT_PERM, [OUTCOME_TOLD] = RCPT_TOLD,
		[OUTCOME_ALIAS] = RCPT_OK, [OUTCOME_FAULT] = RCPT_PENDING
	};
	struct span code, text;
	struct rcpt *r;

	if (o->index >= s->n || !is_legal(&s->rcpt[o->index], o->word))
		return false;
	if (o->word == OUTCOME_LATE) {
		s->rcpt[o->index].told_late = true;
		return true;
	}
	code = arena_copy(a, o->code);
	text = arena_copy(a, o->text);
	if (code.p == NULL || text.p == NULL)
		return false;
	if (o->word == OUTCOME_ALIAS && !add_aliases(s, a, o->index, text))
		return false;
	r = &s->rcpt[o->index];
	r->state = after[o->word];
	r->last = o->time;
	r->fault = o->word == OUTCOME_FAULT;
	r->tries += o->word == OUTCOME_TEMP || r->fault;
	if (o->word == OUTCOME_TOLD)
		return true;
	r->code = code;
	r->text = text;
	return true;
}

static bool
parse_line(struct span line, struct outcome *o)
{
	struct span word, time, index = span_take(&line, ' ');
	uint64_t n, t;

	word = span_take(&line, ' ');
	time = span_take(&line, ' ');
	o->code = span_take(&line, ' ');
	o->text = line;
	if (!num_parse(index, SIZE_MAX / 2, &n) || !find_word(word, &o->word) ||
	    !num_parse(time, INT64_MAX, &t) || !is_code(o->code, o->word) ||
	    (o->text.n > STATE_TEXT && o->word != OUTCOME_ALIAS))
		return false;
	for (size_t i = 0; i < o->text.n; i++)
		if (o->text.p[i] < 0x20 || o->text.p[i] > 0x7e)
			return false;
	o->index = n;
	o->time = (int64_t)t;
	return true;
}

bool
state_parse(struct state *s, struct arena *a, struct span text)
{
	struct outcome o;
	size_t end = span_rfind(text, '\n');

	text.n = end < text.n ? end + 1 : 0;
	s->length = text.n;
	while (text.n > 0)
		if (!parse_line(span_take(&text, '\n'), &o) ||
		    !state_apply(s, a, &o))
			return false;
	return true;
}

int
state_open(const struct queue *q, const char *id)
{
	int fd = openat(q->state, id,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd == -1 && errno == ELOOP)
		errno = EBADMSG;
	return fd;
}

int
state_read(int fd, const struct envelope *e, struct arena *a, struct state *s)
{
	struct buf text = buf_new(STATE_SIZE);
	int r = -1;

	if (fd != -1 && io_slurp_fd(fd, &text) == -1) {
		if (errno == EFBIG || errno == EINVAL)
			errno = EBADMSG;
	} else if (state_begin(s, e, a) == 0) {
		errno = EBADMSG;
		if (state_parse(s, a, buf_span(&text)))
			r = 0;
	}
	buf_free(&text);
	return r;
}

int
state_load(const struct queue *q, const char *id, const struct envelope *e,
    struct arena *a, struct state *s)
{
	int fd = state_open(q, id), r;

	if (fd == -1 && errno != ENOENT)
		return -1;
	r = state_read(fd, e, a, s);
	io_close(fd);
	return r;
}

static void
put_text(struct buf *out, struct span text, enum outcome_word word)
{
	if (word != OUTCOME_ALIAS)
		text = span_head(text, STATE_TEXT);
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		(void)buf_add_byte(out, c < 0x20 || c > 0x7e ? '?' : c);
	}
}

void
state_line(struct buf *out, const struct outcome *o)
{
	(void)buf_add_u64(out, o->index); /* a full buffer stays full */
	(void)buf_addf(out, " %s ", words[o->word].name);
	(void)buf_add_u64(out, o->time > 0 ? (uint64_t)o->time : 0);
	(void)buf_add_byte(out, ' ');
	if (is_code(o->code, o->word))
		(void)buf_add_span(out, o->code);
	else
		(void)buf_add_str(out, words[o->word].code);
	(void)buf_add_byte(out, ' ');
	put_text(out, o->text, o->word);
	(void)buf_add_byte(out, '\n');
}

bool
state_report(struct span line, struct outcome *o)
{
	struct span index = span_take(&line, ' ');
	struct span word = span_take(&line, ' ');
	uint64_t n;

	if (!num_parse(index, SIZE_MAX / 2, &n) || !find_word(word, &o->word) ||
	    o->word > OUTCOME_PERM)
		return false;
	o->index = n;
	o->code = span_take(&line, ' ');
	o->text = span_head(line, STATE_TEXT);
	return true;
}

/* At the end of what counts, whatever was half written before. */
static int
append(int fd, size_t length, struct span lines)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return -1;
	if (st.st_size < (off_t)length) {
		errno = EBADMSG;
		return -1;
	}
	if (st.st_size > (off_t)length && ftruncate(fd, (off_t)length) == -1)
		return -1;
	return io_write(fd, lines.p, lines.n);
}

/*
 * What is not synced lies in one page at most: of two, a file system may have
 * the second on the disk before the first, and what is between is no state.
 */
static int
add_lines(const struct queue *q, const char *id, struct state *s,
    struct span lines, bool durable)
{
	int fd = queue_file(q->state, id, true);
	int r;

	durable |= s->length / PAGE != (s->length + lines.n) / PAGE;
	if (fd == -1)
		return -1;
	r = append(fd, s->length, lines);
	if (r == 0 && durable)
		r = fdatasync(fd);
	io_close(fd);
	if (r == 0 && durable && s->length == 0)
		r = durable_sync(q->state);
	if (r == 0)
		s->length += lines.n;
	return r;
}

int
state_note(const struct queue *q, const char *id, struct state *s,
    struct span lines)
{
	return add_lines(q, id, s, lines, false);
}

int
state_write(const struct queue *q, const char *id, struct state *s,
    struct span lines)
{
	return add_lines(q, id, s, lines, true);
}
