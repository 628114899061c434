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
#include "certificate.h"
#include "common.h"
#include "credential.h"
#include "home.h"

#include "base/err.h"
#include "base/num.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

enum {
	FIRST_UID = 100001 /* of mailboxes that get a uid of their own */
};

/* The key in users of the highest uid that a deleted mailbox had. */
#define LAST_UID "uid:last"

static int add(struct conf *c, int argc, char **argv);
static int passwd(struct conf *c, int argc, char **argv);
static int del(struct conf *c, int argc, char **argv);
static int quota(struct conf *c, int argc, char **argv);
static int list(struct conf *c, int argc, char **argv);
static int show(struct conf *c, int argc, char **argv);
static int disable(struct conf *c, int argc, char **argv);
static int app(struct conf *c, int argc, char **argv);
static int cert(struct conf *c, int argc, char **argv);

static const struct tool_command commands[] = {
	{ "add",
	    "[--uid N] [--gid N] [--maildir DIR] [--quota SIZE[,COUNT]] "
	    "ADDRESS",
	    add },
	{ "passwd", "ADDRESS", passwd },
	{ "del", "ADDRESS", del },
	{ "quota", "ADDRESS SIZE[,COUNT]|none|default", quota },
	{ "list", "[--json]", list },
	{ "show", "ADDRESS", show },
	{ "disable", "ADDRESS", disable },
	{ "enable", "ADDRESS", disable },
	{ "app",
	    "add [--services imap,pop3,smtp] [--expires YYYY-MM-DD] ADDRESS "
	    "NAME | list [--json] ADDRESS | del ADDRESS NAME",
	    app },
	{ "cert",
	    "add [--services imap,pop3,smtp] [--expires YYYY-MM-DD] ADDRESS "
	    "FILE | list ADDRESS | del ADDRESS FINGERPRINT",
	    cert },
	{ NULL, NULL, NULL },
};

static _Noreturn void
usage(const char *command)
{
	tool_usage(commands, command);
}

static uint32_t
parse_id(const char *text)
{
	uint32_t id;

	if (!num_parse_u32(span_str(text), UINT32_MAX - 1, &id) || id == 0)
		err_die(EXIT_NEVER, "%s: not a uid or gid", text);
	return id;
}

static bool
parse_quota(const char *text, struct users_record *u)
{
	u->has_quota = true;
	return num_parse_quota(span_str(text), &u->quota, &u->quota_count);
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
		} else if (o != 'q' || !parse_quota(optarg, u))
			usage("add");
	}
	if (optind != argc - 1)
		usage("add");
}

static uid_t
next_uid(const struct userdb *db)
{
	struct span rest = buf_span(&db->text), key, value;
	struct users_record u;
	uint32_t last;
	uid_t next = FIRST_UID;

	if (geteuid() != 0)
		return geteuid();
	if (userdb_get(db, (struct span)SPAN(LAST_UID), &value) == 1 &&
	    num_parse_u32(value, UINT32_MAX - 2, &last) && last >= next)
		next = last + 1;
	while (userdb_next(&rest, &key, &value))
		if (users_parse(value, &u) && u.kind == USERS_MAILBOX &&
		    u.uid >= next)
			next = u.uid + 1;
	return next;
}

/* The mail of who is deleted stays, and so must its uid. */
static void
keep_uid(struct userdb *db, uid_t uid)
{
	struct buf text = buf_new(32);
	struct span value;
	uint32_t last = 0;

	if (userdb_get(db, (struct span)SPAN(LAST_UID), &value) == 1)
		(void)num_parse_u32(value, UINT32_MAX - 2, &last);
	if (uid < FIRST_UID || uid <= last)
		return;
	if (buf_addf(&text, "%lu", (unsigned long)uid) == -1 ||
	    userdb_set(db, (struct span)SPAN(LAST_UID), buf_span(&text)) == -1)
		err_die_sys(EXIT_LATER, "users");
	buf_free(&text);
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
record_quota(const struct users_record *u, struct buf *out)
{
	if (u->has_quota)
		(void)buf_addf(out, " quota=%llu",
		    (unsigned long long)u->quota);
	if (u->quota_count > 0)
		(void)buf_addf(out, ",%llu",
		    (unsigned long long)u->quota_count);
	if (out->full)
		err_die(EXIT_NEVER, "the record is too long");
}

static void
record_text(const struct users_record *u, struct buf *out)
{
	(void)buf_addf(out, "uid=%lu gid=%lu maildir=%s",
	    (unsigned long)u->uid, (unsigned long)u->gid, u->maildir);
	record_quota(u, out);
}

/* The end where it cannot become a mailbox. */
static struct userdb
open_for_new(const struct conf *c, const char *address)
{
	struct userdb db = tool_open(c, "users", NULL);
	struct span there;

	tool_need_domain(&db, address);
	if (userdb_get(&db, span_str(address), &there) == 1)
		err_die(EXIT_NO, "%s is there already", address);
	return db;
}

static void
make_home(const struct conf *c, const struct users_record *u)
{
	if (home_make(c, u) == 0)
		return;
	if (errno == EPERM && geteuid() == 0)
		err_die(EXIT_NO,
		    "%s%s is there and belongs to another uid; to take it "
		    "over say --uid",
		    c->root, u->maildir);
	err_die_sys(EXIT_LATER, "make %s%s", c->root, u->maildir);
}

/* Credentials first: nobody can log in until the record is there. */
static int
add(struct conf *c, int argc, char **argv)
{
	struct buf record = buf_new(USERS_VALUE - 1);
	char password[SECRETS_PASSWORD + 1];
	struct users_record u = { 0 };
	char address[USERS_ADDRESS];
	struct userdb db;

	parse_add(argc, argv, &u);
	tool_address(c, argv[optind], false, address);
	/* Nobody waits for the lock while a person types. */
	db = open_for_new(c, address);
	userdb_close(&db);
	credential_ask(password);
	db = open_for_new(c, address);
	fill_defaults(&db, address, &u);
	record_text(&u, &record);
	make_home(c, &u);
	certificate_remove_all(&db, address);
	credential_set(c, &db, address, password, true);
	explicit_bzero(password, sizeof password);
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
	char address[USERS_ADDRESS], password[SECRETS_PASSWORD + 1];
	struct userdb db;

	if (argc != 2)
		usage("passwd");
	tool_address(c, argv[1], false, address);
	db = tool_open(c, "users", NULL);
	need_mailbox(&db, address);
	userdb_close(&db); /* as in add */
	credential_ask(password);
	db = tool_open(c, "users", NULL);
	need_mailbox(&db, address);
	credential_set(c, &db, address, password, false);
	explicit_bzero(password, sizeof password);
	userdb_close(&db);
	return 0;
}

/* The record first: from then on nobody logs in.  The mail stays. */
static int
del(struct conf *c, int argc, char **argv)
{
	char address[USERS_ADDRESS];
	struct users_record u;
	struct userdb db, secrets;

	if (argc != 2)
		usage("del");
	tool_address(c, argv[1], false, address);
	db = tool_open(c, "users", NULL);
	u = need_mailbox(&db, address);
	keep_uid(&db, u.uid);
	userdb_remove(&db, span_str(address));
	certificate_remove_all(&db, address);
	secrets = tool_open(c, "secrets", &db);
	credential_forget(&secrets, address);
	/* The lock is that of users: it is held until both are written. */
	tool_write(&db);
	tool_commit(&secrets);
	userdb_close(&db);
	fprintf(stderr, "%s: the mail stays in %s%s\n", err_name(), c->root,
	    u.maildir);
	return 0;
}

/* The record's words, but for its quota: those of a later version stay. */
static void
without_quota(struct span value, struct buf *out)
{
	while ((value = span_trim(value)).n > 0) {
		struct span word = span_take(&value, ' ');

		if (span_starts(word, "quota="))
			continue;
		if (out->n > 0)
			(void)buf_add_byte(out, ' ');
		(void)buf_add_span(out, word);
	}
}

static int
quota(struct conf *c, int argc, char **argv)
{
	struct buf record = buf_new(USERS_VALUE - 1);
	struct users_record u = { 0 };
	char address[USERS_ADDRESS];
	struct userdb db;
	struct span value;
	const char *to = argc == 3 ? argv[2] : "";

	if (strcmp(to, "none") == 0)
		to = "0";
	if (argc != 3 || (strcmp(to, "default") != 0 && !parse_quota(to, &u)))
		usage("quota");
	tool_address(c, argv[1], false, address);
	db = tool_open(c, "users", NULL);
	need_mailbox(&db, address);
	if (userdb_get(&db, span_str(address), &value) != 1)
		err_die(EXIT_NO, "%s: no such mailbox", address);
	without_quota(value, &record);
	record_quota(&u, &record);
	if (userdb_set(&db, span_str(address), buf_span(&record)) == -1)
		err_die_sys(EXIT_LATER, "%s", address);
	tool_commit(&db);
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
	printf(",\"quota\":%llu,\"quota_messages\":%llu}",
	    (unsigned long long)u.quota, (unsigned long long)u.quota_count);
	return true;
}

static int
list(struct conf *c, int argc, char **argv)
{
	return tool_list(c, argc, argv, commands, show_address);
}

static int
show(struct conf *c, int argc, char **argv)
{
	char address[USERS_ADDRESS];
	struct users_record u;
	struct userdb db;

	if (argc != 2)
		usage("show");
	tool_address(c, argv[1], false, address);
	db = tool_open(c, "users", NULL);
	u = need_mailbox(&db, address);
	userdb_close(&db);
	printf("address %s\nuid %lu\ngid %lu\nmaildir %s%s\n", address,
	    (unsigned long)u.uid, (unsigned long)u.gid, c->root, u.maildir);
	if (u.has_quota)
		printf("quota %llu\n", (unsigned long long)u.quota);
	if (u.quota_count > 0)
		printf("quota_messages %llu\n",
		    (unsigned long long)u.quota_count);
	return 0;
}

static int
disable(struct conf *c, int argc, char **argv)
{
	bool off = strcmp(argv[0], "disable") == 0;
	char address[USERS_ADDRESS];
	struct userdb db;

	if (argc != 2)
		usage(argv[0]);
	tool_address(c, argv[1], false, address);
	db = tool_open(c, "users", NULL);
	need_mailbox(&db, address);
	credential_disable(c, &db, address, off);
	userdb_close(&db);
	return 0;
}

struct app_options {
	unsigned services;
	const char *expires;
	bool json;
};

static void
parse_app(int argc, char **argv, struct app_options *out,
    const char *command)
{
	static const struct option options[] = {
		{ "services", required_argument, NULL, 's' },
		{ "expires", required_argument, NULL, 'e' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	int64_t day;
	int o;

	*out = (struct app_options){ .services = SECRETS_ALL };
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'j')
			out->json = true;
		else if (o == 's') {
			out->services = secrets_services(span_str(optarg));
			if (out->services == 0)
				err_die(EXIT_NEVER,
				    "%s: of imap, pop3 and smtp, with commas",
				    optarg);
		} else if (o == 'e') {
			out->expires = optarg;
			if (!secrets_day(span_str(optarg), &day))
				err_die(EXIT_NEVER, "%s: not YYYY-MM-DD",
				    optarg);
		} else
			usage(command);
	}
}

/* What `app' and `cert' are to do (add, list or del), and for whom; what that
 * is done to is behind the address, in argv[optind + 1]. */
static const char *
parse_what(struct conf *c, int argc, char **argv, struct app_options *o,
    char address[USERS_ADDRESS])
{
	const char *command = argv[0], *what = argc > 1 ? argv[1] : "";
	bool lists = strcmp(what, "list") == 0;

	if (!lists && strcmp(what, "add") != 0 && strcmp(what, "del") != 0)
		usage(command);
	parse_app(argc - 1, argv + 1, o, command);
	if (argc - 1 - optind != (lists ? 1 : 2))
		usage(command);
	optind++; /* of argv */
	tool_address(c, argv[optind], false, address);
	return what;
}

static int
cert(struct conf *c, int argc, char **argv)
{
	struct app_options o;
	char address[USERS_ADDRESS];
	const char *what = parse_what(c, argc, argv, &o, address);
	struct userdb db = tool_open(c, "users", NULL);

	need_mailbox(&db, address);
	if (strcmp(what, "list") == 0)
		certificate_list(&db, address);
	else if (strcmp(what, "add") == 0)
		certificate_add(
		    &db, address, argv[optind + 1], o.services, o.expires);
	else
		certificate_remove(&db, address, argv[optind + 1]);
	userdb_close(&db);
	return 0;
}

static int
app(struct conf *c, int argc, char **argv)
{
	struct app_options o;
	char address[USERS_ADDRESS];
	const char *what = parse_what(c, argc, argv, &o, address);
	bool lists = strcmp(what, "list") == 0;
	struct span name = span_str(lists ? NULL : argv[optind + 1]);
	struct userdb db;

	if (!lists && !secrets_is_name(name))
		err_die(EXIT_NEVER,
		    "%s: a name has 1 to %d of a-z 0-9 . _ -", name.p,
		    SECRETS_NAME - 1);
	db = tool_open(c, "users", NULL);
	need_mailbox(&db, address);
	if (lists)
		credential_list(c, &db, address, o.json);
	else if (strcmp(what, "add") == 0)
		credential_add(c, &db, address, name, o.services, o.expires);
	else
		credential_remove(c, &db, address, name);
	userdb_close(&db);
	return 0;
}

int
main(int argc, char **argv)
{
	return tool_main(argc, argv, commands);
}
