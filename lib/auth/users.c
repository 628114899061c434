/* The user database. */
#include "auth/users.h"

#include "auth/cdbfile.h"
#include "base/num.h"

#include <errno.h>
#include <unistd.h>

/* 1 with the record's value, 0: no such key, -1: no answer. */
static int
fetch(int fd, struct span key, char value[USERS_VALUE], size_t *n)
{
	if (key.n == 0 || key.n >= USERS_ADDRESS)
		return 0;
	return cdbfile_get(fd, key, value, USERS_VALUE - 1, n);
}

static bool
set_field(struct span name, struct span value, struct users_record *out)
{
	uint32_t number;

	if (span_is(name, "uid") || span_is(name, "gid")) {
		if (!num_parse_u32(value, UINT32_MAX - 1, &number))
			return false;
		if (name.p[0] == 'u')
			out->uid = number;
		else
			out->gid = number;
		return true;
	}
	if (span_is(name, "maildir"))
		return span_starts(value, "/") &&
		    span_copy(value, out->maildir, sizeof out->maildir) == 0;
	if (span_is(name, "alias"))
		return value.n > 0 &&
		    span_copy(value, out->alias, sizeof out->alias) == 0;
	if (span_is(name, "quota")) {
		out->has_quota = true;
		return num_parse_quota(value, &out->quota, &out->quota_count);
	}
	return true; /* a later version's */
}

bool
users_parse(struct span value, struct users_record *out)
{
	out->uid = (uid_t)-1;
	out->gid = (gid_t)-1;
	out->maildir[0] = out->alias[0] = '\0';
	out->quota = out->quota_count = 0;
	out->has_quota = false;
	while ((value = span_trim(value)).n > 0) {
		struct span field = span_take(&value, ' ');
		struct span name = span_take(&field, '=');

		if (!set_field(name, field, out))
			return false;
	}
	if (out->alias[0] != '\0')
		out->kind = USERS_ALIAS;
	else if (out->maildir[0] != '\0' && out->uid != (uid_t)-1 &&
	    out->gid != (gid_t)-1)
		out->kind = USERS_MAILBOX;
	else
		return false;
	return true;
}

static enum users_kind
answer(struct users_record *out, enum users_kind kind)
{
	out->kind = kind;
	return kind;
}

enum users_kind
users_get(int fd, struct span key, struct users_record *out)
{
	char value[USERS_VALUE];
	size_t n = 0;
	int r = fetch(fd, key, value, &n);

	if (r == 0)
		return answer(out, USERS_NONE);
	if (r == -1 || span_copy(key, out->key, sizeof out->key) == -1 ||
	    !users_parse(span_of(value, n), out))
		return answer(out, USERS_TEMPFAIL);
	return out->kind;
}

static enum users_kind
is_domain(int fd, struct span domain)
{
	char value[USERS_VALUE];
	size_t n = 0;
	int r = fetch(fd, domain, value, &n);

	if (r == -1)
		return USERS_TEMPFAIL;
	if (r == 0)
		return USERS_FOREIGN;
	/* Any other word would make a domain of ours somebody else's. */
	if (!span_is(span_trim(span_of(value, n)), "domain"))
		return USERS_TEMPFAIL;
	return USERS_NONE;
}

static void
lower(char *s)
{
	for (; *s; s++)
		if (*s >= 'A' && *s <= 'Z')
			*s = (char)(*s - 'A' + 'a');
}

/* address with its sub-address (what follows the first +) left out. */
static struct span
without_detail(struct span address, size_t at, char out[USERS_ADDRESS])
{
	size_t plus = span_find(span_head(address, at), '+');

	if (plus == at || plus == 0)
		return span_of(NULL, 0);
	memcpy(out, address.p, plus);
	memcpy(out + plus, address.p + at, address.n - at);
	return span_of(out, plus + address.n - at);
}

static enum users_kind
find_postmaster(int fd, const char *default_domain, struct users_record *out)
{
	char key[USERS_ADDRESS];

	if (users_login((struct span)SPAN("postmaster"), default_domain,
		key) == -1)
		return answer(out, USERS_NONE);
	return users_get(fd, span_str(key), out);
}

/* The look-up order of users.h, for an address in a domain of ours. */
static enum users_kind
find_local(int fd, struct span address, size_t at, const char *default_domain,
    struct users_record *out)
{
	char shorter[USERS_ADDRESS];
	struct span tries[3] = { address,
		without_detail(address, at, shorter), span_skip(address, at) };

	for (size_t i = 0; i < 3; i++) {
		enum users_kind k = users_get(fd, tries[i], out);

		if (k != USERS_NONE)
			return k;
	}
	if (span_is(span_head(address, at), "postmaster"))
		return find_postmaster(fd, default_domain, out);
	return answer(out, USERS_NONE);
}

enum users_kind
users_find(int fd, struct span address, const char *default_domain,
    struct users_record *out)
{
	char folded[USERS_ADDRESS];
	struct span a;
	enum users_kind k;
	size_t at;

	if (span_copy(address, folded, sizeof folded) == -1)
		return answer(out, USERS_NONE);
	lower(folded);
	if (strcmp(folded, "postmaster") == 0)
		return find_postmaster(fd, default_domain, out);
	a = span_str(folded);
	at = span_rfind(a, '@');
	if (at == 0 || at + 1 >= a.n)
		return answer(out, USERS_NONE);
	k = is_domain(fd, span_skip(a, at + 1));
	if (k != USERS_NONE)
		return answer(out, k);
	return find_local(fd, a, at, default_domain, out);
}

int
users_login(struct span name, const char *default_domain,
    char out[USERS_ADDRESS])
{
	struct span domain = span_str(default_domain);
	bool bare = span_find(name, '@') == name.n;
	size_t n = name.n + (bare ? domain.n + 1 : 0);

	if (name.n == 0 || n >= USERS_ADDRESS)
		goto bad;
	for (size_t i = 0; i < name.n; i++)
		if (span_at(name, i) <= 0x20 || span_at(name, i) == 0x7f ||
		    name.p[i] == '/')
			goto bad;
	memcpy(out, name.p, name.n);
	if (bare) {
		out[name.n] = '@';
		memcpy(out + name.n + 1, domain.p, domain.n);
	}
	out[n] = '\0';
	lower(out);
	return 0;
bad:
	out[0] = '\0';
	errno = EINVAL;
	return -1;
}

int
users_maildir(const struct conf *c, const struct users_record *u,
    char out[PATH_MAX])
{
	struct span rest = span_str(u->maildir + 1);

	errno = EINVAL;
	while (rest.n > 0)
		if (span_is(span_take(&rest, '/'), ".."))
			return -1;
	return conf_path(c, u->maildir + 1, out);
}

bool
users_quota(const struct conf *c, const struct users_record *u,
    uint64_t *bytes, uint64_t *count)
{
	*bytes = u->has_quota ? u->quota : c->quota;
	*count = u->has_quota ? u->quota_count : c->quota_count;
	return u->has_quota || c->has_quota;
}
