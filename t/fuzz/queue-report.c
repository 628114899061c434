/*
 * Reports on failures and delays: whatever the message, the address and the reason
 * hold, no field is added to the header, no line is other than printable
 * ASCII, the boundary stands where it should, and the size is bounded.
 */
#include <stdlib.h>

#include "queue/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BOUNDARY "0123456789abcdef0123456789abcdef"

enum {
	RCPTS = 300
};

/* Each line of the header is one of ours. */
static void
check_header(struct span *rest)
{
	static const char *const fields[] = { "From: Mail", "To: <",
		"Subject: Mail ", "Date: ",
		"Message-ID: <id@mx.example.test>",
		"Auto-Submitted: auto-replied", "MIME-Version: 1.0",
		"Content-Type: multipart/report; report-type=delivery-status;",
		"\tboundary=\"" BOUNDARY "\"" };

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (!span_starts(span_take(rest, '\n'), fields[i]))
			abort();
	if (span_take(rest, '\n').n != 0)
		abort();
}

static void
check(struct span text)
{
	size_t boundaries = 0;

	if (text.n > REPORT_SIZE || !span_ends(text, "--" BOUNDARY "--\n"))
		abort();
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] != '\n' && text.p[i] != '\t' &&
		    (text.p[i] < 0x20 || text.p[i] > 0x7e))
			abort();
	check_header(&text);
	while (text.n > 0) {
		struct span line = span_take(&text, '\n');

		if (line.n > 998)
			abort();
		boundaries += span_starts(line, "--" BOUNDARY);
	}
	if (boundaries != 4)
		abort();
}

/* The input stands for everything that others can have a hand in. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = span_of((const char *)data, size);
	struct span rcpt = span_take(&s, '\0'), sender = span_take(&s, '\0');
	struct span reason = span_take(&s, '\0');
	struct span all[RCPTS];
	struct rcpt states[RCPTS] = { 0 };
	struct envelope e = { .sender = sender, .rcpt = all, .nrcpt = RCPTS };
	struct state state = { .rcpt = states, .n = RCPTS };
	struct buf out = buf_new(REPORT_SIZE);
	struct report r = { .hostname = "mx.example.test",
		.domain = "example.test", .id = "id", .boundary = BOUNDARY,
		.now = 1700000000, .envelope = &e, .state = &state,
		.header = s };

	for (size_t i = 0; i < RCPTS; i++) {
		all[i] = rcpt;
		states[i] = (struct rcpt){ .origin = i, .text = reason,
			.code = SPAN("5.1.1"),
			.state = i % 3 || size % 2 ? RCPT_PERM : RCPT_OK };
	}
	if (report_build(&r, &out) == -1)
		abort();
	check(buf_span(&out));
	for (size_t i = 0; i < RCPTS; i++) {
		states[i].state = i % 3 ? RCPT_PENDING : RCPT_OK;
		states[i].tries = 1;
	}
	r.late = true;
	r.until = (int64_t)(size * 7919);
	buf_reset(&out);
	if (report_build(&r, &out) == -1)
		abort();
	check(buf_span(&out));
	buf_free(&out);
	return 0;
}
