/* Patterns of LIST and LSUB. */
#include "match.h"

struct point {
	size_t pattern, name; /* where to go on after the wildcard */
	bool set;
};

/*
 * The wildcard takes one byte more and the rest is tried again.  Only the
 * last "*", and the last "%" behind it, need be gone back to: an earlier
 * one that took more would leave less to match, never more.
 */
static bool
again(struct point *w, bool level, struct span name, size_t *i, size_t *j)
{
	if (!w->set || w->name >= name.n || (level && name.p[w->name] == '/'))
		return false;
	w->name++;
	*i = w->pattern;
	*j = w->name;
	return true;
}

bool
match_name(struct span pattern, struct span name)
{
	struct point star = { 0 }, percent = { 0 };
	size_t i = 0, j = 0;

	while (i < pattern.n || j < name.n) {
		int c = span_at(pattern, i);

		if (c == '*') {
			star = (struct point){ ++i, j, true };
			percent.set = false;
		} else if (c == '%') {
			percent = (struct point){ ++i, j, true };
		} else if (c != -1 && c == span_at(name, j)) {
			i++;
			j++;
		} else if (!again(&percent, true, name, &i, &j)) {
			percent.set = false;
			if (!again(&star, false, name, &i, &j))
				return false;
		}
	}
	return true;
}
