/* Seats: whose are lost, and to whom. */
#include "../../handlers/front/porter.h"
#include "tap.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	LIMIT = 2
};

static struct peer
peer(const char *text)
{
	struct peer p = { .family = AF_INET };

	if (inet_pton(AF_INET, text, p.address) != 1)
		abort();
	return p;
}

/* Of a client that came long ago; *child is its process's socket. */
static struct seat *
sit(struct seats *s, const char *source, int *child)
{
	struct peer p = peer(source);
	struct seat *seat = porter_seats_take(s, &p);
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) == -1)
		abort();
	seat->since_ms -= PORTER_EARLY_MS;
	seat->pid = 1;
	seat->sock = pair[0];
	*child = pair[1];
	s->used++;
	return seat;
}

static bool
is_told(int child)
{
	uint32_t told = SEAT_TOLD_GOOD;

	return io_recv(child, &told, sizeof told, NULL, 0) ==
		   (ssize_t)sizeof told &&
	       told == SEAT_TOLD_LOST;
}

int
main(void)
{
	struct tap t = { 0 };
	struct seats *s = porter_seats_new(LIMIT);
	struct peer one = peer("192.0.2.1"), other = peer("192.0.2.2");
	struct seat *first, *second;
	int child[2];

	if (s == NULL)
		return 1;
	first = sit(s, "192.0.2.1", &child[0]);
	tap_ok(&t, porter_seats_free(s, &other), "there is one left");
	second = sit(s, "198.51.100.1", &child[1]);
	second->since_ms += PORTER_EARLY_MS;
	tap_ok(&t, porter_seats_free(s, &other) && is_told(child[0]) &&
		!is_told(child[1]), "who has been there for long makes room");
	tap_ok(&t, s->lost == 1 && porter_seats_count(s, &one) == 0,
	    "and does not count any more");
	/* Before it was told so, it said that its client has logged in. */
	porter_seat_keep(s, first);
	tap_ok(&t, s->lost == 0 && porter_seats_count(s, &one) == 1,
	    "unless it logged in just then");
	tap_ok(&t, !porter_seats_free(s, &other) && !is_told(child[0]) &&
		!is_told(child[1]), "it makes no room, nor does a new one");
	second->since_ms -= PORTER_EARLY_MS;
	close(second->sock);
	second->sock = -1;
	tap_ok(&t, !porter_seats_free(s, &other), "nor who is not heard");
	close(child[1]);
	porter_seat_leave(s, second);
	tap_ok(&t, porter_seats_free(s, &other) && s->used == 1,
	    "who leaves does");
	second = sit(s, "198.51.100.1", &child[1]);
	tap_ok(&t, porter_seats_free(s, &other) && is_told(child[1]) &&
		s->lost == 1, "another one is lost");
	porter_seat_leave(s, second);
	tap_ok(&t, s->lost == 0 && s->used == 1, "and leaves nothing behind");
	free(s);
	return tap_end(&t);
}
