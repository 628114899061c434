/*
 * A whole IMAP session on a Maildir of its own: any bytes as what the client
 * sends, in pieces of any length.
 *
 * Properties: the session ends; every line of its output is a response.
 * Needs a folder that can be written: TMPDIR, or /dev/shm, or /tmp.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../handlers/imap/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	OUTPUT = 64 << 20
};

static const char first[] =
    "From: =?utf-8?q?J=C3=BC?= <a@example.org>\nSubject: one\n"
    "Content-Type: multipart/mixed; boundary=b\n\n--b\n\ntext\n--b\n"
    "Content-Type: message/rfc822\n\nSubject: in\n\nbody\n--b--\n";
static const char second[] = "Subject: two\r\n\r\nbare\rNUL\0end";

struct wire {
	struct span left;
	struct buf out;
};

/* Pieces of 1 to 64 bytes, as the bytes say. */
static ssize_t
take(void *ctx, char *p, size_t n, int64_t deadline_ms)
{
	struct wire *w = ctx;
	size_t piece = w->left.n ? 1 + (w->left.p[0] & 63u) : 0;

	piece = piece < n ? piece : n;
	piece = piece < w->left.n ? piece : w->left.n;
	if (piece > 0)
		memcpy(p, w->left.p, piece);
	w->left = span_skip(w->left, piece);
	return (ssize_t)piece;
}

static int
put(void *ctx, const char *p, size_t n, int64_t deadline_ms)
{
	struct wire *w = ctx;

	return buf_add(&w->out, p, n);
}

static void
message(const char *box, const char *name, const char *text, size_t n)
{
	char path[256];
	int fd;

	snprintf(path, sizeof path, "%s/new/%s", box, name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd == -1 || write(fd, text, n) != (ssize_t)n)
		abort();
	close(fd);
}

static int
drop(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	return remove(path);
}

static bool
is_tag(struct span tag)
{
	struct arena a = arena_new(0);
	struct parse p = parse_of(tag, &a);

	parse_tag(&p);
	return parse_end(&p);
}

/* "* ", "+ " or a tag begins each line; literals are passed over. */
static void
check_output(struct span out)
{
	while (out.n > 0) {
		struct span line = span_head(out, span_find(out, '\n'));
		struct span first_word;
		uint64_t n;

		if (line.n == out.n || !span_ends(line, "\r"))
			abort();
		out = span_skip(out, line.n + 1);
		line.n--;
		first_word = span_head(line, span_find(line, ' '));
		if (!span_is(first_word, "*") && !span_is(first_word, "+") &&
		    !is_tag(first_word))
			abort();
		while (parse_literal(line, &n) == LITERAL_SYNC) {
			if (n > out.n)
				abort();
			out = span_skip(out, (size_t)n);
			line = span_head(out, span_find(out, '\n'));
			if (line.n == out.n || !span_ends(line, "\r"))
				abort();
			out = span_skip(out, line.n + 1);
			line.n--;
		}
	}
}

static void
run(const char *box, struct wire *w)
{
	struct imap s = { .idle_ms = 1800000, .message_size = 10000,
		.pace = { 60, 60, 1024 } };
	struct buf in = buf_new(LINE_BYTES), out = buf_new(OUT_BYTES);

	if (account_open(&s.account, box, true) == -1)
		abort();
	message(box, "1000000001.M1P1.h", first, sizeof first - 1);
	message(box, "1000000002.M1P1.h", second, sizeof second - 1);
	s.in = in_fd(-1, buf_room(&in, LINE_BYTES), LINE_BYTES);
	s.in.read = take;
	s.in.ctx = w;
	s.out = out_fd(-1, buf_room(&out, OUT_BYTES), OUT_BYTES);
	s.out.write = put;
	s.out.ctx = w;
	s.arena = arena_new(ARENA_BYTES);
	s.command = buf_new(COMMAND_BYTES);
	s.shown = shown_none();
	session_run(&s, NULL, "user");
	arena_free(&s.arena);
	buf_free(&s.command);
	buf_free(&in);
	buf_free(&out);
	account_close(&s.account);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire w = { .left = span_of((const char *)data, size),
		.out = buf_new(OUTPUT) };
	const char *base = getenv("TMPDIR");
	char box[256];

	if (base == NULL)
		base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(box, sizeof box, "%s/postern-fuzz.XXXXXX", base);
	if (mkdtemp(box) == NULL)
		abort();
	run(box, &w);
	check_output(buf_span(&w.out));
	nftw(box, drop, 16, FTW_DEPTH | FTW_PHYS);
	buf_free(&w.out);
	return 0;
}
