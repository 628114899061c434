/* Messages of programs, and their last words. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The one writable global of the house: who is speaking. */
static const char *program = "postern";

void
err_program(const char *name)
{
	const char *slash = strrchr(name, '/');

	program = slash ? slash + 1 : name;
}

const char *
err_name(void)
{
	return program;
}

/* Where the next piece of a line of size bytes goes, n more bytes in. */
static size_t
advance(size_t at, int n, size_t size)
{
	if (n < 0)
		return at;
	return (size_t)n < size - at ? at + (size_t)n : size - 1;
}

static void __attribute__((format(printf, 2, 0)))
say(int error, const char *fmt, va_list args)
{
	enum { ROOM = 6144 };
	char line[ROOM + 1];
	size_t at = 0;

	at = advance(at, snprintf(line, ROOM, "%s: ", program), ROOM);
	at = advance(at, vsnprintf(line + at, ROOM - at, fmt, args), ROOM);
	if (error != 0)
		at = advance(at, snprintf(line + at, ROOM - at, ": %s",
		    strerror(error)), ROOM);
	line[at++] = '\n';
	/* Nobody is left to tell when this fails. */
	if (write(2, line, at) == -1)
		return;
}

void
err_warn(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(0, fmt, args);
	va_end(args);
}

void
err_warn_sys(const char *fmt, ...)
{
	int error = errno;
	va_list args;

	va_start(args, fmt);
	say(error, fmt, args);
	va_end(args);
}

void
err_die(int code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(0, fmt, args);
	va_end(args);
	exit(code);
}

void
err_die_sys(int code, const char *fmt, ...)
{
	int error = errno;
	va_list args;

	va_start(args, fmt);
	say(error, fmt, args);
	va_end(args);
	exit(code);
}

void
err_nomem(void)
{
	err_die(EXIT_LATER, "out of memory");
}
