/* Who is at the other end. */
#include "porter.h"

#include <arpa/inet.h>
#include <stdio.h>

struct peer
porter_peer(const struct sockaddr_storage *a)
{
	const struct sockaddr_in *four = (const struct sockaddr_in *)a;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)a;
	struct peer p = { .family = AF_UNSPEC };

	if (a->ss_family == AF_INET) {
		p.family = AF_INET;
		memcpy(p.address, &four->sin_addr, 4);
	} else if (a->ss_family == AF_INET6 &&
		   IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
		p.family = AF_INET;
		memcpy(p.address, six->sin6_addr.s6_addr + 12, 4);
	} else if (a->ss_family == AF_INET6) {
		p.family = AF_INET6;
		memcpy(p.address, &six->sin6_addr, 16);
	} else if (a->ss_family == AF_UNIX) {
		p.family = AF_UNIX;
	}
	return p;
}

void
porter_peer_text(const struct peer *p, char out[PORTER_PEER])
{
	if (inet_ntop(p->family, p->address, out, PORTER_PEER) == NULL)
		snprintf(out, PORTER_PEER, "local");
}

/* Another process of this machine (RFC 1122 3.2.1.3, RFC 4291 2.5.3). */
bool
porter_is_loopback(const struct peer *p)
{
	static const unsigned char one[16] = { [15] = 1 };

	if (p->family == AF_INET)
		return p->address[0] == 127;
	if (p->family == AF_INET6)
		return memcmp(p->address, one, sizeof one) == 0;
	return p->family == AF_UNIX;
}
