/* Connections that a proxy passes on. */
#include "porter.h"

bool
porter_is_proxy(const struct porter *f, const struct peer *p)
{
	return network_has(
	    f->conf.proxies, f->conf.nproxies, p->family, p->address);
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
	return porter_sit_for(l, &p) ? FRAME_OK : FRAME_REJECT;
}
