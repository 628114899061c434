/* POP3 command lines. */
#include "command.h"

#include "base/num.h"

static bool
is_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool
is_word(struct span s)
{
	if (s.n == 0 || s.n > COMMAND_WORD)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!is_letter(s.p[i]))
			return false;
	return true;
}

bool
command_parse(struct span line, struct command *out)
{
	*out = (struct command){ .numbers = true };
	while (line.n > 0 && line.p[line.n - 1] == ' ')
		line.n--;
	out->word = span_take(&line, ' ');
	if (!is_word(out->word))
		return false;
	while (line.n > 0 && out->numbers) {
		struct span text = span_take(&line, ' ');

		if (out->nargs == COMMAND_ARGS ||
		    !num_parse_u32(text, UINT32_MAX, &out->arg[out->nargs]))
			out->numbers = false;
		else
			out->nargs++;
	}
	return true;
}
