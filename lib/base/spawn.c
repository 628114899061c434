/* Starting programs beside us. */
#include "base/proc.h"

#include "base/err.h"

#include <signal.h>
#include <unistd.h>

pid_t
proc_spawn(const struct proc *p)
{
	sigset_t none;
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	proc_exec(p);
	err_warn_sys("start %s", p->path);
	_exit(EXIT_LATER);
}
