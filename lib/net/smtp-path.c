/* Addresses of SMTP commands. */
#include "net/smtp-path.h"

#include <arpa/inet.h>

static bool
is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static bool
is_let_dig(int c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* RFC 5322 3.2.3 */
static bool
is_atext(int c)
{
	return is_let_dig(c) || (c > ' ' && c < 0x7f &&
				    strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Length of the Dot-string at the front, 0 if there is none. */
static size_t
dot_string(struct span s)
{
	size_t n = 0;

	for (;;) {
		if (!is_atext(span_at(s, n)))
			return 0;
		while (is_atext(span_at(s, n)))
			n++;
		if (span_at(s, n) != '.')
			return n;
		n++;
	}
}

/* Length of the Quoted-string at the front, 0 if there is none. */
static size_t
quoted_string(struct span s)
{
	size_t n = 1;

	if (span_at(s, 0) != '"')
		return 0;
	for (; n < s.n; n++) {
		int c = span_at(s, n);

		if (c == '"')
			return n + 1;
		if (c == '\\')
			c = span_at(s, ++n);
		if (c < ' ' || c > '~')
			return 0;
	}
	return 0;
}

bool
smtp_is_domain(struct span s)
{
	size_t label = 0;

	for (size_t i = 0; i < s.n; i++) {
		int c = span_at(s, i);

		if (c == '.' && label > 0 && span_at(s, i - 1) != '-') {
			label = 0;
			continue;
		}
		if (!is_let_dig(c) && (c != '-' || label == 0))
			return false;
		if (++label > SMTP_LABEL)
			return false;
	}
	return label > 0 && span_at(s, s.n - 1) != '-';
}

/* RFC 5321 4.1.3, without the general form, which nobody registered. */
static bool
is_literal(struct span s)
{
	unsigned char address[sizeof(struct in6_addr)];
	char text[INET6_ADDRSTRLEN];
	bool six;

	if (s.n < 2 || s.p[0] != '[' || s.p[s.n - 1] != ']')
		return false;
	s = span_skip(span_head(s, s.n - 1), 1);
	six = span_starts_nocase(s, "IPv6:");
	if (span_copy(six ? span_skip(s, 5) : s, text, sizeof text) == -1)
		return false;
	return inet_pton(six ? AF_INET6 : AF_INET, text, address) == 1;
}

/* Length of what can only be a domain or a literal: up to ">" or a blank. */
static size_t
domain_length(struct span s)
{
	size_t n = 0;

	while (is_let_dig(span_at(s, n)) ||
	       (n < s.n && s.p[n] != '\0' && strchr("-.:[]", s.p[n])))
		n++;
	return n;
}

/* Local-part "@" ( Domain / address-literal ) from the front. */
static bool
take_mailbox(struct span *rest, struct smtp_path *p)
{
	size_t n =
	    span_at(*rest, 0) == '"' ? quoted_string(*rest) : dot_string(*rest);

	if (n == 0 || span_is(span_head(*rest, n), "\"\""))
		return false;
	p->local = span_head(*rest, n);
	*rest = span_skip(*rest, n);
	if (span_at(*rest, 0) != '@')
		return span_is_nocase(p->local, "postmaster");
	*rest = span_skip(*rest, 1);
	p->domain = span_head(*rest, domain_length(*rest));
	*rest = span_skip(*rest, p->domain.n);
	p->literal = is_literal(p->domain);
	return p->literal || smtp_is_domain(p->domain);
}

/* @one,@two: */
static bool
skip_route(struct span *rest)
{
	while (span_at(*rest, 0) == '@') {
		struct span hop;
		int c;

		*rest = span_skip(*rest, 1);
		hop = *rest;
		while (is_let_dig(span_at(*rest, 0)) ||
		       span_at(*rest, 0) == '-' || span_at(*rest, 0) == '.')
			*rest = span_skip(*rest, 1);
		if (!smtp_is_domain(span_head(hop, hop.n - rest->n)))
			return false;
		c = span_at(*rest, 0);
		*rest = span_skip(*rest, 1);
		if (c == ':')
			return true;
		if (c != ',' || span_at(*rest, 0) != '@')
			return false;
	}
	return true;
}

bool
smtp_path_take(struct span *rest, struct smtp_path *p)
{
	size_t before = rest->n;

	*p = (struct smtp_path){ .literal = false };
	if (span_at(*rest, 0) != '<')
		return false;
	*rest = span_skip(*rest, 1);
	if (span_at(*rest, 0) != '>') {
		if (!skip_route(rest) || !take_mailbox(rest, p))
			return false;
		if (span_at(*rest, 0) != '>')
			return false;
	}
	*rest = span_skip(*rest, 1);
	return before - rest->n <= SMTP_PATH;
}

bool
smtp_mailbox(struct span s, struct smtp_path *p)
{
	*p = (struct smtp_path){ .literal = false };
	return s.n + 2 <= SMTP_PATH && take_mailbox(&s, p) && s.n == 0 &&
	       p->domain.n > 0;
}

/* The quoted string without quotes and backslashes; it never grows. */
static struct span
unquote(struct span s, char *out)
{
	size_t n = 0;

	for (size_t i = 1; i + 1 < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		out[n++] = s.p[i];
	}
	return span_of(out, n);
}

/* Quotes again, with no more backslashes than needed. */
static size_t
quote(struct span s, char *out)
{
	size_t n = 0;

	out[n++] = '"';
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			out[n++] = '\\';
		out[n++] = s.p[i];
	}
	out[n++] = '"';
	return n;
}

void
smtp_path_text(const struct smtp_path *p, char out[SMTP_ADDRESS])
{
	char plain[SMTP_PATH];
	struct span local = p->local;
	size_t n = 0;

	if (span_at(local, 0) == '"') {
		local = unquote(local, plain);
		if (dot_string(local) != local.n)
			n = quote(local, out);
	}
	if (n == 0 && local.n > 0) {
		memcpy(out, local.p, local.n);
		n = local.n;
	}
	if (p->domain.n > 0)
		out[n++] = '@';
	for (size_t i = 0; i < p->domain.n; i++) {
		char c = p->domain.p[i];

		out[n++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
	}
	out[n] = '\0';
}

static int
hex(int c)
{
	if (is_digit(c))
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool
smtp_xtext(struct span s, char *out, size_t size, size_t *n)
{
	*n = 0;
	for (size_t i = 0; i < s.n; i++) {
		int c = span_at(s, i);

		if (c == '+') {
			int high = hex(span_at(s, i + 1));
			int low = hex(span_at(s, i + 2));

			if (high == -1 || low == -1)
				return false;
			c = high * 16 + low;
			i += 2;
		} else if (c == '=') {
			return false;
		}
		if (c <= ' ' || c > '~' || *n == size)
			return false;
		out[(*n)++] = (char)c;
	}
	return true;
}
