/* The services. */
#include "net/service.h"

#include <stddef.h>
#include <string.h>

static const struct service services[] = {
	{ "imap", SERVICE_IMAP, false, "imap-login", "imapd", "imap" },
	{ "imaps", SERVICE_IMAP, true, "imap-login", "imapd", "imap" },
	{ "pop3", SERVICE_POP3, false, "pop3-login", "pop3d", "pop3" },
	{ "pop3s", SERVICE_POP3, true, "pop3-login", "pop3d", "pop3" },
	{ "smtp", SERVICE_SMTP, false, "smtpd", NULL, "smtp" },
	{ "submission", SERVICE_SUBMISSION, false, "smtpd", NULL, "smtp" },
	{ "submissions", SERVICE_SUBMISSION, true, "smtpd", NULL, "smtp" },
};

const struct service *
service_find(const char *name)
{
	for (size_t i = 0; i < sizeof services / sizeof *services; i++)
		if (strcmp(services[i].name, name) == 0)
			return &services[i];
	return NULL;
}
