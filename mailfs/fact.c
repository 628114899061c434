/* What the mailbox knows of a message. */
#include "fs.h"

static const char *const names[FACTS] = {
	[FACT_FLAGS] = "flags",
	[FACT_ID] = "id",
	[FACT_MAILBOX] = "mailbox",
	[FACT_MODSEQ] = "modseq",
	[FACT_TAGS] = "tags",
	[FACT_UID] = "uid",
	[FACT_UNIXDATE] = "unixdate",
};

static const struct {
	unsigned flag;
	const char *word;
} words[] = {
	{ FLAG_SEEN, "seen" },
	{ FLAG_FLAGGED, "flagged" },
	{ FLAG_ANSWERED, "answered" },
	{ FLAG_DRAFT, "draft" },
	{ FLAG_DELETED, "deleted" },
	{ FLAG_PASSED, "forwarded" },
};

const char *
fact_name(enum fact f)
{
	return names[f];
}

bool
fact_find(struct span name, enum fact *f)
{
	for (size_t i = 0; i < FACTS; i++) {
		if (!span_is(name, names[i]))
			continue;
		*f = (enum fact)i;
		return true;
	}
	return false;
}

static int
add_word(struct buf *out, size_t start, const char *word)
{
	if (out->n > start && buf_add_byte(out, ' ') == -1)
		return -1;
	return buf_add_str(out, word);
}

static int
add_tags(const struct mailbox *box, const struct message *m, struct buf *out,
    size_t start)
{
	for (size_t i = 0; i < box->nkeywords && i < MAILBOX_KEYWORDS; i++)
		if (m->keywords >> i & 1 &&
		    add_word(out, start, box->keyword[i]) == -1)
			return -1;
	return 0;
}

static int
add_flags(const struct mailbox *box, const struct message *m, struct buf *out)
{
	size_t start = out->n;

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (m->flags & words[i].flag &&
		    add_word(out, start, words[i].word) == -1)
			return -1;
	return add_tags(box, m, out, start);
}

static int
add_id(uint64_t id, struct buf *out)
{
	char text[NAMES_ID + 1];

	names_id(id, text);
	return buf_add_str(out, text);
}

static int
add_fact(const struct folder *f, const struct where *w, enum fact fact,
    struct buf *out)
{
	switch (fact) {
	case FACT_FLAGS:
		return add_flags(f->box, w->m, out);
	case FACT_ID:
		return add_id(w->e->id, out);
	case FACT_MAILBOX:
		return buf_add_str(out, f->path);
	case FACT_MODSEQ:
		return buf_add_u64(out, w->m->modseq);
	case FACT_TAGS:
		return add_tags(f->box, w->m, out, out->n);
	case FACT_UID:
		return buf_add_u64(out, w->m->uid);
	case FACT_UNIXDATE:
		return buf_addf(out, "%lld", (long long)w->m->date);
	case FACTS:
		break;
	}
	return -1;
}

int
fact_add(
    const struct fs *fs, const struct where *w, enum fact f, struct buf *out)
{
	return add_fact(tree_folder(&fs->tree, w->folder), w, f, out);
}
