/* Mail exchangers and addresses. */
#include "net/dns.h"

#include "base/buf.h"
#include "base/num.h"
#include "net/smtp-path.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <sys/random.h>

enum {
	DNS_PORT = 53,
	DNS_WAIT_S = 5, /* for one server's answer */
	DNS_TRIES = 2   /* rounds over the servers */
};

static int
use_server(struct dns *d, const char *server)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct span port = span_str(server);
	struct span address = span_take(&port, '@');
	char text[INET_ADDRSTRLEN];
	uint32_t number = DNS_PORT;

	if (span_copy(address, text, sizeof text) == -1 ||
	    inet_pton(AF_INET, text, &a.sin_addr) != 1 ||
	    (address.n < strlen(server) &&
		!num_parse_u32(port, 65535, &number))) {
		errno = EINVAL;
		return -1;
	}
	a.sin_port = htons((uint16_t)number);
	d->state.nsaddr_list[0] = a;
	d->state.nscount = 1;
	return 0;
}

int
dns_init(struct dns *d, const char *server)
{
	memset(d, 0, sizeof *d);
	if (res_ninit(&d->state) == -1) {
		errno = EIO;
		return -1;
	}
	d->state.retrans = DNS_WAIT_S;
	d->state.retry = DNS_TRIES;
	d->state.options |= RES_USE_EDNS0;
	return server ? use_server(d, server) : 0;
}

static bool
is_host(const char *name)
{
	return smtp_is_domain(span_str(name));
}

/* Sorted by preference; where two are equal, chance says who is first. */
static void
add_mx(struct dns_mx mx[DNS_MX], size_t *n, const struct dns_mx *new)
{
	unsigned char coin = 0;
	size_t at = 0;

	/* Without random bytes the order of the answer stays. */
	(void)!getrandom(&coin, 1, GRND_NONBLOCK);
	while (at < *n && (mx[at].preference < new->preference ||
			      (mx[at].preference == new->preference &&
				  (coin >> (at % 8) & 1))))
		at++;
	if (at == DNS_MX)
		return;
	if (*n < DNS_MX)
		(*n)++;
	memmove(mx + at + 1, mx + at, (*n - at - 1) * sizeof *mx);
	mx[at] = *new;
}

/* 1: a host; 0: the root, which takes no mail; -1: nothing usable. */
static int
read_mx(ns_msg *m, const ns_rr *rr, struct dns_mx *mx)
{
	const unsigned char *data = ns_rr_rdata(*rr);
	int n;

	/* Two bytes of preference and at least one of a name. */
	if (ns_rr_class(*rr) != ns_c_in || ns_rr_rdlen(*rr) < 3)
		return -1;
	mx->preference = (uint16_t)(data[0] << 8 | data[1]);
	n = dn_expand(ns_msg_base(*m), ns_msg_end(*m), data + 2, mx->name,
	    sizeof mx->name);
	if (n == -1 || n + 2 > ns_rr_rdlen(*rr))
		return -1;
	if (mx->name[0] == '\0')
		return 0;
	return is_host(mx->name) ? 1 : -1;
}

enum dns_result
dns_parse_mx(const unsigned char *answer, size_t size, struct dns_mx mx[DNS_MX],
    size_t *n)
{
	bool has_null = false, has_bad = false;
	ns_msg m;

	if (size > DNS_ANSWER || ns_initparse(answer, (int)size, &m) == -1)
		return DNS_TEMPFAIL;
	for (int i = 0; i < ns_msg_count(m, ns_s_an); i++) {
		struct dns_mx one;
		ns_rr rr;
		int r;

		if (ns_parserr(&m, ns_s_an, i, &rr) == -1)
			return DNS_TEMPFAIL;
		if (ns_rr_type(rr) != ns_t_mx)
			continue;
		r = read_mx(&m, &rr, &one);
		if (r == 1)
			add_mx(mx, n, &one);
		has_null |= r == 0;
		has_bad |= r == -1;
	}
	if (*n > 0)
		return DNS_OK;
	if (has_bad)
		return DNS_TEMPFAIL;
	return has_null ? DNS_NULL_MX : DNS_NONE;
}

static void
add_address(struct sockaddr_storage *to, const unsigned char *data, int type,
    uint16_t port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6,
		.sin6_port = htons(port) };
	struct sockaddr_in four = { .sin_family = AF_INET,
		.sin_port = htons(port) };

	memset(to, 0, sizeof *to);
	if (type == ns_t_a) {
		memcpy(&four.sin_addr, data, sizeof four.sin_addr);
		memcpy(to, &four, sizeof four);
	} else {
		memcpy(&six.sin6_addr, data, sizeof six.sin6_addr);
		memcpy(to, &six, sizeof six);
	}
}

enum dns_result
dns_parse_addresses(const unsigned char *answer, size_t size, int type,
    uint16_t port, struct sockaddr_storage *out, size_t max, size_t *n)
{
	size_t length = type == ns_t_a ? 4 : 16, before = *n;
	ns_msg m;

	if (size > DNS_ANSWER || ns_initparse(answer, (int)size, &m) == -1)
		return DNS_TEMPFAIL;
	for (int i = 0; i < ns_msg_count(m, ns_s_an) && *n < max; i++) {
		ns_rr rr;

		if (ns_parserr(&m, ns_s_an, i, &rr) == -1)
			return DNS_TEMPFAIL;
		if ((int)ns_rr_type(rr) == type && ns_rr_rdlen(rr) == length)
			add_address(&out[(*n)++], ns_rr_rdata(rr), type, port);
	}
	return *n > before ? DNS_OK : DNS_NONE;
}

/*
 * Asks for one type.  DNS_OK: there is an answer in *answer.  *exists says,
 * with DNS_NONE, that the name has other records.
 */
static enum dns_result
ask(struct dns *d, const char *name, int type, struct buf *answer, bool *exists)
{
	unsigned char *room = (unsigned char *)buf_room(answer, DNS_ANSWER);
	int n;

	*exists = false;
	if (room == NULL)
		return DNS_TEMPFAIL;
	n = res_nquery(&d->state, name, ns_c_in, type, room, DNS_ANSWER);
	if (n <= 0 && d->state.res_h_errno == NO_RECOVERY &&
	    d->state.options & RES_USE_EDNS0) {
		/* A server that knows no EDNS0: RFC 6891 7. */
		d->state.options &= ~(unsigned long)RES_USE_EDNS0;
		n = res_nquery(
		    &d->state, name, ns_c_in, type, room, DNS_ANSWER);
	}
	if (n > 0) {
		*exists = true;
		answer->n = n < DNS_ANSWER ? (size_t)n : DNS_ANSWER;
		return DNS_OK;
	}
	*exists = d->state.res_h_errno == NO_DATA;
	if (*exists || d->state.res_h_errno == HOST_NOT_FOUND)
		return DNS_NONE;
	return DNS_TEMPFAIL;
}

enum dns_result
dns_mx(struct dns *d, struct span domain, struct dns_mx mx[DNS_MX], size_t *n)
{
	struct buf answer = buf_new(DNS_ANSWER + 1);
	enum dns_result r;
	char name[DNS_NAME];
	bool exists;

	*n = 0;
	if (!smtp_is_domain(domain) ||
	    span_copy(domain, name, sizeof name) == -1)
		return DNS_NONE;
	r = ask(d, name, ns_t_mx, &answer, &exists);
	if (r == DNS_OK)
		r = dns_parse_mx(
		    (const unsigned char *)answer.p, answer.n, mx, n);
	buf_free(&answer);
	if (r != DNS_NONE || !exists)
		return r;
	/* RFC 5321 5.1: no MX means that the domain is its own. */
	mx[0].preference = 0;
	memcpy(mx[0].name, name, sizeof name);
	*n = 1;
	return DNS_OK;
}

/* An address as text. */
static bool
numeric(const char *host, uint16_t port, struct sockaddr_storage *out)
{
	unsigned char a[sizeof(struct in6_addr)];

	if (inet_pton(AF_INET, host, a) == 1)
		add_address(out, a, ns_t_a, port);
	else if (inet_pton(AF_INET6, host, a) == 1)
		add_address(out, a, ns_t_aaaa, port);
	else
		return false;
	return true;
}

static enum dns_result
look_up(struct dns *d, const char *host, int type, uint16_t port,
    struct sockaddr_storage *out, size_t max, size_t *n)
{
	struct buf answer = buf_new(DNS_ANSWER + 1);
	bool exists;
	enum dns_result r = ask(d, host, type, &answer, &exists);

	if (r == DNS_OK)
		r = dns_parse_addresses((const unsigned char *)answer.p,
		    answer.n, type, port, out, max, n);
	buf_free(&answer);
	return r;
}

enum dns_result
dns_addresses(struct dns *d, const char *host, uint16_t port,
    struct sockaddr_storage *out, size_t max, size_t *n)
{
	enum dns_result four, six;

	*n = 0;
	if (max == 0)
		return DNS_NONE;
	if (numeric(host, port, out)) {
		*n = 1;
		return DNS_OK;
	}
	if (span_is_nocase(span_str(host), "localhost")) {
		(void)numeric("127.0.0.1", port, &out[(*n)++]);
		if (max > 1)
			(void)numeric("::1", port, &out[(*n)++]);
		return DNS_OK;
	}
	if (!is_host(host))
		return DNS_NONE;
	four = look_up(d, host, ns_t_a, port, out, max, n);
	six = look_up(d, host, ns_t_aaaa, port, out, max, n);
	if (*n > 0)
		return DNS_OK;
	return four == DNS_NONE && six == DNS_NONE ? DNS_NONE : DNS_TEMPFAIL;
}
