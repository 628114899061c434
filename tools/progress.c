/* How far long work has come, on a terminal. */
#include "progress.h"

#include "base/io.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum {
	STEP_MS = 100,
	WIDTH = 79 /* a longer line would break and could not be replaced */
};

struct progress
progress_new(void)
{
	return (struct progress){ .on = isatty(2) == 1 };
}

void
progress_show(struct progress *p, const char *fmt, ...)
{
	char line[WIDTH + 1];
	va_list args;
	int64_t now;

	if (!p->on)
		return;
	now = io_now_ms();
	if (now < p->next_ms)
		return;
	va_start(args, fmt);
	(void)vsnprintf(line, sizeof line, fmt, args);
	va_end(args);
	fprintf(stderr, "\r%s\033[K", line);
	p->shown = true;
	p->next_ms = now + STEP_MS;
}

void
progress_hide(struct progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}
