/* What the postern-* tools share. */
#include "common.h"

#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static void
print_help(const struct tool_command *table)
{
	printf("usage: %s [-r ROOT] COMMAND\n", err_name());
	for (; table->name; table++)
		printf("       %s %s\n", table->name, table->usage);
	printf("see %s(1)\n", err_name());
}

static const struct tool_command *
find(const struct tool_command *table, const char *name)
{
	for (; table->name; table++)
		if (strcmp(table->name, name) == 0)
			return table;
	err_die(EXIT_NEVER, "no command %s: see %s --help", name, err_name());
}

void
tool_usage(const struct tool_command *table, const char *name)
{
	const struct tool_command *command = find(table, name);

	err_die(EXIT_NEVER, "usage: %s %s %s", err_name(), command->name,
	    command->usage);
}

int
tool_main(int argc, char **argv, const struct tool_command *table)
{
	const char *root = NULL;
	char error[CONF_ERROR];
	struct conf c;
	int at = 1, r;

	err_program(argv[0]);
	if (argc > 2 && strcmp(argv[1], "-r") == 0) {
		root = argv[2];
		at = 3;
	}
	if (at >= argc || strcmp(argv[at], "--help") == 0 ||
	    strcmp(argv[at], "-h") == 0) {
		print_help(table);
		if (fflush(stdout) == EOF)
			err_die_sys(EXIT_LATER, "standard output");
		return at >= argc ? EXIT_NEVER : 0;
	}
	if (conf_load(&c, root, error) == -1)
		err_die(EXIT_LATER, "%s", error);
	r = find(table, argv[at])->run(&c, argc - at, argv + at);
	if (fflush(stdout) == EOF)
		err_die_sys(EXIT_LATER, "standard output");
	return r;
}

struct userdb
tool_open(const struct conf *c, const char *name, const struct userdb *with)
{
	struct userdb db;

	if (userdb_open(&db, c, name, with) == 0)
		return db;
	if (errno == ETIMEDOUT)
		err_die(EXIT_LATER, "somebody else is editing; try again");
	err_die_sys(EXIT_LATER, "%s/etc/postern/%s", c->root, name);
}

void
tool_write(struct userdb *db)
{
	if (userdb_commit(db) == 0)
		return;
	if (errno == EINVAL && db->bad_line > 0)
		err_die(EXIT_LATER,
		    "%s:%zu: not `key value', or a key that stands twice; "
		    "nothing was changed",
		    db->name, db->bad_line);
	err_die_sys(EXIT_LATER, "write %s", db->name);
}

void
tool_commit(struct userdb *db)
{
	tool_write(db);
	userdb_close(db);
}

static bool
is_label_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

static bool
is_domain(struct span d)
{
	if (d.n == 0 || d.n > 255)
		return false;
	while (d.n > 0) {
		struct span label = span_take(&d, '.');

		if (label.n == 0 || label.n > 63 || label.p[0] == '-' ||
		    label.p[label.n - 1] == '-')
			return false;
		for (size_t i = 0; i < label.n; i++)
			if (!is_label_byte(label.p[i]))
				return false;
	}
	return true;
}

static bool
is_local_part(struct span l)
{
	if (l.n == 0 || l.n > 64 || l.p[0] == '.' || l.p[0] == '-')
		return false;
	for (size_t i = 0; i < l.n; i++)
		if (!is_label_byte(l.p[i]) && l.p[i] != '.' &&
		    l.p[i] != '_' && l.p[i] != '=')
			return false;
	return true;
}

void
tool_address(const struct conf *c, const char *typed, bool catch_all,
    char out[USERS_ADDRESS])
{
	struct span a;
	size_t at;

	if (users_login(span_str(typed), c->domain, out) == -1)
		err_die(EXIT_NEVER, "that is not an address");
	a = span_str(out);
	at = span_rfind(a, '@');
	if (!is_domain(span_skip(a, at + 1)))
		err_die(EXIT_NEVER, "%s: bad domain", out);
	if (!is_local_part(span_head(a, at)) && !(catch_all && at == 0))
		err_die(EXIT_NEVER,
		    "%s: before the @ go letters, digits and . _ = - "
		    "(at most 64)",
		    out);
}

void
tool_domain(const char *typed, char out[USERS_ADDRESS])
{
	if (users_login(span_str(typed), typed, out) == -1 ||
	    strchr(typed, '@'))
		err_die(EXIT_NEVER, "that is not a domain");
	out[strlen(typed)] = '\0';
	if (!is_domain(span_str(out)))
		err_die(EXIT_NEVER, "%s: not a domain", out);
}

void
tool_need_domain(const struct userdb *db, const char *address)
{
	const char *domain = strchr(address, '@') + 1;
	struct span value;

	if (userdb_get(db, span_str(domain), &value) == 1 &&
	    span_is(value, "domain"))
		return;
	err_die(EXIT_NO, "%s is not a domain of ours: postern domain add %s",
	    domain, domain);
}

int
tool_list(const struct conf *c, int argc, char **argv,
    const struct tool_command *table, tool_show *show)
{
	bool json = argc == 2 && strcmp(argv[1], "--json") == 0, first = true;
	struct span rest, key, value;
	struct userdb db;

	if (argc != 1 && !json)
		tool_usage(table, argv[0]);
	db = tool_open(c, "users", NULL);
	rest = buf_span(&db.text);
	if (json)
		putchar('[');
	while (userdb_next(&rest, &key, &value))
		if (show(key, value, json, first))
			first = false;
	if (json)
		puts("]");
	userdb_close(&db);
	return 0;
}

void
tool_json(struct span s)
{
	putchar('"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}
