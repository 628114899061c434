/* Extended attributes: fields and facts of a message as user.mail.NAME. */
#include "fs.h"

#include <errno.h>

enum {
	VALUE = 4096 /* bytes of one; a longer one is cut */
};

static const char prefix[] = "user.mail.";

/* Fields that are worth an attribute: all have one line. */
static const enum show_file shown[] = { SHOW_FROM, SHOW_TO, SHOW_CC,
	SHOW_SUBJECT, SHOW_DATE, SHOW_MESSAGEID };

static bool
has(const struct node *n)
{
	return n->kind >= NODE_TEXT && n->kind <= NODE_MESSAGE;
}

static bool
is_shown(enum show_file f)
{
	for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
		if (shown[i] == f)
			return true;
	return false;
}

static int
add_fact(struct fs *fs, uint64_t id, enum fact f, struct buf *out)
{
	struct where w;

	if (tree_find(&fs->tree, id, &w) == 1)
		return fact_add(fs, &w, f, out);
	errno = ENOENT;
	return -1;
}

static int
add_field(struct fs *fs, uint64_t id, enum show_file f, struct buf *out)
{
	struct node n = { .kind = NODE_FILE, .id = id, .file = f };
	const struct content *c = content_get(fs, &n);
	struct span value;

	if (c == NULL)
		return -1;
	value = span_trim(buf_span(&c->bytes));
	return buf_add_span(out, span_head(value, VALUE));
}

int
xattr_get(
    struct fs *fs, const struct node *n, struct span name, struct buf *out)
{
	enum show_file file;
	enum fact fact;

	/*
	 * ENOSYS would end all attributes for the mount, and ENODATA makes
	 * `ls -l' ask for each file again; EOPNOTSUPP makes it stop asking.
	 */
	errno = span_starts(name, "user.") ? ENODATA : EOPNOTSUPP;
	if (!has(n) || !span_starts(name, prefix))
		return -1;
	name = span_skip(name, sizeof prefix - 1);
	if (fact_find(name, &fact))
		return add_fact(fs, n->id, fact, out);
	if (show_file_find(name, &file) && is_shown(file))
		return add_field(fs, n->id, file, out);
	return -1;
}

static int
add_name(struct buf *out, const char *name)
{
	if (buf_add_str(out, prefix) == -1 || buf_add_str(out, name) == -1)
		return -1;
	return buf_add_byte(out, '\0');
}

int
xattr_list(const struct node *n, struct buf *out)
{
	if (!has(n))
		return 0;
	for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
		if (add_name(out, show_file_name(shown[i])) == -1)
			return -1;
	for (int f = 0; f < FACTS; f++)
		if (add_name(out, fact_name((enum fact)f)) == -1)
			return -1;
	return 0;
}
