/*
 * bare PROBE: the same without any jail, as whoever calls.  Where a probe does
 * not succeed here it would prove nothing there.
 */
#include "probe.h"

#include <stdio.h>

int
main(int argc, char *argv[])
{
	char text[4096];

	if (argc != 2)
		return 100;
	snprintf(text, sizeof text, "%s", argv[1]);
	probe_tell(1, text, probe_run(text));
	return 0;
}
