/* postern-adopt: is it a Maildir++, or mail in another form? */
#include "adopt.h"
#include "names.h"

#include "store/folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum {
	DEPTH = 8, /* of plain folders that are looked into */
	EXAMPLE = 128
};

/* Maildirs in plain folders, as LAYOUT=fs has them. */
struct plain {
	size_t n, used; /* how many; and those that a server had in use */
	char example[EXAMPLE];
};

static bool
is_part_of_maildir(const char *name)
{
	static const char *const known[] = { "cur", "new", "tmp",
		"courierimapkeywords", "courierimaphieracl" };

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(name, known[i]) == 0)
			return true;
	return name[0] == '.';
}

static void look_for_plain(
    int dir, const char *above, size_t depth, struct plain *p);

static void
look_into(
    int dir, const char *above, const char *name, size_t depth, struct plain *p)
{
	int fd = folder_open(dir, name);
	char whole[EXAMPLE];

	if (fd == -1)
		return;
	snprintf(whole, sizeof whole, "%s%s%s", above, *above ? "/" : "", name);
	if (names_folder(fd, "cur")) {
		if (p->n++ == 0)
			print_name(span_str(whole), p->example, EXAMPLE);
		p->used += names_below(fd, ".", "dovecot-uidlist");
	}
	if (depth < DEPTH)
		look_for_plain(fd, whole, depth + 1, p);
	close(fd);
}

static void
look_for_plain(int dir, const char *above, size_t depth, struct plain *p)
{
	struct names l;

	if (names_read(dir, &l) == 0)
		for (size_t i = 0; i < l.n; i++)
			if (!is_part_of_maildir(l.name[i]))
				look_into(dir, above, l.name[i], depth, p);
	names_free(&l);
}

static bool
has_dotted(int dir)
{
	struct names l;
	bool found = false;

	if (names_read(dir, &l) == 0)
		for (size_t i = 0; i < l.n && !found; i++)
			found = l.name[i][0] == '.' &&
				names_below(dir, l.name[i], "cur");
	names_free(&l);
	return found;
}

static bool
is_mbox(int dir, const char *name)
{
	struct stat st;
	char start[5];
	int fd = folder_file(dir, name, &st);
	bool is;

	if (fd == -1)
		return false;
	is = read(fd, start, sizeof start) == (ssize_t)sizeof start &&
	     memcmp(start, "From ", sizeof start) == 0;
	close(fd);
	return is;
}

static bool
has_mbox(int dir)
{
	struct names l;
	bool found = names_folder(dir, ".imap");

	if (names_read(dir, &l) == 0)
		for (size_t i = 0; i < l.n && !found; i++)
			found = is_mbox(dir, l.name[i]);
	names_free(&l);
	return found;
}

/* What it is if it has no cur. */
static const char *
foreign(int dir)
{
	if (names_folder(dir, "mailboxes") && names_folder(dir, "storage"))
		return "this is Dovecot's mdbox, not a Maildir; to convert it "
		       "while Dovecot runs: "
		       "doveadm backup -u USER maildir:NEWDIR";
	if (names_folder(dir, "mailboxes"))
		return "this is Dovecot's sdbox, not a Maildir; to convert it "
		       "while Dovecot runs: "
		       "doveadm backup -u USER maildir:NEWDIR";
	if (has_dotted(dir))
		return "folders, but no INBOX (no cur, new and tmp): where "
		       "mail_location says INBOX=, that Maildir is to be moved "
		       "here; else make the three";
	if (names_below(dir, "Maildir", "cur"))
		return "not a Maildir, but Maildir in it is one: adopt that";
	if (has_mbox(dir))
		return "these are mbox files, not a Maildir; to convert them "
		       "while Dovecot runs: "
		       "doveadm backup -u USER maildir:NEWDIR; to import "
		       "them: postern mailbox import";
	return NULL;
}

bool
adopt_layout(int dir, char why[ADOPT_NOTE])
{
	struct plain p = { 0 };
	const char *text;

	if (!names_folder(dir, "cur") && (text = foreign(dir)) != NULL) {
		snprintf(why, ADOPT_NOTE, "%s", text);
		return false;
	}
	look_for_plain(dir, "", 0, &p);
	if (p.used > 0 || (p.n > 0 && !has_dotted(dir))) {
		snprintf(why, ADOPT_NOTE,
		    "%zu mailboxes in plain folders (%s): Dovecot's LAYOUT=fs, "
		    "not a Maildir++; to convert it while Dovecot runs: "
		    "doveadm backup -u USER maildir:NEWDIR",
		    p.n, p.example);
		return false;
	}
	if (!names_folder(dir, "cur")) {
		snprintf(why, ADOPT_NOTE, "not a Maildir");
		return false;
	}
	why[0] = '\0';
	if (p.n > 0)
		snprintf(why, ADOPT_NOTE,
		    "%zu Maildirs in plain folders (%s): not mailboxes of "
		    "this account",
		    p.n, p.example);
	return true;
}
