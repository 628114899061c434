/*
 * postern-user: mailboxes and their passwords.
 *
 * Reads:   etc/postern/users and secrets; a password from the terminal
 *          (twice, unseen) or as the first line of standard input
 * Writes:  these, users.cdb, secrets.cdb; makes the Maildir
 * Runs as: the caller, who must own these files; root, to give mailboxes
 *          uids of their own
 * Exits:   0 done, 1 the answer is no, 100 misuse, 111 try again
 */
#include "common.h"
#include "home.h"

#include "auth/secrets.h"
#include "base/err.h"
#include "base/in.h"
#include "base/num.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

enum {
	FIRST_UID = 100001 /* of mailboxes that get a uid of their own */
};

static int add(struct conf *c, int argc, char **argv);
static int passwd(struct conf *c, int argc, char **argv);
static int del(struct conf *c, int argc, char **argv);
static int list(struct conf *c, int argc, char **argv);
static int show(struct conf *c, int argc, char **argv);

static const struct tool_command commands[] = {
	{ "add",
	    "[--uid N] [--gid N] [--maildir DIR] [--quota SIZE] ADDRESS", add },
	{ "passwd", "ADDRESS", passwd },
	{ "del", "ADDRESS", del },
	{ "list", "[--json]", list },
	{ "show", "ADDRESS", show },
	{ NULL, NULL, NULL },
};

/* One line from standard input, without echo on a terminal. */
static void
read_line(const char *prompt, char out[SECRETS_PASSWORD + 1])
{
	char room[SECRETS_PASSWORD + 3];
	struct in in = in_fd(0, room, sizeof room);
	struct termios was, quiet;
	bool tty = tcgetattr(0, &was) == 0;
	struct span line;
	int r;

	in.lf_ok = true;
	if (tty) {
		fputs(prompt, stderr);
		quiet = was;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		(void)tcsetattr(0, TCSAFLUSH, &quiet); /* or it shows */
	}
	r = in_line(&in, &line);
	if (tty) {
		(void)tcsetattr(0, TCSAFLUSH, &was);
		fputc('\n', stderr);
	}
	/* A file without a line end at its end is a line too. */
	if (r == 0)
		line = in_pending(&in);
	if (r == -1 || line.n == 0 ||
	    span_copy(line, out, SECRETS_PASSWORD + 1) == -1)
		err_die(EXIT_NEVER, "a password of 1 to %d bytes is expected",
		    SECRETS_PASSWORD);
	explicit_bzero(room, sizeof room);
}

/* Reads a password and makes its credential. */
static void
ask_password(struct buf *credential)
{
	char first[SECRETS_PASSWORD + 1], again[SECRETS_PASSWORD + 1];

	read_line("Password: ", first);
	if (isatty(0)) {
		read_line("Once more: ", again);
		if (strcmp(first, again) != 0)
			err_die(EXIT_NO, "the two differ");
		explicit_bzero(again, sizeof again);
	}
	if (secrets_make(span_str(first), credential) == -1)
		err_die_sys(EXIT_LATER, "make a credential");
	explicit_bzero(first, sizeof first);
}

static void
set_password(const struct conf *c, const struct userdb *users,
    const char *address, struct buf *credential)
{
	struct userdb secrets = tool_open(c, "secrets", users);

	if (userdb_set(&secrets, span_str(address), buf_span(credential)) ==
	    -1)
		err_die_sys(EXIT_LATER, "%s", address);
	tool_commit(&secrets);
	buf_wipe(credential);
}

static uint32_t
parse_id(const char *text)
{
	uint32_t id;

	if (!num_parse_u32(span_str(text), UINT32_MAX - 1, &id) || id == 0)
		err_die(EXIT_NEVER, "%s: not a uid or gid", text);
	return id;
}

static void
parse_add(int argc, char **argv, struct users_record *u)
{
	static const struct option options[] = {
		{ "uid", required_argument, NULL, 'u' },
		{ "gid", required_argument, NULL, 'g' },
		{ "maildir", required_argument, NULL, 'm' },
		{ "quota", required_argument, NULL, 'q' },
		{ NULL, 0, NULL, 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'u')
			u->uid = parse_id(optarg);
		else if (o == 'g')
			u->gid = parse_id(optarg);
		else if (o == 'm') {
			if (optarg[0] != '/' || strpbrk(optarg, " \t\n") ||
			    span_copy(span_str(optarg), u->maildir,
				sizeof u->maildir) == -1)
				err_die(EXIT_NEVER,
				    "the Maildir is an absolute path below "
				    "the root, without blanks");
		} else if (o != 'q' ||
		    !num_parse_size(span_str(optarg), INT64_MAX, &u->quota))
			tool_usage(&commands[0]);
	}
	if (optind != argc - 1)
		tool_usage(&commands[0]);
}

static uid_t
next_uid(const struct userdb *db)
{
	struct span rest = buf_span(&db->text), key, value;
	struct users_record u;
	uid_t next = FIRST_UID;

	if (geteuid() != 0)
		return geteuid();
	while (userdb_next(&rest, &key, &value))
		if (users_parse(value, &u) && u.kind == USERS_MAILBOX &&
		    u.uid >= next)
			next = u.uid + 1;
	return next;
}

/* /var/mail/DOMAIN/LOCAL, below the root. */
static void
default_maildir(struct span address, char out[USERS_PATH])
{
	struct buf b = buf_new(USERS_PATH - 1);
	struct span local = span_take(&address, '@');

	(void)buf_add_str(&b, "/var/mail/");
	(void)buf_add_span(&b, address);
	(void)buf_add_byte(&b, '/');
	(void)buf_add_span(&b, local);
	if (b.full || span_copy(buf_span(&b), out, USERS_PATH) == -1)
		err_die(EXIT_NEVER, "the Maildir's path is too long");
	buf_free(&b);
}

static void
fill_defaults(const struct userdb *db, const char *address,
    struct users_record *u)
{
	if (u->uid == 0)
		u->uid = next_uid(db);
	if (u->gid == 0)
		u->gid = geteuid() == 0 ? u->uid : getegid();
	if (u->maildir[0] == '\0')
		default_maildir(span_str(address), u->maildir);
}

static void
record_text(const struct users_record *u, struct buf *out)
{
	(void)buf_addf(out, "uid=%lu gid=%lu maildir=%s",
	    (unsigned long)u->uid, (unsigned long)u->gid, u->maildir);
	if (u->quota > 0)
		(void)buf_addf(out, " quota=%llu",
		    (unsigned long long)u->quota);
	if (out->full)
		err_die(EXIT_NEVER, "the record is too long");
}

/* Credentials first: nobody can log in until the record is there. */
static int
add(struct conf *c, int argc, char **argv)
{
	struct buf credential = buf_new(SECRETS_VALUE);
	struct buf record = buf_new(USERS_VALUE - 1);
	struct users_record u = { 0 };
	char address[USERS_ADDRESS];
	struct userdb db;
	struct span there;

	parse_add(argc, argv, &u);
	tool_address(c, argv[optind], false, address);
	db = tool_open(c, "users", NULL);
	tool_need_domain(&db, address);
	if (userdb_get(&db, span_str(address), &there) == 1)
		err_die(EXIT_NO, "%s is there already", address);
	fill_defaults(&db, address, &u);
	record_text(&u, &record);
	ask_password(&credential);
	if (home_make(c, &u) == -1)
		err_die_sys(EXIT_LATER, "make %s%s", c->root, u.maildir);
	set_password(c, &db, address, &credential);
	if (userdb_set(&db, span_str(address), buf_span(&record)) == -1)
		err_die_sys(EXIT_LATER, "%s", address);
	tool_commit(&db);
	return 0;
}

/* The mailbox's record, or the end with 1. */
static struct users_record
need_mailbox(const struct userdb *db, const char *address)
{
	struct users_record u;
	struct span value;

	if (userdb_get(db, span_str(address), &value) != 1 ||
	    !users_parse(value, &u) || u.kind != USERS_MAILBOX)
		err_die(EXIT_NO, "%s: no such mailbox", address);
	return u;
}

static int
passwd(struct conf *c, int argc, char **argv)
{
	struct buf credential = buf_new(SECRETS_VALUE);
	char address[USERS_ADDRESS];
	struct userdb db;

	if (argc != 2)
		tool_usage(&commands[1]);
	tool_address(c, argv[1], false, address);
	db = tool_open(c, "users", NULL);
	need_mailbox(&db, address);
	ask_password(&credential);
	set_password(c, &db, address, &credential);
	userdb_close(&db);
	return 0;
}

/* Removes one credential of the user (ADDRESS or ADDRESS/NAME). */
static bool
remove_secret(struct userdb *db, struct span address)
{
	struct span rest = buf_span(&db->text), key, value;

	while (userdb_next(&rest, &key, &value)) {
		struct span whose = key;

		if (span_eq(span_take(&whose, '/'), address))
			return userdb_remove(db, key) == 1;
	}
	return false;
}

/* The record first: from then on nobody logs in.  The mail stays. */
static int
del(struct conf *c, int argc, char **argv)
{
	char address[USERS_ADDRESS];
	struct users_record u;
	struct userdb db, secrets;

	if (argc != 2)
		tool_usage(&commands[2]);
	tool_address(c, argv[1], false, address);
	db = tool_open(c, "users", NULL);
	u = need_mailbox(&db, address);
	userdb_remove(&db, span_str(address));
	secrets = tool_open(c, "secrets", &db);
	while (remove_secret(&secrets, span_str(address)))
		continue;
	tool_commit(&db);
	tool_commit(&secrets);
	fprintf(stderr, "%s: the mail stays in %s%s\n", err_name(), c->root,
	    u.maildir);
	return 0;
}

static bool
show_address(struct span key, struct span value, bool json, bool first)
{
	struct users_record u;

	if (!users_parse(value, &u) || u.kind != USERS_MAILBOX)
		return false;
	if (!json) {
		printf("%.*s\n", (int)key.n, key.p);
		return true;
	}
	printf("%s{\"address\":", first ? "" : ",");
	tool_json(key);
	printf(",\"uid\":%lu,\"gid\":%lu,\"maildir\":", (unsigned long)u.uid,
	    (unsigned long)u.gid);
	tool_json(span_str(u.maildir));
	printf(",\"quota\":%llu}", (unsigned long long)u.quota);
	return true;
}

static int
list(struct conf *c, int argc, char **argv)
{
	return tool_list(c, argc, argv, &commands[3], show_address);
}

static int
show(struct conf *c, int argc, char **argv)
{
	char address[USERS_ADDRESS];
	struct users_record u;
	struct userdb db;

	if (argc != 2)
		tool_usage(&commands[4]);
	tool_address(c, argv[1], false, address);
	db = tool_open(c, "users", NULL);
	u = need_mailbox(&db, address);
	userdb_close(&db);
	printf("address %s\nuid %lu\ngid %lu\nmaildir %s%s\n", address,
	    (unsigned long)u.uid, (unsigned long)u.gid, c->root, u.maildir);
	if (u.quota > 0)
		printf("quota %llu\n", (unsigned long long)u.quota);
	return 0;
}

int
main(int argc, char **argv)
{
	return tool_main(argc, argv, commands);
}
