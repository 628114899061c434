/* front gets to know what it may start. */
#include "front.h"

#include "base/priv.h"

#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

enum {
	PATH = 4096
};

/* With what front was started with, but for rights. */
static _Noreturn void
be_planner(int end, char *argv[])
{
	char path[PATH], plan[] = "-P";
	const char *self = (const char *)getauxval(AT_EXECFN);
	char *argument[16] = { path, plan };
	const char *slash = strrchr(self, '/');
	size_t n = slash ? (size_t)(slash - self) + 1 : 0;

	for (size_t i = 1; argv[i] && i < 14; i++)
		argument[i + 1] = argv[i];
	if (n > sizeof path - sizeof "porter")
		front_fail("path");
	memcpy(path, self, n);
	memcpy(path + n, "porter", sizeof "porter");
	if (dup2(end, START_FD) == -1 || priv_limit(PRIV_NONE) == -1)
		front_fail("planner");
	(void)execve(path, argument, environ);
	front_fail(path);
}

int
front_plan(struct start_plan *p, char *argv[])
{
	int pair[2], log, code;
	pid_t pid;
	ssize_t n;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		front_fail("socketpair");
	pid = fork();
	if (pid == 0)
		be_planner(pair[1], argv);
	close(pair[1]);
	n = io_recv(pair[0], p, sizeof *p, &log, 1);
	close(pair[0]);
	code = pid == -1 ? FRONT_FAULT : proc_wait(pid);
	if (code != 0 || n < (ssize_t)offsetof(struct start_plan, text) ||
	    n != (ssize_t)(offsetof(struct start_plan, text) + p->size) ||
	    p->size == 0 || p->text[p->size - 1] != '\0' ||
	    p->sockets > START_SOCKETS || p->binds > START_SOCKETS)
		return code == 0 ? FRONT_FAULT : code;
	/* Under inetd fd 2 is the connection. */
	if (log != 2 && (dup2(log, 2) == -1 || close(log) == -1))
		return FRONT_FAULT;
	return 0;
}
