# t/crash
TESTS += t/crash/kill.t
EXTRA_DIST += t/crash/kill.t t/crash/queue.py t/crash/shim.c
check_PROGRAMS += t/crash/careless
t_crash_careless_SOURCES = t/crash/careless.c
