/* SASL PLAIN. */
#include "auth/sasl.h"

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
	return out->authcid.n > 0 && message.n > 0 &&
	    span_find(message, '\0') == message.n;
}

int
sasl_plain_make(struct span user, struct span password, struct buf *out)
{
	if (buf_add_byte(out, '\0') == -1 || buf_add_span(out, user) == -1 ||
	    buf_add_byte(out, '\0') == -1)
		return -1;
	return buf_add_span(out, password);
}
