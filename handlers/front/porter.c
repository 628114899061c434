/*
 * porter: accepts connections, or has one; counts them, has the program
 * started that talks to each, and answers that program's frames.
 *
 * Reads:   postern.conf; frames of fixed size
 * Writes:  the log; requests to front, on fd 1 (start.h)
 * Runs as: postern.conf's porter_user, jailed; with -P as who started it
 * Exits:   0; 100 usage or configuration; 111 a fault
 */
#include "porter.h"

#include "base/err.h"
#include "base/log.h"
#include "base/num.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <unistd.h>

struct arguments {
	const char *root, *listen, *service;
	bool plan, once, activated;
	uint32_t sockets;
};

static const struct option options[] = {
	{ "listen", required_argument, NULL, 'l' },
	{ "root", required_argument, NULL, 'r' },
	{ 0 },
};

/* People know it as front. */
static _Noreturn void
usage(void)
{
	err_die(EXIT_NEVER,
	    "usage: front [-r root] [--listen ADDR:PORT[,...]] SERVICE, "
	    "or front [-r root] [-1] queue");
}

static void
read_arguments(struct arguments *a, int argc, char *argv[])
{
	int option;

	while ((option = getopt_long(
		    argc, argv, "1Pas:l:r:", options, NULL)) != -1)
		if (option == 'P')
			a->plan = true;
		else if (option == '1')
			a->once = true;
		else if (option == 'a')
			a->activated = true;
		else if (option == 'l')
			a->listen = optarg;
		else if (option == 'r')
			a->root = optarg;
		else if (option != 's' ||
			 !num_parse_u32(
			     span_str(optarg), START_SOCKETS, &a->sockets))
			usage();
	if (argc - optind != 1)
		usage();
	a->service = argv[optind];
}

static void
set_up(struct porter *p, const struct arguments *a)
{
	bool queue = a->plan && strcmp(a->service, "queue") == 0;
	char error[CONF_ERROR];

	if (queue ? a->listen != NULL : a->once)
		usage();
	p->service = service_find(a->service);
	if (p->service == NULL && !queue)
		err_die(EXIT_NEVER, "%s: no such service", a->service);
	if (conf_load(&p->conf, a->root, error) == -1)
		err_die(EXIT_NEVER, "%s", error);
}

void
porter_jail(enum jail_kind kind)
{
	const struct jail jail = { .kind = kind, .leaves = true };
	int landlock;

	signal(SIGPIPE, SIG_IGN);
	if (jail_enter(&jail, &landlock) == -1)
		err_die_sys(EXIT_LATER, "jail");
}

int
main(int argc, char *argv[])
{
	struct arguments a = { 0 };
	int socks[START_SOCKETS];
	struct porter p = { 0 };

	err_program("porter");
	/* fd 2 first: under inetd it is the connection. */
	if (log_rescue_stderr() == -1)
		return EXIT_LATER;
	read_arguments(&a, argc, argv);
	set_up(&p, &a);
	if (a.plan && p.service == NULL)
		return porter_plan_queue(&p, a.once);
	if (a.plan)
		return porter_plan(&p, a.listen);
	if (a.sockets == 0) {
		porter_jail(JAIL_LINK);
		return porter_serve(&p, 0, NULL);
	}
	for (uint32_t i = 0; i < a.sockets; i++)
		socks[i] = START_SOCKETS_FD + (int)i;
	return porter_listen(&p, socks, a.sockets, a.activated);
}
