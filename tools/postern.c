/*
 * postern: runs the tool postern-NAME.
 *
 * Reads:   its arguments, postern.conf (for the folder of the programs)
 * Writes:  nothing of its own
 * Runs as: the caller
 * Exits:   as the tool; 100 misuse, 111 it could not be started
 */
#include "base/conf.h"
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char help[] =
    "usage: postern [-r ROOT] COMMAND ...\n"
    "\n"
    "  domain   add, delete and list domains that mail is taken for\n"
    "  user     add, delete and list mailboxes; set passwords\n"
    "  alias    add, delete and list aliases\n"
    "  mailbox  list, check and rebuild mailboxes, import and export mail\n"
    "  adopt    take over Maildirs that Dovecot or Courier kept\n"
    "\n"
    "postern COMMAND --help says more; so do the pages postern-COMMAND(1).\n";

static bool
is_name(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz-");

	return n > 0 && n < 32 && s[n] == '\0';
}

/* Programs lie in libexec, or, not yet installed, beside this one. */
static void
run(const char *folder, char **argv)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof path, "%s/postern-%s", folder, argv[0]);

	if (n < 0 || (size_t)n >= sizeof path)
		return;
	argv[0] = strrchr(path, '/') + 1;
	execv(path, argv);
	argv[0] = argv[0] + strlen("postern-");
	if (errno != ENOENT)
		err_die_sys(EXIT_LATER, "%s", path);
}

static void
run_beside(char **argv)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	char *slash;

	if (n <= 0)
		return;
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (slash)
		*slash = '\0';
	run(self, argv);
}

int
main(int argc, char **argv)
{
	char error[CONF_ERROR];
	struct conf c;
	char *name;

	err_program("postern");
	if (argc > 2 && strcmp(argv[1], "-r") == 0) {
		if (setenv("POSTERN_ROOT", argv[2], 1) == -1)
			err_die_sys(EXIT_LATER, "POSTERN_ROOT");
		argc -= 2;
		argv += 2;
	}
	if (argc < 2 || strcmp(argv[1], "--help") == 0 ||
	    strcmp(argv[1], "-h") == 0) {
		fputs(help, argc < 2 ? stderr : stdout);
		return argc < 2 ? EXIT_NEVER : 0;
	}
	if (strcmp(argv[1], "--version") == 0)
		return puts("postern " PACKAGE_VERSION) == EOF ? EXIT_LATER : 0;
	if (!is_name(argv[1]))
		err_die(EXIT_NEVER, "not the name of a command: see --help");
	if (conf_load(&c, NULL, error) == -1)
		err_die(EXIT_LATER, "%s", error);
	name = argv[1];
	run(c.libexec, argv + 1);
	argv[1] = name;
	run_beside(argv + 1);
	err_die(EXIT_NEVER, "no command %s: see postern --help", name);
}
