/* Work on a mailbox, as its owner. */
#include "owner.h"

#include "base/err.h"
#include "base/priv.h"
#include "base/proc.h"

#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* The owner's own group; the folder's may be anybody's. */
static gid_t
group_of(const struct stat *st)
{
	const struct passwd *pw = getpwuid(st->st_uid);

	if (pw)
		return pw->pw_gid;
	return st->st_gid ? st->st_gid : (gid_t)st->st_uid;
}

/* st NULL: as whoever we are. */
static int
run_child(
    const struct stat *st, const char *folder, int (*run)(void *ctx), void *ctx)
{
	int code;

	if (st && priv_become(st->st_uid, group_of(st)) == -1)
		err_die_sys(EXIT_LATER, "become the owner of %s", folder);
	code = run(ctx);
	if (fflush(stdout) == EOF)
		err_die_sys(EXIT_LATER, "standard output");
	return code;
}

static int
run_apart(
    const struct stat *st, const char *folder, int (*run)(void *ctx), void *ctx)
{
	pid_t pid;

	/* What is in the buffer would be written twice. */
	if (fflush(stdout) == EOF || (pid = fork()) == -1) {
		err_warn_sys("%s", folder);
		return EXIT_LATER;
	}
	if (pid == 0)
		_exit(run_child(st, folder, run, ctx));
	return proc_wait(pid);
}

int
owner_run_apart(const char *folder, int (*run)(void *ctx), void *ctx)
{
	return geteuid() == 0 ? owner_run(folder, run, ctx)
			      : run_apart(NULL, folder, run, ctx);
}

int
owner_run(const char *folder, int (*run)(void *ctx), void *ctx)
{
	struct stat st;

	if (geteuid() != 0)
		return run(ctx);
	if (stat(folder, &st) == -1) {
		err_warn_sys("%s", folder);
		return EXIT_NEVER;
	}
	if (st.st_uid == 0) {
		err_warn("%s belongs to root: mail belongs to somebody else",
		    folder);
		return EXIT_NEVER;
	}
	return run_apart(&st, folder, run, ctx);
}
