/* A growing buffer with a limit. */
#include "base/buf.h"

#include "base/err.h"
#include "base/num.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct buf
buf_new(size_t cap)
{
	return (struct buf){ .cap = cap };
}

void
buf_free(struct buf *b)
{
	free(b->p);
	*b = buf_new(b->cap);
}

void
buf_reset(struct buf *b)
{
	b->n = 0;
	b->full = false;
}

void
buf_wipe(struct buf *b)
{
	if (b->p)
		explicit_bzero(b->p, b->size);
	buf_free(b);
}

/* Always keeps one byte spare behind the limit, for a NUL. */
char *
buf_room(struct buf *b, size_t n)
{
	size_t need, size = b->size ? b->size : 64;
	char *p;

	if (b->full || n > b->cap || b->n > b->cap - n) {
		b->full = true;
		errno = ENOBUFS;
		return NULL;
	}
	need = b->n + n + 1;
	if (need <= b->size)
		return b->p + b->n;
	while (size < need)
		size = size > SIZE_MAX / 2 ? need : size * 2;
	if (size > b->cap)
		size = b->cap + 1;
	p = realloc(b->p, size);
	if (p == NULL)
		err_nomem();
	b->p = p;
	b->size = size;
	return b->p + b->n;
}

int
buf_add(struct buf *b, const void *p, size_t n)
{
	char *to = buf_room(b, n);

	if (to == NULL)
		return -1;
	if (n > 0)
		memcpy(to, p, n);
	b->n += n;
	return 0;
}

int
buf_add_span(struct buf *b, struct span s)
{
	return buf_add(b, s.p, s.n);
}

int
buf_add_str(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

int
buf_add_byte(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

int
buf_add_u64(struct buf *b, uint64_t v)
{
	char text[NUM_TEXT];

	return buf_add(b, text, num_text(v, text));
}

int
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list args;
	int n;
	char *to;

	va_start(args, fmt);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n < 0 || (to = buf_room(b, (size_t)n)) == NULL)
		return -1;
	va_start(args, fmt);
	vsnprintf(to, (size_t)n + 1, fmt, args);
	va_end(args);
	b->n += (size_t)n;
	return 0;
}

const char *
buf_cstr(struct buf *b)
{
	if (b->p == NULL)
		return "";
	b->p[b->n] = '\0';
	return b->p;
}
