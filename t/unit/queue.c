/* The table of messages, the times of retries, ids, and submissions. */
#include <sys/socket.h>
#include <unistd.h>

#include "../../handlers/queue/dest.h"
#include "../../handlers/queue/qsend.h"
#include "../../handlers/queue/table.h"
#include "base/io.h"
#include "queue/queue.h"
#include "queue/submit.h"
#include "queue/trace.h"
#include "tap.h"

enum {
	MESSAGES = 20000
};

static void
name(uint32_t n, char id[QUEUE_ID])
{
	snprintf(id, QUEUE_ID, "1ng7yrx1zqv00pgf%08u", n % 100000000);
}

/* Many messages in an order that is none; half go; the rest come out in
 * the order of their times, each once. */
static void
test_table(struct tap *tap)
{
	struct table t = table_new();
	char id[QUEUE_ID];
	int64_t last = -1;
	uint32_t out = 0;
	bool good = true;

	for (uint32_t i = 0; i < MESSAGES; i++) {
		name(i, id);
		good &= table_add(&t, id, i * 7919 % 10007) != TABLE_NONE;
	}
	tap_ok(tap, good && t.n == MESSAGES, "all messages are added");
	name(77, id);
	tap_ok(tap, table_add(&t, id, 0) == TABLE_NONE, "none twice");
	for (uint32_t i = 0; i < MESSAGES; i += 2) {
		name(i, id);
		table_remove(&t, table_find(&t, id));
	}
	name(1, id);
	table_schedule(&t, table_find(&t, id), 20000, true);
	tap_ok(tap, t.nwaits == 1, "one waits for a destination");
	good = t.n == MESSAGES / 2 && table_next(&t) >= 0;
	while (table_next(&t) != -1) {
		uint32_t i = table_take(&t, 100000);

		good &= i != TABLE_NONE && table_entry(&t, i)->due_ms >= last;
		last = table_entry(&t, i)->due_ms;
		out++;
	}
	tap_ok(tap, good && out == MESSAGES / 2, "in the order of their times");
	tap_ok(tap, t.nwaits == 0 && last == 20000, "the moved one at the end");
	name(3, id);
	tap_ok(tap, table_find(&t, id) != TABLE_NONE, "known until removed");
	buf_free(&t.entries);
	buf_free(&t.heap);
	buf_free(&t.buckets);
}

static void
test_retry(struct tap *tap)
{
	struct conf c = { .retry_min_s = 60, .retry_max_s = 14400,
		.queue_life_s = 432000 };
	struct envelope e = { .time = 1000000 };
	struct rcpt r = { .last = 2000000 };
	bool bounded = true, differ = false;
	int64_t first = 0;
	char id[QUEUE_ID];

	name(1, id);
	tap_ok(tap, retry_due(&c, id, &r) == 0, "new mail is due at once");
	for (r.tries = 1; r.tries < 100; r.tries++)
		for (uint32_t i = 0; i < 50; i++) {
			int64_t after;

			name(i, id);
			after = retry_due(&c, id, &r) - r.last;
			bounded &= after >= 60 && after <= 14400;
			if (r.tries != 5)
				continue;
			bounded &= after >= 720 && after <= 1200;
			differ |= i > 0 && after != first;
			first = after;
		}
	tap_ok(tap, bounded, "retries lie between the smallest and the largest");
	tap_ok(tap, differ, "and apart from each other");
	r.fault = true;
	bounded = true;
	for (r.tries = 1; r.tries < 100; r.tries++)
		bounded &= retry_due(&c, id, &r) - r.last <= 3600;
	tap_ok(tap, bounded, "a fault of this machine is looked at every hour");
	r.tries = 3;
	tap_ok(tap, !retry_expired(&c, &e, &r, e.time + 864000000),
	    "a clock that jumps ten years bounces nothing");
	r.tries = 40;
	tap_ok(tap, retry_expired(&c, &e, &r, e.time + 432000),
	    "five days with many tries are the end");
	tap_ok(tap, !retry_expired(&c, &e, &r, e.time + 431999), "not before");
	tap_ok(tap, !retry_expired(&c, &e, &r, e.time - 5), "nor backwards");
	c.queue_warn_s = 14400;
	e.sender = (struct span)SPAN("a@b");
	tap_ok(tap, retry_warn(&c, &e) == INT64_MAX, "strangers are not warned");
	e.user = (struct span)SPAN("a@b");
	tap_ok(tap, retry_warn(&c, &e) == e.time + 14400,
	    "who logged in is, after the time that is set");
	e.sender.n = 0;
	tap_ok(tap, retry_warn(&c, &e) == INT64_MAX, "a report's sender is not");
	e.sender.n = 3;
	c.queue_warn_s = 432000;
	tap_ok(tap, retry_warn(&c, &e) == INT64_MAX,
	    "nor whom the failure reaches as soon");
	c.queue_warn_s = 0;
	tap_ok(tap, retry_warn(&c, &e) == INT64_MAX, "nor where none is set");
}

static void
test_dests(struct tap *tap)
{
	struct dests d = dests_new();
	struct conf c = { .retry_min_s = 60, .retry_max_s = 14400 };
	uint32_t a = dest_find(&d, (struct span)SPAN("a.test"), 0), b;
	char other[16];

	for (int i = 0; i < DEST_LIMIT; i++)
		dest_start(&d, a);
	tap_ok(tap, dest_busy(&d, a), "five deliveries make it busy");
	b = dest_find(&d, (struct span)SPAN("b.test"), 0);
	tap_ok(tap, b != a && !dest_busy(&d, b), "for others there is room");
	tap_ok(tap, dest_find(&d, (struct span)SPAN("A.TEST"), 0) == a,
	    "a domain's case does not matter");
	for (int i = 0; i < DEST_LIMIT; i++)
		dest_end(&d, a, true, &c, 1000);
	tap_ok(tap, dest_held(&d, a, 60999) && !dest_held(&d, a, 61000),
	    "silence holds it for the shortest retry, once for all");
	dest_start(&d, a);
	dest_end(&d, a, true, &c, 61000);
	tap_ok(tap, dest_held(&d, a, 180999), "then for twice that");
	dest_start(&d, a);
	dest_end(&d, a, false, &c, 181000);
	tap_ok(tap, !dest_held(&d, a, 181000), "an answer ends it");
	for (uint32_t i = 0; i < 2 * DEST_MAX; i++) {
		snprintf(other, sizeof other, "d%u.test", i);
		b = dest_find(&d, span_str(other), 0);
		if (b != DEST_NONE)
			dest_start(&d, b);
	}
	tap_ok(tap, b == DEST_NONE && !dest_busy(&d, b),
	    "what is not remembered is not limited");
	buf_free(&d.all);
}

/* A message waits for a place; another destination gets it, and is busy. */
static void
test_dest_place(struct tap *tap)
{
	struct dests d = dests_new();
	struct conf c = { .retry_min_s = 60, .retry_max_s = 14400 };
	uint32_t a = dest_find(&d, (struct span)SPAN("a.test"), 0), born;
	uint32_t b = DEST_NONE;
	char other[16];

	for (int i = 0; i < DEST_LIMIT; i++)
		dest_start(&d, a);
	born = dest_born(&d, a);
	dest_end(&d, a, false, &c, 0);
	tap_ok(tap, dest_born(&d, a) == born, "a place that is in use stays");
	for (int i = 1; i < DEST_LIMIT; i++)
		dest_end(&d, a, false, &c, 0);
	for (uint32_t i = 0; b != a && i < 2 * DEST_MAX; i++) {
		snprintf(other, sizeof other, "d%u.test", i);
		b = dest_find(&d, span_str(other), 0);
	}
	tap_ok(tap, b == a && dest_born(&d, b) != born,
	    "whoever gets a place is told from who had it");
	tap_ok(tap, dest_born(&d, DEST_NONE) != born, "and from none");
	buf_free(&d.all);
}

/* A state of many aliases: what they take grows with their number. */
static void
test_aliases(struct tap *tap)
{
	enum { ALIASES = 5000, MEMORY = 8 << 20 };
	struct arena a = arena_new(MEMORY);
	struct envelope e = { .nrcpt = ALIASES };
	struct buf text = buf_new(SIZE_MAX / 2);
	struct state s;
	bool good;

	e.rcpt = arena_alloc(&a, ALIASES, sizeof *e.rcpt);
	for (size_t i = 0; i < ALIASES; i++) {
		e.rcpt[i] = span_str("list@example.test");
		(void)buf_addf(&text, "%zu alias 1 2.1.5 a%zu@x.test\n", i, i);
	}
	good = state_begin(&s, &e, &a) == 0 &&
	    state_parse(&s, &a, buf_span(&text));
	tap_ok(tap, good && s.n == 2 * ALIASES, "a state of 5000 aliases");
	tap_ok(tap, good && s.rcpt[2 * ALIASES - 1].origin == ALIASES - 1 &&
	        span_is(s.rcpt[ALIASES].address, "a0@x.test"),
	    "each where it belongs");
	buf_free(&text);
	arena_free(&a);
}

static void
test_ids(struct tap *tap)
{
	char a[QUEUE_ID], b[QUEUE_ID];

	tap_ok(tap,
	    queue_id(a) == 0 && queue_id(b) == 0 && strcmp(a, b) < 0 &&
	        queue_is_id(span_str(a)),
	    "ids sort by time");
	a[3] = '/';
	tap_ok(tap, !queue_is_id(span_str(a)), "a path is no id");
	a[3] = '\0';
	tap_ok(tap, !queue_is_id(span_of(a, QUEUE_ID - 1)), "nor is a NUL");
	tap_ok(tap, !queue_is_id(span_str("../../../../etc/passwd00")),
	    "nor this");
}

/* enqueue answers before it has read everything, and goes. */
static void
test_early_answer(struct tap *tap)
{
	char room[1000], text[SUBMIT_ANSWER];
	static const char line[] = "D message too large\n";
	struct submit s;
	int pair[2];
	char verdict;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
		return;
	submit_begin(&s, pair[0], room, sizeof room, span_str("x"));
	(void)io_write(pair[1], line, sizeof line - 1);
	close(pair[1]);
	for (int i = 0; i < 1000; i++)
		submit_body(&s, span_of(room, sizeof room));
	verdict = submit_end(&s, text, io_now_ms() + 1000);
	tap_ok(tap, verdict == 'D' && strcmp(text, "message too large") == 0,
	    "an early answer is read");
	close(pair[0]);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
		return;
	submit_begin(&s, pair[0], room, sizeof room, span_str("x"));
	verdict = submit_end(&s, text, io_now_ms() + 20);
	tap_ok(tap, verdict == 'Z', "no answer in time: later");
	close(pair[1]);
	verdict = submit_end(&s, text, io_now_ms() + 1000);
	tap_ok(tap, verdict == 'Z', "nobody there: later");
	close(pair[0]);
}

static void
test_trace(struct tap *tap)
{
	static const char text[] = "Received: by a\n\tby b\nRECEIVED : c\n"
	                           "X: Received: d\nDelivered-To:  A@b \n\n"
	                           "Received: in the text\n";
	struct trace_address who[] = { { SPAN("a@B"), false },
		{ SPAN("a@b.c"), false }, { SPAN("A@b"), false } };
	struct trace t = trace_new(who, 3);

	for (size_t i = 0; i + 1 < sizeof text; i++)
		trace_feed(&t, span_of(text + i, 1));
	tap_ok(tap, t.received == 2, "Received fields are counted");
	tap_ok(tap, t.found == 2 && who[0].found && who[2].found && t.over,
	    "Delivered-To is found");
	tap_ok(tap, t.delivered == 1 && !who[1].found, "another's is not");
	t = trace_new(who + 1, 1);
	for (int i = 0; i < TRACE_HOPS; i++)
		trace_feed(&t, span_str("Delivered-To: x\n"));
	tap_ok(tap, !trace_is_endless(&t), "a hundred are no loop yet");
	trace_feed(&t, span_str("Delivered-To: a@b.c\n"));
	tap_ok(tap, trace_is_endless(&t), "more are");
}

int
main(void)
{
	struct tap tap = { 0 };

	test_table(&tap);
	test_retry(&tap);
	test_dests(&tap);
	test_dest_place(&tap);
	test_aliases(&tap);
	test_ids(&tap);
	test_early_answer(&tap);
	test_trace(&tap);
	return tap_end(&tap);
}
