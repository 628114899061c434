/*
 * Prints what lib/mail makes of message files, for tests.
 *
 * Usage: mailtree [-t | -e | -b | -s] FILE...
 * -t the tree of parts, -e ENVELOPE, -b BODYSTRUCTURE, -s BODY.
 * Exits 100 for wrong arguments, 111 where a file cannot be read.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/io.h"
#include "mail/header.h"
#include "mail/imap.h"

enum {
	FILE_LIMIT = 1 << 30
};

static void
print_part(const struct mime_part *part, unsigned depth)
{
	printf("%*s%.*s/%.*s header=%llu+%llu body=%llu+%llu wire=%llu "
	       "lines=%llu\n", (int)depth, "", (int)part->type.n, part->type.p,
	    (int)part->subtype.n, part->subtype.p,
	    (unsigned long long)part->header.at,
	    (unsigned long long)part->header.n,
	    (unsigned long long)part->body.at,
	    (unsigned long long)part->body.n,
	    (unsigned long long)part->body.wire,
	    (unsigned long long)part->body.lines);
	for (const struct mime_part *p = part->child; p; p = p->next)
		print_part(p, depth + 1);
}

static void
print(int mode, struct span text, struct arena *a, struct buf *out)
{
	struct mime_part *part = mime_parse(text, a);
	int r;

	if (part == NULL)
		err_die(EXIT_LATER, "the message does not fit");
	if (mode == 't') {
		print_part(part, 0);
		return;
	}
	if (mode == 'e')
		r = imap_envelope(span_head(text, header_length(text)), a,
		    out);
	else
		r = imap_bodystructure(text, part, mode == 'b', a, out);
	if (r == -1)
		err_die(EXIT_LATER, "the structure does not fit");
	printf("%.*s\n", (int)out->n, out->p);
}

int
main(int argc, char **argv)
{
	struct arena a = arena_new(MIME_ARENA);
	struct buf text = buf_new(FILE_LIMIT), out = buf_new(FILE_LIMIT);
	int c, mode = 't';

	err_program("mailtree");
	while ((c = getopt(argc, argv, "tebs")) != -1) {
		if (c == '?')
			return EXIT_NEVER;
		mode = c;
	}
	for (int i = optind; i < argc; i++) {
		buf_reset(&text);
		buf_reset(&out);
		arena_reset(&a);
		if (io_slurp(AT_FDCWD, argv[i], &text) != 1)
			err_die_sys(EXIT_LATER, "read %s", argv[i]);
		if (argc - optind > 1)
			printf("== %s\n", argv[i]);
		print(mode, buf_span(&text), &a, &out);
	}
	arena_free(&a);
	buf_free(&text);
	buf_free(&out);
	return 0;
}
