/* Connections that a proxy passes on. */
#include "porter.h"

#include "base/log.h"

#include <unistd.h>

static void
tell(const struct link *l)
{
	struct log line;

	log_start(&line, "refused");
	log_str(&line, "service", l->porter->service->name);
	log_str(&line, "why", "connections_per_source");
	log_str(&line, "source", l->peer);
	log_end(&line);
}

bool
porter_is_proxy(const struct porter *f, const struct peer *p)
{
	return network_has(
	    f->conf.proxies, f->conf.nproxies, p->family, p->address);
}

/* Counts this connection for the peer: false, there are too many. */
static bool
sit(const struct link *l, const struct peer *p)
{
	uint64_t most = l->porter->conf.connections_per_source;

	if (l->seats == NULL)
		return true;
	/* Before counting, so that two that come at once see each other. */
	porter_seat_for(l->seat, p);
	l->seat->pid = getpid();
	if (porter_seats_count(l->seats, p) <= most)
		return true;
	if (porter_seats_may_tell(l->seats))
		tell(l);
	return false;
}

/*
 * Nobody behind a proxy is on this machine as far as anyone can tell, so that
 * clear_login stays as it is.
 */
enum frame_status
porter_proxy(struct link *l, const struct frame_request *q)
{
	struct peer p = { .family = q->n == 4 ? AF_INET : AF_INET6 };

	if (q->n != 0 && q->n != 4 && q->n != 16)
		return FRAME_TEMPFAIL;
	l->proxied = false;
	if (q->n == 0)
		return FRAME_OK;
	memcpy(p.address, q->data, q->n);
	porter_peer_text(&p, l->peer);
	return sit(l, &p) ? FRAME_OK : FRAME_REJECT;
}
