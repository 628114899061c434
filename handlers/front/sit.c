/* A listener's child, and the seat that it has there. */
#include "porter.h"

#include "base/io.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

/* True, and *told, if there was something; without a listener nobody counts any
 * more. */
static bool
hear(struct link *l, uint32_t *told)
{
	ssize_t n = io_recv(l->seat, told, sizeof *told, NULL, 0);

	if (n == (ssize_t)sizeof *told)
		return true;
	if (n == -1 && errno == EAGAIN)
		return false;
	close(l->seat);
	l->seat = -1;
	return false;
}

static int
say(const struct link *l, const struct seat_word *w, int fd)
{
	return io_send(l->seat, w, sizeof *w, &fd, fd == -1 ? 0 : 1);
}

bool
porter_sit_is_lost(struct link *l)
{
	uint32_t told;

	return hear(l, &told) && told == SEAT_TOLD_LOST;
}

bool
porter_sit_keep(struct link *l)
{
	const struct seat_word w = { .type = SEAT_SAYS_KEEP };

	if (l->seat == -1 || l->kept)
		return true;
	if (porter_sit_is_lost(l))
		return false;
	l->kept = true;
	if (l->seat != -1)
		(void)say(l, &w, -1);
	return true;
}

bool
porter_sit_for(struct link *l, const struct peer *p)
{
	const struct seat_word w = { .type = SEAT_SAYS_PEER, .peer = *p };
	uint32_t told = SEAT_TOLD_LOST;

	if (l->seat == -1)
		return true;
	if (say(l, &w, -1) == 0 &&
	    io_wait(l->seat, POLLIN, io_now_ms() + PORTER_SEAT_MS) == -1)
		return false;
	return hear(l, &told) ? told == SEAT_TOLD_GOOD : l->seat == -1;
}

int
porter_sit_move(const struct link *l, int session)
{
	const struct seat_word w = { .type = SEAT_SAYS_SESSION };

	return l->seat == -1 ? 0 : say(l, &w, session);
}
