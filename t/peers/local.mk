TESTS += t/man.t t/shelves.t t/linked.t
EXTRA_DIST += t/man.t t/shelves.t t/linked.t t/bare
