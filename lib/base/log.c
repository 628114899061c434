/* One log line per event. */
#include "base/log.h"

#include "base/err.h"
#include "base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void
add(struct log *l, const char *p, size_t n)
{
	size_t room = sizeof l->line - 1 - l->n;

	n = n < room ? n : room;
	memcpy(l->line + l->n, p, n);
	l->n += n;
}

static bool
is_syslog(int fd)
{
	int type = 0;
	socklen_t n = sizeof type;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 &&
	    type == SOCK_DGRAM;
}

void
log_start(struct log *l, const char *event)
{
	char head[128];
	int n = snprintf(head, sizeof head, "%s%s[%ld]: %s",
	    is_syslog(2) ? "<22>" : "", err_name(), (long)getpid(), event);

	l->n = 0;
	if (n > 0)
		add(l, head,
		    (size_t)n < sizeof head ? (size_t)n : sizeof head - 1);
}

size_t
log_escape(struct span value, char *out, size_t size)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	value = span_head(value, LOG_FIELD);
	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];
		bool plain = c > 0x20 && c < 0x7f && c != '\\' && c != '"';

		if (n + (plain ? 1 : 4) >= size)
			break;
		if (plain) {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '\\';
		out[n++] = 'x';
		out[n++] = hex[c >> 4];
		out[n++] = hex[c & 15];
	}
	if (size > 0)
		out[n] = '\0';
	return n;
}

void
log_span(struct log *l, const char *key, struct span value)
{
	char safe[LOG_SAFE + 1];
	size_t n = log_escape(value, safe, sizeof safe);

	add(l, " ", 1);
	add(l, key, strlen(key));
	add(l, "=", 1);
	add(l, safe, n);
}

void
log_str(struct log *l, const char *key, const char *value)
{
	log_span(l, key, span_str(value));
}

void
log_num(struct log *l, const char *key, uint64_t value)
{
	char text[NUM_TEXT];

	log_span(l, key, span_of(text, num_text(value, text)));
}

void
log_errno(struct log *l, const char *key, int e)
{
	const char *text = strerror(e);

	add(l, " ", 1);
	add(l, key, strlen(key));
	add(l, "=\"", 2);
	add(l, text, strlen(text));
	add(l, "\"", 1);
}

void
log_end(struct log *l)
{
	l->line[l->n++] = '\n';
	/* A log that cannot be written must not end a session. */
	if (write(2, l->line, l->n) == -1)
		return;
}

void
log_event(const char *event)
{
	struct log l;

	log_start(&l, event);
	log_end(&l);
}

void
log_error(const char *event, const char *what, int e)
{
	struct log l;

	log_start(&l, event);
	log_str(&l, "what", what);
	log_errno(&l, "error", e);
	log_end(&l);
}

static bool
same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 &&
	    x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static int
open_syslog(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX,
		.sun_path = "/dev/log" };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
		return fd;
	close(fd);
	return -1;
}

int
log_rescue_stderr(void)
{
	struct stat st;
	int fd;

	if (fstat(2, &st) == 0 && !(S_ISSOCK(st.st_mode) && same_file(0, 2)))
		return 0;
	fd = open_syslog();
	if (fd == -1)
		fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	if (fd == 2)
		return fcntl(2, F_SETFD, 0);
	if (dup2(fd, 2) == -1)
		return -1;
	close(fd);
	return 0;
}
