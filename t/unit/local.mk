# t/unit

# Messages.
check_PROGRAMS += t/unit/mailtree
t_unit_mailtree_SOURCES = t/unit/mailtree.c
