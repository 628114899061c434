/* postern-adopt: its report, as text and as JSON. */
#include "adopt.h"
#include "common.h"

#include "base/log.h"
#include "text/utf8.h"

#include <stdio.h>

static bool
can_be_shown(struct span s)
{
	bool valid = true;

	while (s.n > 0) {
		uint32_t c = utf8_take(&s, &valid);

		if (!valid || utf8_is_control(c) || utf8_is_format(c))
			return false;
	}
	return true;
}

void
print_name(struct span s, char *out, size_t size)
{
	if (!can_be_shown(s) || span_copy(s, out, size) == -1)
		log_escape(s, out, size);
}

/* An item of the report, on a line of its own. */
static void
begin(struct job *j)
{
	progress_hide(&j->progress);
	if (j->json)
		printf("%s\n", j->first ? "" : ",");
	j->first = false;
}

static void
json_list(const char *key, size_t n, const char *text, size_t step)
{
	printf(",\"%s\":[", key);
	for (size_t i = 0; i < n; i++) {
		printf("%s", i ? "," : "");
		tool_json(span_str(text + i * step));
	}
	putchar(']');
}

static void
json_box(const struct report *r)
{
	const char *from = r->ours ? NULL : r->a.from;

	printf("{\"mailbox\":");
	tool_json(span_str(r->name));
	printf(",\"messages\":%zu,\"kept\":%zu,\"uidvalidity\":", r->messages,
	    r->kept);
	if (r->uidvalidity)
		printf("%lu", (unsigned long)r->uidvalidity);
	else
		printf("null");
	printf(
	    ",\"uidvalidity_kept\":%s,\"list\":", r->same ? "true" : "false");
	if (from)
		tool_json(span_str(from));
	else
		printf("null");
	json_list("keywords", r->ours ? 0 : r->a.keywords.n,
	    r->a.keywords.name[0], MAILBOX_KEYWORD);
	json_list("notes", r->nnotes, r->notes[0], ADOPT_NOTE);
	putchar('}');
}

static void
text_box(const struct report *r)
{
	printf("%s: %zu messages", r->name, r->messages);
	if (!r->ours && r->a.from && r->messages > 0)
		printf(", %zu keep their UIDs (%s)", r->kept, r->a.from);
	if (!r->ours)
		printf(", UIDVALIDITY ");
	if (!r->ours && r->uidvalidity)
		printf("%lu ", (unsigned long)r->uidvalidity);
	if (!r->ours)
		fputs(r->same ? "kept" : "new", stdout);
	putchar('\n');
	if (r->a.keywords.n > 0 && !r->ours) {
		printf("    keywords:");
		for (size_t i = 0; i < r->a.keywords.n; i++)
			printf(" %s", r->a.keywords.name[i]);
		putchar('\n');
	}
	for (size_t i = 0; i < r->nnotes; i++)
		printf("    %s\n", r->notes[i]);
}

void
print_box(struct job *j, const struct report *r)
{
	begin(j);
	if (j->json)
		json_box(r);
	else
		text_box(r);
}

void
print_folder(struct job *j, const char *folder, const char *text)
{
	char name[MAILBOX_NAME];

	print_name(span_str(folder), name, sizeof name);
	begin(j);
	if (!j->json) {
		printf("folder %s: %s\n", name, text);
		return;
	}
	printf("{\"folder\":");
	tool_json(span_str(name));
	printf(",\"notes\":[");
	tool_json(span_str(text));
	printf("]}");
}

void
print_fact(struct job *j, const char *key, const char *text)
{
	begin(j);
	if (!j->json) {
		for (; *key; key++)
			putchar(*key == '_' ? ' ' : *key);
		printf(": %s\n", text);
		return;
	}
	putchar('{');
	tool_json(span_str(key));
	putchar(':');
	tool_json(span_str(text));
	putchar('}');
}

void
print_subscriptions(struct job *j, size_t n, size_t missing, size_t skipped)
{
	begin(j);
	if (j->json) {
		printf("{\"subscriptions\":%zu,\"missing\":%zu,"
		       "\"skipped\":%zu}",
		    n, missing, skipped);
		return;
	}
	printf("subscriptions: %zu", n);
	if (missing > 0)
		printf(
		    ", %zu of them of mailboxes that are not there", missing);
	if (skipped > 0)
		printf("; %zu that name no mailbox are passed over", skipped);
	putchar('\n');
}

void
print_total(struct job *j)
{
	progress_hide(&j->progress);
	if (!j->json)
		printf("%s: %zu mailboxes, %zu messages, %zu UIDs kept%s\n",
		    j->path, j->folders, j->messages, j->kept,
		    j->dry ? " (nothing was done)" : "");
}
