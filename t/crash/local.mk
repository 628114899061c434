# t/crash
TESTS += t/crash/kill.t
EXTRA_DIST += t/crash/kill.t t/crash/queue.py t/crash/shim.c
check_PROGRAMS += t/crash/careless
t_crash_careless_SOURCES = t/crash/careless.c

# Power cuts.
check_PROGRAMS += t/crash/recorder
t_crash_recorder_SOURCES = t/crash/recorder.c
t_crash_recorder_CPPFLAGS = $(AM_CPPFLAGS) $(FUSE_CFLAGS)
t_crash_recorder_LDADD = lib/libpostern.a $(FUSE_LIBS)
TESTS += t/crash/power.t
EXTRA_DIST += t/storelib.py t/tap.py t/crash/power.t t/crash/power.py t/crash/nosync.c

# Sessions, deliveries and other programs at once, against a model.
TESTS += t/model.t
EXTRA_DIST += t/model.t t/model.py

# Errors of calls.
TESTS += t/crash/errors.t
EXTRA_DIST += t/crash/errors.t t/crash/errors.py

# Sessions that are there when another one dies.
TESTS += t/crash/fold.t
EXTRA_DIST += t/crash/fold.t t/crash/fold.py

# Copies that are neither finished nor undone.
TESTS += t/crash/stuck.t
EXTRA_DIST += t/crash/stuck.t

# What the disk refuses, and others have read.
TESTS += t/crash/sync.t
EXTRA_DIST += t/crash/sync.t t/crash/sync.py

# Full disks.
TESTS += t/crash/full.t t/crash/late.t
EXTRA_DIST += t/crash/full.t t/crash/full.py t/crash/late.t t/crash/late.py

# Files of the store as no program of ours leaves them.
TESTS += t/hostile.t
EXTRA_DIST += t/hostile.t t/hostile.py
