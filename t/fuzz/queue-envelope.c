/* Queue files: what is loaded is written again as it was. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "queue/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_parsed(const struct envelope *e, struct span fields)
{
	struct buf again = buf_new(ENVELOPE_SIZE);
	struct arena arena = arena_new(ENVELOPE_SIZE);
	struct envelope second;

	if (e->nrcpt == 0 || envelope_write(e, &again) == -1 ||
	    !envelope_parse(buf_span(&again), &arena, &second) ||
	    second.nrcpt != e->nrcpt || !span_eq(second.sender, e->sender) ||
	    !span_eq(second.id, e->id))
		abort();
	for (size_t i = 0; i < e->nrcpt; i++)
		if (e->rcpt[i].p < fields.p ||
		    e->rcpt[i].p + e->rcpt[i].n > fields.p + fields.n ||
		    !span_eq(e->rcpt[i], second.rcpt[i]))
			abort();
	buf_free(&again);
	arena_free(&arena);
}

static void
check_file(const uint8_t *data, size_t size)
{
	struct buf text = buf_new(ENVELOPE_SIZE);
	struct arena arena = arena_new(ENVELOPE_SIZE);
	struct envelope e;
	int64_t start;
	int fd = memfd_create("queue", MFD_CLOEXEC);

	if (fd == -1 || io_write(fd, data, size) == -1)
		abort();
	if (envelope_load(fd, &text, &arena, &e, &start) == 0) {
		if (start < 0 || (uint64_t)start + e.size != size)
			abort();
		check_parsed(&e, buf_span(&text));
	}
	close(fd);
	buf_free(&text);
	arena_free(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = span_of((const char *)data, size);
	struct arena arena = arena_new(ENVELOPE_SIZE);
	struct envelope e;

	check_file(data, size);
	/* The fields alone, as they are submitted. */
	if (span_starts(s, "P1 "))
		s = span_skip(s, ENVELOPE_HEAD);
	if (envelope_parse(s, &arena, &e))
		check_parsed(&e, s);
	arena_free(&arena);
	return 0;
}
