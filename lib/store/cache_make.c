/* What the cache says of a message, made from its bytes. */
#include "base/io.h"
#include "mail/address.h"
#include "mail/header.h"
#include "mail/imap.h"
#include "mail/render.h"
#include "mail/word.h"
#include "store/bytes.h"
#include "store/cache_file.h"
#include "store/folder.h"
#include "store/state.h"
#include "store/sum.h"
#include "text/date.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum {
	ARENA = 67108864, /* what FETCH may use for the same */
	TEXT = 2 * CACHE_RECORD,
	VIEW = 67108864, /* bytes of a text view */
	COPIES = 64      /* messages of a copy that are read for it */
};

/* As long as the path that the text view has for a message's parts. */
static const char path[] = ".msg/000000000000";

struct cache_maker
cache_maker(void)
{
	return (struct cache_maker){ .arena = arena_new(ARENA),
		.text = buf_new(TEXT) };
}

void
cache_maker_free(struct cache_maker *k)
{
	arena_free(&k->arena);
	buf_free(&k->text);
}

/* A byte in front, so that an empty part has an address. */
void
cache_maker_reset(struct cache_maker *k)
{
	arena_reset(&k->arena);
	buf_reset(&k->text);
	(void)buf_add_byte(&k->text, '\0');
	memset(k->made, 0, sizeof k->made);
}

/* What was written since `start' is a part, if it went well and is short
 * enough. */
static void
end_part(struct cache_maker *k, enum cache_part part, size_t start, int r)
{
	if (r == -1 || k->text.full || k->text.n - start > CACHE_PART) {
		k->text.n = start;
		k->text.full = false;
		return;
	}
	k->at[part] = start;
	k->n[part] = k->text.n - start;
	k->made[part] = true;
}

static void
add_part(struct cache_maker *k, enum cache_part part, const char *p, size_t n)
{
	size_t start = k->text.n;

	end_part(k, part, start, buf_add(&k->text, p, n));
}

/* All fields of one name: the values, each with a NUL behind it.  None is
 * in a value: word_decode drops them. */
static void
make_values(struct cache_maker *k, struct span header, enum cache_part part)
{
	size_t start = k->text.n;
	struct header_field f;
	int r = 0;

	while (r == 0 && header_next(&header, &f))
		if (cache_field(f.name) == part)
			r = word_decode(f.value, &k->text) == -1
			    ? -1
			    : buf_add_byte(&k->text, '\0');
	end_part(k, part, start, r);
}

static void
make_date(struct cache_maker *k, struct span header)
{
	struct header_field f;
	struct date d;
	char bytes[12];
	int zone;

	if (!header_get(header, "Date", &f) || !date_parse_mail(f.value, &d)) {
		add_part(k, CACHE_DATE, "", 0);
		return;
	}
	zone = d.zone;
	d.zone = 0;
	put64(bytes, (uint64_t)date_seconds(&d));
	put32(bytes + 8, (uint32_t)zone);
	add_part(k, CACHE_DATE, bytes, sizeof bytes);
}

static void
make_sender(struct cache_maker *k, struct span header)
{
	size_t start = k->text.n;

	end_part(k, CACHE_SENDER, start, address_sender(header, &k->text));
}

void
cache_make_header(struct cache_maker *k, struct span header)
{
	size_t start = k->text.n;

	if (header.n > CACHE_HEADER || span_find(header, '\0') < header.n ||
	    !(span_ends(header, "\n\n") || span_ends(header, "\n\r\n")))
		return;
	end_part(k, CACHE_ENVELOPE, start,
	    imap_envelope(header, &k->arena, &k->text));
	for (int part = CACHE_FROM; part <= CACHE_REFERENCES; part++)
		make_values(k, header, (enum cache_part)part);
	make_date(k, header);
	make_sender(k, header);
}

void
cache_make_structure(struct cache_maker *k, const struct source *s,
    const struct mime_part *root)
{
	size_t start = k->text.n;

	end_part(k, CACHE_BODY, start,
	    imap_bodystructure_from(s, root, false, &k->arena, &k->text));
	start = k->text.n;
	end_part(k, CACHE_BODYSTRUCTURE, start,
	    imap_bodystructure_from(s, root, true, &k->arena, &k->text));
}

void
cache_make_number(struct cache_maker *k, enum cache_part part, uint32_t n)
{
	char bytes[4];

	put32(bytes, n);
	add_part(k, part, bytes, sizeof bytes);
}

/* The text view names parts by a path; its length counts, not what it is. */
static void
make_text_size(struct cache_maker *k, struct span message)
{
	struct buf view = buf_new(VIEW);

	if (render_text(message, span_str(path), &view) == 0)
		cache_make_number(k, CACHE_TEXT, (uint32_t)view.n);
	buf_free(&view);
}

void
cache_make_all(struct cache_maker *k, struct span message)
{
	struct source source = source_text(message);
	struct arena tree = arena_new(MIME_ARENA);
	struct mime_part *root;

	make_text_size(k, message);
	cache_make_header(k, span_head(message, header_length(message)));
	if (memchr(message.p, '\0', message.n) == NULL &&
	    (root = mime_parse(message, &tree)) != NULL)
		cache_make_structure(k, &source, root);
	arena_free(&tree);
}

void
cache_made(const struct cache_maker *k, struct cache_record *r)
{
	for (size_t i = 0; i < CACHE_PARTS; i++)
		if (k->made[i])
			r->part[i] = span_of(k->text.p + k->at[i], k->n[i]);
}

int
cache_peek(const struct maildir_draft *d)
{
	return openat(d->file.dir, d->file.name,
	    O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

static void
keep(struct cache *c, struct cache_key key, struct span message)
{
	struct cache_maker k = cache_maker();
	struct cache_record r = { 0 };

	cache_maker_reset(&k);
	cache_make_all(&k, message);
	cache_made(&k, &r);
	cache_add(c, key, &r);
	cache_maker_free(&k);
}

struct reading {
	int fd;
	bool nul; /* there was one in what was read */
};

static int
read_source(void *ctx, uint64_t at, char *to, size_t n)
{
	struct reading *r = ctx;

	while (n > 0) {
		ssize_t got = pread(r->fd, to, n, (off_t)at);

		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1;
		r->nul |= memchr(to, '\0', (size_t)got) != NULL;
		to += got;
		at += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

/* A message that is too long to be held: its header and structure. */
static void
keep_large(struct cache *c, int fd, struct cache_key key)
{
	struct reading reading = { .fd = fd };
	struct source source = { .size = key.size,
		.read = read_source,
		.ctx = &reading };
	struct arena tree = arena_new(MIME_ARENA);
	struct mime_part *root = mime_parse_from(&source, &tree);
	struct buf bytes = buf_new(CACHE_HEADER);
	struct cache_maker k = cache_maker();
	struct cache_record r = { 0 };
	struct span header;

	cache_maker_reset(&k);
	if (root && !reading.nul) {
		if (source_span(&source, 0, root->header.n, &bytes, &header) ==
		    0)
			cache_make_header(&k, header);
		cache_make_structure(&k, &source, root);
		cache_made(&k, &r);
		cache_add(c, key, &r);
	}
	cache_maker_free(&k);
	buf_free(&bytes);
	arena_free(&tree);
}

static void
keep_small(struct cache *c, int fd, struct cache_key key)
{
	struct buf message = buf_new(CACHE_MESSAGE);
	size_t n = (size_t)key.size;
	char *p = buf_room(&message, n);

	if (p && io_read_full(fd, p, n) == (ssize_t)n)
		keep(c, key, span_of(p, n));
	buf_free(&message);
}

void
cache_keep(struct cache *c, int fd, struct cache_key key)
{
	struct stat st;

	if (fstat(fd, &st) == -1 || st.st_size <= 0 ||
	    (key.size != 0 && key.size != (uint64_t)st.st_size))
		return;
	if (key.size == 0)
		key.date = st.st_mtime;
	key.size = (uint64_t)st.st_size;
	if (key.size <= CACHE_MESSAGE)
		keep_small(c, fd, key);
	else
		keep_large(c, fd, key);
}

void
cache_arrived(int maildir, int fd, const char *base)
{
	struct cache_key key = { .id = sum_id(span_str(base)) };
	int error = errno;
	struct cache c;

	if (fd == -1)
		return;
	cache_open_dir(&c, maildir);
	cache_keep(&c, fd, key);
	cache_close(&c, NULL);
	close(fd);
	errno = error;
}

static void
keep_copy(struct cache *c, int maildir, const char *name, struct cache_key key)
{
	int cur = folder_open(maildir, "cur"), fd = -1;
	struct stat st;

	if (cur != -1)
		fd = folder_file(cur, name, &st);
	if (fd != -1) {
		cache_keep(c, fd, key);
		close(fd);
	}
	if (cur != -1)
		close(cur);
}

void
cache_copied(const struct mailbox *from, const size_t *which, size_t n,
    int maildir, char *const *names)
{
	struct cache source, target;
	struct cache_record r;
	int error = errno;
	size_t made = 0;

	cache_open(&source, from);
	cache_open_dir(&target, maildir);
	cache_begin(&source, n);
	for (size_t k = 0; k < n; k++) {
		struct cache_key key = cache_key(&from->msgs[which[k]]);
		bool known = cache_get(&source, key, &r);

		key.id = sum_id(scan_base(names[k]));
		if (known)
			cache_add(&target, key, &r);
		else if (made++ < COPIES)
			keep_copy(&target, maildir, names[k], key);
	}
	cache_close(&target, NULL);
	cache_close(&source, NULL);
	errno = error;
}
