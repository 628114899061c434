/* postern-adopt: what there is in an account besides mailboxes that show. */
#include "adopt.h"
#include "base/io.h"
#include "names.h"

#include "base/err.h"
#include "base/num.h"
#include "store/folder.h"
#include "store/lock.h"
#include "text/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	LEFT_ALONE = 16384 /* bytes of the names that are printed */
};

/* --- names that others wrote in another way */

/* `\2e' as Dovecot's listescape writes a dot: 1, 0 it is none. */
static bool
take_escape(struct span *s, char *c)
{
	static const char digits[] = "0123456789abcdef";
	const char *high, *low;

	if (s->n < 3 || s->p[0] != '\\' || s->p[1] == '\0' || s->p[2] == '\0')
		return false;
	high = strchr(digits, s->p[1]);
	low = strchr(digits, s->p[2]);
	if (high == NULL || low == NULL)
		return false;
	*c = (char)((high - digits) * 16 + (low - digits));
	*s = span_skip(*s, 3);
	return *c != '\0';
}

/* False where there was nothing to undo, or the name is none of ours. */
static bool
unescape(const char *shown, char name[MAILBOX_NAME])
{
	struct span s = span_str(shown);
	size_t n = 0;
	bool any = false;

	while (s.n > 0) {
		char c;

		if (take_escape(&s, &c)) {
			any = true;
			/* In a name of ours it can only part levels. */
			if (c == '/')
				return false;
		} else {
			c = s.p[0];
			s = span_skip(s, 1);
		}
		name[n++] = c;
	}
	name[n] = '\0';
	return any;
}

/* UTF-8 as it is, as Courier 5 and Dovecot's `UTF-8' keep it, or ASCII with
 * an & that only means itself. */
static bool
unencoded(const char *folder, char name[MAILBOX_NAME])
{
	if (!utf8_valid(span_str(folder)) ||
	    span_copy(span_str(folder + 1), name, MAILBOX_NAME) == -1)
		return false;
	for (size_t i = 0; name[i]; i++)
		if (name[i] == '.')
			name[i] = '/';
	return true;
}

/* --- one folder */

struct foreign {
	const char *folder; /* on disk */
	bool shows;         /* under a name of its own, not its bytes */
	char shown[MAILBOX_NAME], meant[MAILBOX_NAME];
	char target[MAILBOX_NAME * 3]; /* where it should be, or "" */
};

/* True where there is something to say about the folder's name. */
static bool
look_at_name(const char *folder, struct foreign *f)
{
	bool differs;

	*f = (struct foreign){ .folder = folder };
	f->shows = account_name(span_str(folder), f->shown) &&
		   !account_is_raw(span_str(f->shown));
	differs = f->shows ? unescape(f->shown, f->meant)
			   : unencoded(folder, f->meant);
	if (differs && account_folder(span_str(f->meant), f->target) == -1)
		f->target[0] = '\0';
	if (strcmp(f->target, ".") == 0)
		f->target[0] = '\0';
	return differs || !f->shows;
}

static void
tell(struct job *j, const struct foreign *f, const char *fmt_end)
{
	char text[ADOPT_NOTE], meant[MAILBOX_NAME];

	print_name(span_str(f->meant), meant, sizeof meant);
	if (f->shows)
		snprintf(text, sizeof text,
		    "shows as \"%.100s\"; Dovecot's listescape meant "
		    "\"%.100s\"%s",
		    f->shown, meant, fmt_end);
	else if (f->target[0])
		snprintf(text, sizeof text,
		    "\"%.150s\" shows as \"%.100s\": its name on disk is not "
		    "in modified UTF-7%s",
		    meant, f->shown, fmt_end);
	else
		snprintf(text, sizeof text,
		    "shows as \"%.100s\": no mailbox can have this name%s",
		    f->shown, fmt_end);
	print_folder(j, f->folder, text);
}

static int
is_subscribed(struct job *j, const char *name)
{
	struct account_list l;
	bool is = false;

	if (account_subscriptions(&j->a, &l) == -1)
		return -1;
	for (size_t i = 0; i < l.n; i++)
		is |= strcmp(l.name[i], name) == 0;
	account_list_free(&l);
	return is;
}

static int
move_folder(struct job *j, const struct foreign *f)
{
	int lock = lock_account(j->a.dir), r;

	if (lock == -1)
		return -1;
	r = durable_move(j->a.dir, f->folder, j->a.dir, f->target);
	if (r == 0)
		r = durable_sync(j->a.dir);
	io_close(lock);
	return r;
}

/* The subscription goes with the name; who dies half-way leaves one too many.
 */
static int
rename_folder(struct job *j, const struct foreign *f)
{
	int was = f->shows ? is_subscribed(j, f->shown) : 0;

	if (was == -1)
		return -1;
	if (was && account_exists(&j->a, span_str(f->meant)) == 1) {
		errno = EEXIST;
		return -1;
	}
	if (was && account_subscribe(&j->a, span_str(f->meant), true) == -1)
		return -1;
	if (move_folder(j, f) == -1)
		return -1;
	return was ? account_subscribe(&j->a, span_str(f->shown), false) : 0;
}

static int
mend_name(struct job *j, const struct foreign *f)
{
	char text[MAILBOX_NAME * 3 + 64];

	if (f->target[0] && j->rename && !j->dry) {
		if (rename_folder(j, f) == 0) {
			snprintf(text, sizeof text, ": renamed to %.100s",
			    f->target);
			tell(j, f, text);
			return 0;
		}
		if (errno != EEXIST)
			return -1;
		snprintf(
		    text, sizeof text, ": %.100s is there already", f->target);
	} else if (f->target[0]) {
		snprintf(text, sizeof text,
		    j->rename ? ": would be renamed to %.100s"
			      : "; --rename makes it %.100s",
		    f->target);
	} else {
		text[0] = '\0';
	}
	tell(j, f, text);
	if (j->code == 0 && !(j->rename && f->target[0]))
		j->code = EXIT_NO;
	return 0;
}

static void
unseen(struct job *j, const char *folder, const char *text)
{
	print_folder(j, folder, text);
	if (j->code == 0)
		j->code = EXIT_NO;
}

/* Folders without messages are none that could be missed. */
static int
look_at_folder(struct job *j, const char *folder)
{
	struct foreign f;
	int fd;

	if (folder[0] != '.' || !names_below(j->a.dir, folder, "cur"))
		return 0;
	if (!names_folder(j->a.dir, folder)) {
		unseen(j, folder, "does not show: it is a symbolic link");
		return 0;
	}
	fd = folder_open(j->a.dir, folder);
	if (fd == -1 && errno == EACCES) {
		unseen(j, folder, "does not show: it may not be opened");
		return 0;
	}
	if (fd == -1)
		return -1;
	close(fd);
	return look_at_name(folder, &f) ? mend_name(j, &f) : 0;
}

int
adopt_folders(struct job *j)
{
	struct names l;
	int r = names_read(j->a.dir, &l);

	for (size_t i = 0; r == 0 && i < l.n; i++)
		r = look_at_folder(j, l.name[i]);
	names_free(&l);
	return r;
}

/* --- what is left */

static bool
is_ours_to_read(const char *name)
{
	static const char *const known[] = { "cur", "new", "tmp",
		"subscriptions", "courierimapsubscribed", "dovecot-uidlist",
		"dovecot-keywords", "courierimapuiddb", "courierimapkeywords",
		"courierpop3dsizelist", "maildirsize", "maildirfolder" };

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(name, known[i]) == 0)
			return true;
	return strncmp(name, "postern.", 8) == 0 ||
	       strncmp(name, ".postern", 8) == 0;
}

static bool
is_folder_of_mail(int dir, const char *name)
{
	return name[0] == '.' && names_below(dir, name, "cur");
}

static int
print_left_alone(struct job *j)
{
	struct buf text = buf_new(LEFT_ALONE);
	struct names l;
	int r = names_read(j->a.dir, &l);

	for (size_t i = 0; r == 0 && i < l.n; i++) {
		char name[NAME_MAX * 4 + 1];

		if (is_ours_to_read(l.name[i]) ||
		    is_folder_of_mail(j->a.dir, l.name[i]))
			continue;
		print_name(span_str(l.name[i]), name, sizeof name);
		buf_addf(&text, "%s%s", text.n ? " " : "", name);
	}
	names_free(&l);
	if (text.full) {
		/* So many that nobody reads them all. */
		buf_reset(&text);
		buf_add_str(&text, "many files");
	}
	if (text.n > 0)
		print_fact(j, "left_alone", buf_cstr(&text));
	buf_free(&text);
	return r;
}

int
adopt_rest(struct job *j)
{
	struct account_list l;
	size_t there = 0;

	if (account_subscriptions(&j->a, &l) == -1)
		return -1;
	for (size_t i = 0; i < l.n; i++)
		there += account_exists(&j->a, span_str(l.name[i])) == 1;
	print_subscriptions(j, l.n, l.n - there, l.skipped);
	if (l.skipped > 0 && j->code == 0)
		j->code = EXIT_NO;
	account_list_free(&l);
	return print_left_alone(j);
}
