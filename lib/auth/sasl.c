/* SASL mechanisms. */
#include "auth/sasl.h"

#include "base/conf.h"

static const struct sasl_mechanism mechanisms[SASL_MECHANISMS] = {
	{ "SCRAM-SHA-256-PLUS", SASL_SCRAM_SHA_256_PLUS, CONF_SCRAM_SHA_256,
	    true, true, SCRAM_SHA_256 },
	{ "SCRAM-SHA-1-PLUS", SASL_SCRAM_SHA_1_PLUS, CONF_SCRAM_SHA_1, true,
	    true, SCRAM_SHA_1 },
	{ "SCRAM-SHA-256", SASL_SCRAM_SHA_256, CONF_SCRAM_SHA_256, true, false,
	    SCRAM_SHA_256 },
	{ "SCRAM-SHA-1", SASL_SCRAM_SHA_1, CONF_SCRAM_SHA_1, true, false,
	    SCRAM_SHA_1 },
	{ "PLAIN", SASL_PLAIN, CONF_PLAIN, false, false, 0 },
	{ "LOGIN", SASL_LOGIN, CONF_LOGIN, false, false, 0 },
	{ "EXTERNAL", SASL_EXTERNAL, CONF_EXTERNAL, false, false, 0 },
};

const struct sasl_mechanism *
sasl_mechanism(enum sasl_id id)
{
	return &mechanisms[id];
}

const struct sasl_mechanism *
sasl_find(struct span name)
{
	for (size_t i = 0; i < SASL_MECHANISMS; i++)
		if (span_is_nocase(name, mechanisms[i].name))
			return &mechanisms[i];
	return NULL;
}

bool
sasl_plain_parse(struct span message, struct sasl_plain *out)
{
	if (span_find(message, '\0') == message.n)
		return false;
	out->authzid = span_take(&message, '\0');
	if (span_find(message, '\0') == message.n)
		return false;
	out->authcid = span_take(&message, '\0');
	out->password = message;
	return out->authcid.n > 0 && span_find(message, '\0') == message.n;
}

int
sasl_plain_make(struct span user, struct span password, struct buf *out)
{
	if (buf_add_byte(out, '\0') == -1 || buf_add_span(out, user) == -1 ||
	    buf_add_byte(out, '\0') == -1)
		return -1;
	return buf_add_span(out, password);
}
