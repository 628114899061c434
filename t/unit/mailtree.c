/*
 * Prints what lib/mail makes of message files, for tests.
 *
 * Usage: mailtree [-p] [-t | -d | -e | -b | -s | -r | -f] FILE...
 * -t the tree of parts, -d the parts decoded (in hexadecimal), -e ENVELOPE,
 * -b BODYSTRUCTURE, -s BODY, -r the text view, -f the first Date in seconds,
 * the first Subject and From decoded.  With -p, for -t, -b and -s,
 * the file is read piece by piece, as large messages are.
 * Exits 100 for wrong arguments, 111 where a file cannot be read.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/io.h"
#include "mail/header.h"
#include "mail/imap.h"
#include "mail/render.h"
#include "mail/word.h"
#include "text/date.h"

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
print_hex(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		printf("%02x", (unsigned char)s.p[i]);
}

/* Depth, type, file name, decoded body. */
static void
print_decoded(struct span text, const struct mime_part *part, unsigned depth)
{
	struct span body = span_head(span_skip(text, part->body.at),
	    part->body.n);
	struct buf b = buf_new(FILE_LIMIT);

	printf("%u %.*s/%.*s ", depth, (int)part->type.n, part->type.p,
	    (int)part->subtype.n, part->subtype.p);
	if (mime_param_utf8(part->disposition_params,
		part->ndisposition_params, "filename", &b) == 1 ||
	    mime_param_utf8(part->params, part->nparams, "name", &b) == 1)
		print_hex(buf_span(&b));
	else
		putchar('-');
	putchar(' ');
	buf_reset(&b);
	if (part->child == NULL) {
		(void)mime_decode(body, part->encoding, &b);
		print_hex(buf_span(&b));
	}
	putchar('\n');
	buf_free(&b);
	for (const struct mime_part *p = part->child; p; p = p->next)
		print_decoded(text, p, depth + 1);
}

static int
read_file(void *ctx, uint64_t at, char *to, size_t n)
{
	int fd = *(int *)ctx;

	return pread(fd, to, n, (off_t)at) == (ssize_t)n ? 0 : -1;
}

static void
print_file(int mode, const char *path, struct arena *a, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct source s = { .read = read_file, .ctx = &fd };
	struct mime_part *part;
	struct stat st;

	if (fd == -1 || fstat(fd, &st) == -1)
		err_die_sys(EXIT_LATER, "open %s", path);
	s.size = (uint64_t)st.st_size;
	if ((part = mime_parse_from(&s, a)) == NULL)
		err_die_sys(EXIT_LATER, "parse %s", path);
	if (mode == 't')
		print_part(part, 0);
	else if (imap_bodystructure_from(&s, part, mode == 'b', a, out) == -1)
		err_die_sys(EXIT_LATER, "structure of %s", path);
	else
		printf("%.*s\n", (int)out->n, out->p);
	close(fd);
}

static void
print_fields(struct span header)
{
	static const char *const decoded[] = { "Subject", "From" };
	struct buf b = buf_new(FILE_LIMIT);
	struct header_field f;
	struct date d;

	if (header_get(header, "Date", &f) && date_parse_mail(f.value, &d))
		printf("date %lld\n", (long long)date_seconds(&d));
	for (size_t i = 0; i < sizeof decoded / sizeof *decoded; i++) {
		buf_reset(&b);
		if (!header_get(header, decoded[i], &f))
			continue;
		printf("%s ", decoded[i]);
		(void)word_decode(f.value, &b);
		print_hex(buf_span(&b));
		putchar('\n');
	}
	buf_free(&b);
}

static void
print(int mode, struct span text, struct arena *a, struct buf *out)
{
	struct mime_part *part = mime_parse(text, a);
	int r;

	if (part == NULL)
		err_die(EXIT_LATER, "the message does not fit");
	if (mode == 't')
		print_part(part, 0);
	if (mode == 'd')
		print_decoded(text, part, 0);
	if (mode == 'f')
		print_fields(span_head(text, header_length(text)));
	if (mode == 't' || mode == 'd' || mode == 'f')
		return;
	if (mode == 'r')
		r = render_text(text, span_str("PARTS"), out);
	else if (mode == 'e')
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
	bool pieces = false;

	err_program("mailtree");
	while ((c = getopt(argc, argv, "ptdebsrf")) != -1) {
		if (c == '?')
			return EXIT_NEVER;
		if (c == 'p')
			pieces = true;
		else
			mode = c;
	}
	for (int i = optind; i < argc; i++) {
		buf_reset(&text);
		buf_reset(&out);
		arena_reset(&a);
		if (argc - optind > 1)
			printf("== %s\n", argv[i]);
		if (pieces) {
			print_file(mode, argv[i], &a, &out);
			continue;
		}
		if (io_slurp(AT_FDCWD, argv[i], &text) != 1)
			err_die_sys(EXIT_LATER, "read %s", argv[i]);
		print(mode, buf_span(&text), &a, &out);
	}
	arena_free(&a);
	buf_free(&text);
	buf_free(&out);
	return 0;
}
