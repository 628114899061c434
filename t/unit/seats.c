/* Seats, whose stages other processes change while one looks for a free one. */
#include "../../handlers/front/porter.h"
#include "tap.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	LIMIT = 2,
	LOOKS = 300000
};

static struct peer
peer(const char *text)
{
	struct peer p = { .family = AF_INET };

	if (inet_pton(AF_INET, text, p.address) != 1)
		abort();
	return p;
}

static _Noreturn void
look(struct seats *s)
{
	struct peer other = peer("192.0.2.2");

	for (int i = 0; i < LOOKS; i++) {
		s->lost = 0;
		(void)porter_seats_free(s, &other);
	}
	_exit(0);
}

/* The clients of both seats log in, and others come in their place. */
static bool
try_race(void)
{
	struct seats *s = porter_seats_new(LIMIT);
	struct seat *seats[LIMIT];
	pid_t child;
	int status = 0;

	if (s == NULL)
		return false;
	for (int i = 0; i < LIMIT; i++) {
		struct peer p = peer(i ? "192.0.2.1" : "198.51.100.1");

		seats[i] = porter_seats_take(s, &p);
		seats[i]->pid = getpid();
		s->used++;
	}
	child = fork();
	if (child == 0)
		look(s);
	while (waitpid(child, &status, WNOHANG) == 0)
		for (int i = 0; i < LIMIT; i++) {
			seats[i]->stage = SEAT_KEPT;
			seats[i]->stage = SEAT_OPEN;
		}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int
main(void)
{
	struct tap t = { 0 };

	signal(SIGTERM, SIG_IGN);
	tap_ok(&t, try_race(), "a login while a seat is looked for");
	return tap_end(&t);
}
