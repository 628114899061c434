/*
 * The views of a mounted message: made in bounds, the same each time, and
 * without anything that a terminal obeys in those that are text.
 */
#include "show.h"

#include "text/utf8.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum {
	CAP = 16777216,
	PARTS = 64 /* looked at in one input */
};

static void
must(bool so)
{
	if (!so)
		abort();
}

static void
check_safe(struct span s)
{
	while (s.n > 0) {
		bool valid;
		uint32_t c = utf8_take(&s, &valid);

		must(valid && !utf8_is_format(c));
		must(c == '\t' || c == '\n' || !utf8_is_control(c));
	}
}

/* Bytes as they are stored, or as they were before they were encoded. */
static bool
is_raw(enum show_file f)
{
	return f == SHOW_RAW || f == SHOW_RAWBODY || f == SHOW_RAWHEADER ||
	       f == SHOW_MIMEHEADER || f == SHOW_BODY;
}

static void
check_part(const struct show *s, const struct mime_part *p)
{
	for (int f = 0; f < SHOW_FILES; f++) {
		struct buf once = buf_new(CAP), twice = buf_new(CAP);
		int r = show_file(s, p, (enum show_file)f, &once);

		must(r == show_file(s, p, (enum show_file)f, &twice));
		must(span_eq(buf_span(&once), buf_span(&twice)));
		if (r == 0 && !is_raw((enum show_file)f))
			check_safe(buf_span(&once));
		buf_free(&once);
		buf_free(&twice);
	}
}

static void
check_whole(struct span message)
{
	struct buf out = buf_new(CAP);

	if (show_text(message, span_str(".msg/0"), &out) == 0)
		check_safe(buf_span(&out));
	buf_reset(&out);
	if (show_header(message, &out) == 0)
		check_safe(buf_span(&out));
	buf_reset(&out);
	if (show_plain(message, &out) == 0)
		check_safe(buf_span(&out));
	buf_free(&out);
}

static void
check_attachments(struct show *s)
{
	struct attach *list;
	size_t n = show_attachments(s, &list);

	for (size_t i = 0; i < n && i < PARTS; i++) {
		must(show_part(s, list[i].part->order) == list[i].part);
		check_safe(list[i].name);
		must(span_find(list[i].name, '/') == list[i].name.n);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span message = span_of((const char *)data, n);
	struct show s;

	check_whole(message);
	if (show_open(&s, message) == 0) {
		const struct mime_part *p;

		for (uint32_t i = 0; i < PARTS; i++)
			if ((p = show_part(&s, i)) != NULL)
				check_part(&s, p);
		check_attachments(&s);
	}
	show_close(&s);
	return 0;
}
