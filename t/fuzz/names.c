/*
 * File names of the mounted mailbox: whatever a header says, a name is short,
 * in UTF-8, needs no quotes and moves no cursor, and its id can be read back.
 */
#include "names.h"

#include "text/utf8.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
must(bool so)
{
	if (!so)
		abort();
}

static void
check_characters(struct span s)
{
	must(s.n > 0 && s.n <= NAMES_LONGEST);
	must(s.p[0] != '.' && s.p[0] != '-');
	while (s.n > 0) {
		bool valid;
		uint32_t c = utf8_take(&s, &valid);

		must(valid && !utf8_is_control(c) && !utf8_is_format(c));
		must(c > ' ' &&
		     (c > 0x7f || strchr("/\\:*?\"'<>|`$&;()[]{}!#~^%",
				      (int)c) == NULL));
	}
}

static void
check_stem(const struct names *names, struct span header, uint64_t id)
{
	char stem[NAMES_SIZE];
	struct span s;
	uint64_t back;

	names_stem(names, header, (int64_t)(id >> 28), id, stem);
	s = span_str(stem);
	must(s.n + 4 <= NAMES_LONGEST);
	check_characters(s);
	must(s.n > NAMES_ID && s.p[s.n - NAMES_ID - 1] == '.');
	must(names_parse_id(span_skip(s, s.n - NAMES_ID), &back));
	must(back == id);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct names names;
	struct span s = span_of((const char *)data, n);
	uint64_t id = 0;

	must(names_init(&names) == 0);
	for (size_t i = 0; i < n && i < 7; i++)
		id = id << 8 | data[i];
	check_stem(&names, s, id);
	freelocale(names.locale);
	return 0;
}
